"""The client of the ingest bench: sends the requests of a file over several streams and measures the time.

benches/ingest_client.py ADDRESS FILE STREAMS IN_FLIGHT
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore

import grpc
from ingest_feed import read_batches
from pegcount.v1.records_pb2 import WriteRecordsResponse

METHOD = "/pegcount.v1.RecordService/WriteRecords"
READY_SECONDS_MAX = 30.0
STREAM_SECONDS_MAX = 600.0
# Each stream has its own channel, hence its own connection, like feeds on several machines.
CHANNEL_OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


class Stream:
    """One stream with a limited number of batches in flight."""

    def __init__(self, address: str, batches: Sequence[bytes], in_flight: int) -> None:
        self._channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        grpc.channel_ready_future(self._channel).result(READY_SECONDS_MAX)
        self._batches = batches
        self._room = BoundedSemaphore(in_flight)
        self._sent: list[float] = []
        self.acknowledged_seconds: list[float] = []
        self.acknowledged_last = 0.0
        self.accepted = self.duplicates = 0

    def run(self) -> None:
        """Sends all batches and waits for all answers, which arrive in the same order."""
        # The batches are already encoded, so that the client's encoder is not measured.
        call: grpc.StreamStreamMultiCallable[bytes, WriteRecordsResponse]
        call = self._channel.stream_stream(METHOD, None, WriteRecordsResponse.FromString)
        for answer in call(self._requests(), timeout=STREAM_SECONDS_MAX):
            self._record_answer(answer)
        assert len(self.acknowledged_seconds) == len(self._batches), "a batch was not answered"
        self._channel.close()

    def _requests(self) -> Iterator[bytes]:
        for batch in self._batches:
            # The timeout ends this thread if the stream breaks.
            assert self._room.acquire(timeout=STREAM_SECONDS_MAX)
            self._sent.append(time.perf_counter())
            yield batch

    def _record_answer(self, answer: WriteRecordsResponse) -> None:
        self.acknowledged_last = time.perf_counter()
        self.acknowledged_seconds.append(self.acknowledged_last - self._sent[len(self.acknowledged_seconds)])
        self._room.release()
        assert not answer.rejected
        assert not answer.replaced
        self.accepted += answer.accepted
        self.duplicates += answer.duplicates


def main() -> None:
    """Runs the streams concurrently and prints one JSON object."""
    address, file, stream_count, in_flight = (
        sys.argv[1],
        Path(sys.argv[2]),
        int(sys.argv[3]),
        int(sys.argv[4]),
    )
    batches = read_batches(file)
    streams = [Stream(address, batches[first::stream_count], in_flight) for first in range(stream_count)]
    with ThreadPoolExecutor(stream_count) as threads:
        start_time = time.perf_counter()
        list(threads.map(Stream.run, streams))
    report = {
        # Until the last acknowledgement, because grpcio takes 200 ms more to end the streams.
        "seconds": max(stream.acknowledged_last for stream in streams) - start_time,
        "acknowledged_seconds": [one for stream in streams for one in stream.acknowledged_seconds],
        "accepted": sum(stream.accepted for stream in streams),
        "duplicates": sum(stream.duplicates for stream in streams),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
