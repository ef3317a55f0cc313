"""`RecordService`: streams of batches, each answered once it is durable.

reading thread: message -> store.submit -> queue      (pauses while the queue is full)
call's thread:  queue -> wait until durable -> answer (in the order of the messages)
"""

import time
from collections.abc import Iterator
from threading import Lock, Thread
from typing import TypeAlias

import grpc

from pegcount.config import Config
from pegcount.errors import ServerStoppingError
from pegcount.model import WriteOutcome
from pegcount.server.batch_stream import BatchStream
from pegcount.store import Store
from pegcount.v1 import records_pb2

_Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, records_pb2.WriteRecordsResponse]"
_SERVICE_NAME = records_pb2.DESCRIPTOR.services_by_name["RecordService"].full_name


class RecordService:
    """Writes records. `stop` and then `join` end its streams and their reading threads."""

    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store
        self._lock = Lock()
        self._reading_threads: dict[BatchStream, Thread] = {}
        self._stopping = False

    def WriteRecords(
        self, batches: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[records_pb2.WriteRecordsResponse]:
        """Writes batches of records, each a serialized message; yields a response per batch."""
        stream = BatchStream(self._store, self._config.stream_batch_count_max)
        self._start_reading(stream, batches)
        for outcome in stream.outcomes():
            yield _response(outcome)

    def stop(self) -> None:
        """Ends all present and future streams, after the answers to the batches already read."""
        with self._lock:
            self._stopping = True
            streams = list(self._reading_threads)
        for stream in streams:
            stream.end(_stopping_error())

    def join(self, seconds: float) -> None:
        """Waits up to `seconds` for all reading threads to end."""
        deadline = time.monotonic() + seconds
        with self._lock:
            threads = list(self._reading_threads.values())
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_reading(self, stream: BatchStream, batches: Iterator[bytes]) -> None:
        thread = Thread(target=self._read, args=(stream, batches), name="batches", daemon=True)
        with self._lock:
            if self._stopping:
                stream.end(_stopping_error())
            thread.start()
            self._reading_threads[stream] = thread

    def _read(self, stream: BatchStream, batches: Iterator[bytes]) -> None:
        try:
            stream.read(batches)
        finally:
            with self._lock:
                del self._reading_threads[stream]


def add_record_service(service: RecordService, server: grpc.Server) -> None:
    """Adds the service to the server. Requests stay bytes, as only the core parses them."""
    handler: _Handler = grpc.stream_stream_rpc_method_handler(
        service.WriteRecords,
        request_deserializer=None,
        response_serializer=records_pb2.WriteRecordsResponse.SerializeToString,
    )
    handlers = grpc.method_handlers_generic_handler(_SERVICE_NAME, {"WriteRecords": handler})
    server.add_generic_rpc_handlers((handlers,))


def _response(outcome: WriteOutcome) -> records_pb2.WriteRecordsResponse:
    rejected = [
        records_pb2.RejectedRecord(
            index=record.index,
            reason=records_pb2.RejectReason.Name(record.reason),
            description=record.description,
        )
        for record in outcome.rejected
    ]
    return records_pb2.WriteRecordsResponse(
        batch_id=outcome.batch_id,
        accepted=outcome.accepted,
        replaced=outcome.replaced,
        duplicates=outcome.duplicates,
        rejected=rejected,
    )


def _stopping_error() -> ServerStoppingError:
    return ServerStoppingError("the server is stopping; send again what it has not answered")
