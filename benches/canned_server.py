"""A server with canned answers, which measures the cost of gRPC alone for comparison with `pegcount serve`.

benches/canned_server.py ANSWER...   files, each with the bytes of one answer to QueryOriginationQuality

Threads, options and interceptors equal those of the real server. A request gets the answer with its
granularity.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from pegcount.config import Config
from pegcount.server.admission import AdmissionGate, AdmissionInterceptor
from pegcount.server.status import StatusInterceptor
from pegcount.v1 import reports_pb2, reports_pb2_grpc

SERVICE = reports_pb2.DESCRIPTOR.services_by_name["ReportService"].full_name


class CannedReports(reports_pb2_grpc.ReportServiceServicer):
    """Returns canned answers."""

    def __init__(self, answers: list[reports_pb2.QueryOriginationQualityResponse]) -> None:
        self._answers = {answer.range.granularity: answer for answer in answers}

    def QueryOriginationQuality(
        self, message: reports_pb2.QueryOriginationQualityRequest, context: grpc.ServicerContext
    ) -> reports_pb2.QueryOriginationQualityResponse:
        """Returns the canned answer with the requested granularity."""
        return self._answers[message.sampling]


def main() -> None:
    """Serves until the process is terminated."""
    answers = [
        reports_pb2.QueryOriginationQualityResponse.FromString(Path(name).read_bytes())
        for name in sys.argv[1:]
    ]
    server = _server(Config())
    reports_pb2_grpc.add_ReportServiceServicer_to_server(CannedReports(answers), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    threading.Event().wait()


def _server(config: Config) -> grpc.Server:
    calls = AdmissionGate(
        "calls", config.worker_count, config.waiting_call_count_max, config.overload_retry_seconds
    )
    return grpc.server(
        ThreadPoolExecutor(config.worker_count + config.waiting_call_count_max),
        interceptors=[StatusInterceptor(), AdmissionInterceptor({SERVICE: calls})],
        options=[("grpc.max_send_message_length", config.answer_bytes_max), ("grpc.so_reuseport", 0)],
        maximum_concurrent_rpcs=config.concurrent_call_count_max,
    )


if __name__ == "__main__":
    main()
