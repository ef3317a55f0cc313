"""Clients that send a feed through `WriteRecords` and resend unanswered batches."""

import queue
import random
import threading
import time
from collections.abc import Iterator

import grpc
from pegcount.v1 import records_pb2, records_pb2_grpc

from faults.feed import Feed, FeedBatch

IN_FLIGHT_MAX = 4
"""Batches in flight per stream, so that several share a group commit."""
_RECONNECT_SECONDS = 0.05


class Writer(threading.Thread):
    """Sends the batches of one feed to one address until `end` is called or `batch_count` are answered.

    Uses one stream until it breaks, then opens another and resends all unanswered batches. With
    `breaks`, it breaks its streams at random and sends in random order. A pause after each batch limits
    the amount of data to check.
    """

    def __init__(
        self,
        feed: Feed,
        address: str,
        batch_count: int | None = None,
        breaks: random.Random | None = None,
        pause_seconds: float = 0.0,
    ) -> None:
        super().__init__(daemon=True)
        self.feed = feed
        self.refusals: list[tuple[grpc.StatusCode, str]] = []
        self._address = address
        self._batch_count = batch_count
        self._breaks = breaks
        self._pause_seconds = pause_seconds
        self._ended = threading.Event()

    def run(self) -> None:
        """Reconnects until the work is done."""
        with grpc.insecure_channel(self._address) as channel:
            stub = records_pb2_grpc.RecordServiceStub(channel)
            while not self._ended.is_set() and not self._is_done():
                try:
                    self._send_over(stub)
                except grpc.RpcError as error:
                    self.refusals.append((error.code(), error.details() or ""))
                    self._ended.wait(_RECONNECT_SECONDS)

    def end(self) -> None:
        """Ends the stream and waits for the thread."""
        self._ended.set()
        self.join(20)
        assert not self.is_alive(), "a stream did not end"

    def _is_done(self) -> bool:
        return self._batch_count is not None and len(self.feed.acknowledged) >= self._batch_count

    def _send_over(self, stub: records_pb2_grpc.RecordServiceStub) -> None:
        window = _FlightWindow()
        broken_after = None if self._breaks is None else self._breaks.randint(1, 30)
        call = stub.WriteRecords(self._requests(window), timeout=60)
        try:
            for count, answer in enumerate(call, 1):
                self._check(answer)
                self.feed.acknowledged.add(int(answer.batch_id))
                window.answered()
                if count == broken_after:
                    return
        finally:
            window.close()
            call.cancel()

    def _requests(self, window: "_FlightWindow") -> Iterator[records_pb2.WriteRecordsRequest]:
        for batch in self._batches():
            if not window.wait(self._ended):
                return
            yield batch.request
            self._ended.wait(self._pause_seconds)

    def _batches(self) -> Iterator[FeedBatch]:
        """Yields the unanswered batches, shuffled if the stream breaks on purpose, then new ones."""
        resent = self.feed.unanswered()
        if self._breaks is not None:
            resent += self._breaks.choices(self.feed.batches, k=min(2, len(self.feed.batches)))
            self._breaks.shuffle(resent)
        yield from resent
        while self._batch_count is None or len(self.feed.batches) < self._batch_count:
            yield self.feed.next_batch()

    def _check(self, answer: records_pb2.WriteRecordsResponse) -> None:
        batch = self.feed.batches[int(answer.batch_id)]
        outcome_count = answer.accepted + answer.replaced + answer.duplicates + len(answer.rejected)
        assert outcome_count == len(batch.records), answer
        for rejected in answer.rejected:
            assert rejected.reason == records_pb2.REJECT_REASON_BEFORE_RETENTION, answer
            assert not self.feed.is_retained(batch.records[rejected.index]), answer


class _FlightWindow:
    """Limits the batches in flight."""

    def __init__(self) -> None:
        self._free: queue.SimpleQueue[bool] = queue.SimpleQueue()
        for _ in range(IN_FLIGHT_MAX):
            self._free.put(True)

    def wait(self, ended: threading.Event) -> bool:
        """Waits until another batch may be sent; returns False when the stream has ended."""
        while not ended.is_set():
            try:
                return self._free.get(timeout=0.1)
            except queue.Empty:
                continue
        return False

    def answered(self) -> None:
        self._free.put(True)

    def close(self) -> None:
        """Wakes up waiting threads with False."""
        for _ in range(IN_FLIGHT_MAX + 1):
            self._free.put(False)


def write_all(feeds: list[Feed], address: str, batch_count: int, seconds_max: float, seed: str = "") -> None:
    """Sends until `batch_count` batches of each feed are answered; with a seed, over breaking streams."""
    writers = [
        Writer(feed, address, batch_count, random.Random(f"{seed}/{feed.stream}") if seed else None)
        for feed in feeds
    ]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + seconds_max
    for writer in writers:
        writer.join(max(0, deadline - time.monotonic()))
    refusals = [writer.refusals[-1:] for writer in writers]
    for writer in writers:
        writer.end()
    assert all(len(feed.acknowledged) >= batch_count for feed in feeds), refusals
