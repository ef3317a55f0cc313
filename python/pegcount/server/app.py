"""Puts the server together; the command line and the tests start the same one."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.server.admin import AdminService
from pegcount.server.records import RecordService
from pegcount.server.reflection import add_reflection
from pegcount.server.reports import ReportService
from pegcount.server.status import StatusInterceptor
from pegcount.store import Store
from pegcount.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
    reports_pb2,
    reports_pb2_grpc,
)

SERVICE_NAMES = (
    reports_pb2.DESCRIPTOR.services_by_name["ReportService"].full_name,
    records_pb2.DESCRIPTOR.services_by_name["RecordService"].full_name,
    admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name,
)

Clock = Callable[[], int]
"""Gives now in microseconds UTC."""


class ListenError(PegcountError):
    """The address cannot be listened on."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that is ready for calls."""

    grpc_server: grpc.Server
    health: health.HealthServicer
    port: int
    stop_grace_seconds: float

    def stop(self) -> None:
        """Takes no new calls, lets those in progress finish for a while, then ends."""
        self.health.enter_graceful_shutdown()
        self.grpc_server.stop(self.stop_grace_seconds).wait()


def now_us() -> int:
    """Now, in microseconds UTC."""
    return time.time_ns() // 1_000


def build_server(config: Config, store: Store, address: str, clock: Clock = now_us) -> RunningServer:
    """Starts a server on `HOST:PORT`; port 0 takes any free one. Raises ListenError."""
    options = [
        ("grpc.max_receive_message_length", config.request_bytes_max),
        ("grpc.max_send_message_length", config.answer_bytes_max),
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.server(
        ThreadPoolExecutor(config.worker_count, thread_name_prefix="call"),
        interceptors=[StatusInterceptor()],
        options=options,
        maximum_concurrent_rpcs=config.concurrent_call_count_max,
    )
    reports_pb2_grpc.add_ReportServiceServicer_to_server(ReportService(config, store, clock), server)
    records_pb2_grpc.add_RecordServiceServicer_to_server(RecordService(), server)
    admin_pb2_grpc.add_AdminServiceServicer_to_server(AdminService(config, store), server)
    status = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    for name in ("", *SERVICE_NAMES):
        status.set(name, health_pb2.HealthCheckResponse.SERVING)
    add_reflection(server, SERVICE_NAMES)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ListenError(f"cannot listen on {address}: in use, or no HOST:PORT of this machine") from error
    server.start()
    return RunningServer(server, status, port, config.stop_grace_seconds)
