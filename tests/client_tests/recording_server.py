"""A small server of the contract that keeps what it was sent, where the real one does not show it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from pegcount.v1 import records_pb2, records_pb2_grpc, reports_pb2, reports_pb2_grpc


@dataclass
class Call:
    """A call as it arrived."""

    method: str
    metadata: dict[str, str | bytes]
    seconds_left: float | None
    """Seconds until its deadline; None without one."""


@dataclass
class Recorder(reports_pb2_grpc.ReportServiceServicer, records_pb2_grpc.RecordServiceServicer):
    """Answers with empty messages, and accepts each record; first fails `failures` calls of reports."""

    calls: list[Call] = field(default_factory=list)
    failures: int = 0
    forgotten: int = 0
    """Records of each batch that its answer does not account for."""
    answer: reports_pb2.QueryAsrUsageResponse = field(default_factory=reports_pb2.QueryAsrUsageResponse)
    address: str = ""

    def QueryAsrUsage(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._keep("QueryAsrUsage", context)
        if self.failures:
            self.failures -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return self.answer

    def WriteRecords(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        self._keep("WriteRecords", context)
        for request in requests:
            accepted = len(request.records) - self.forgotten
            yield records_pb2.WriteRecordsResponse(batch_id=request.batch_id, accepted=accepted)

    def _keep(self, method: str, context: grpc.ServicerContext) -> None:
        metadata = dict(context.invocation_metadata())
        seconds_left = context.time_remaining()
        is_limited = seconds_left is not None and seconds_left < 1e6
        self.calls.append(Call(method, metadata, seconds_left if is_limited else None))


@contextmanager
def recording(
    credentials: grpc.ServerCredentials | None = None, listen: str = "127.0.0.1:0"
) -> Iterator[Recorder]:
    recorder = Recorder()
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, options=[("grpc.max_send_message_length", -1)])
        reports_pb2_grpc.add_ReportServiceServicer_to_server(recorder, server)
        records_pb2_grpc.add_RecordServiceServicer_to_server(recorder, server)
        if credentials is None:
            port = server.add_insecure_port(listen)
        else:
            port = server.add_secure_port(listen, credentials)
        recorder.address = listen if listen.startswith("unix:") else f"127.0.0.1:{port}"
        server.start()
        try:
            yield recorder
        finally:
            server.stop(None).wait()
