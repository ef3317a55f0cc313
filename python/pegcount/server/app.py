"""Builds and starts the server, for the command line and for tests."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.server.admin import AdminService
from pegcount.server.admission import AdmissionGate, AdmissionInterceptor
from pegcount.server.records import RecordService, add_record_service
from pegcount.server.reflection import REFLECTION_NAMES, add_reflection
from pegcount.server.reports import ReportService, add_report_service
from pegcount.server.status import StatusInterceptor
from pegcount.server.store_health import StoreHealth
from pegcount.store import Store
from pegcount.v1 import admin_pb2, admin_pb2_grpc, records_pb2, reports_pb2

_REPORTS = reports_pb2.DESCRIPTOR.services_by_name["ReportService"].full_name
_RECORDS = records_pb2.DESCRIPTOR.services_by_name["RecordService"].full_name
_ADMIN = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name
SERVICE_NAMES = (_REPORTS, _RECORDS, _ADMIN)


Clock = Callable[[], int]
"""Returns the current time in microseconds UTC."""


class ListenError(PegcountError):
    """The server cannot listen on the address."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A started server."""

    grpc_server: grpc.Server
    health: health.HealthServicer
    records: RecordService
    store_health: StoreHealth
    port: int
    stop_grace_seconds: float

    def stop(self) -> None:
        """Refuses new calls, gives calls in progress `stop_grace_seconds` to finish, then cancels them."""
        self.health.enter_graceful_shutdown()
        self.store_health.stop()
        ended = self.grpc_server.stop(self.stop_grace_seconds)
        self.records.stop()
        ended.wait()
        self.records.join(self.stop_grace_seconds)


def now_us() -> int:
    """Returns the current time in microseconds UTC."""
    return time.time_ns() // 1_000


def build_server(config: Config, store: Store, address: str, clock: Clock = now_us) -> RunningServer:
    """Starts a server on `HOST:PORT`; port 0 selects a free port. Raises ListenError if it cannot listen."""
    options = [
        ("grpc.max_receive_message_length", config.request_bytes_max),
        ("grpc.max_send_message_length", config.answer_bytes_max),
        ("grpc.so_reuseport", 0),
    ]
    gates = _gates(config)
    server = grpc.server(
        ThreadPoolExecutor(_thread_count(config), thread_name_prefix="call"),
        interceptors=[StatusInterceptor(), AdmissionInterceptor(gates)],
        options=options,
        maximum_concurrent_rpcs=config.concurrent_call_count_max,
    )
    records = RecordService(config, store)
    add_report_service(ReportService(config, store, clock), server)
    add_record_service(records, server)
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
    store_health = StoreHealth(status, store, _RECORDS, config.health_look_seconds)
    store_health.start()
    server.start()
    return RunningServer(server, status, records, store_health, port, config.stop_grace_seconds)


def _gates(config: Config) -> dict[str, AdmissionGate]:
    """Returns the gates by name of service or method. Health checks bypass them and work under overload."""
    retry_seconds = config.overload_retry_seconds
    calls = AdmissionGate("calls", config.worker_count, config.waiting_call_count_max, retry_seconds)
    write_streams = AdmissionGate("write streams", config.write_stream_count_max, 0, retry_seconds)
    reflection_streams = AdmissionGate(
        "reflection streams", config.reflection_stream_count_max, 0, retry_seconds
    )
    health_watches = AdmissionGate("health watches", config.health_watch_count_max, 0, retry_seconds)
    gates = {
        _REPORTS: calls,
        _ADMIN: calls,
        _RECORDS: write_streams,
        f"{health.SERVICE_NAME}/Watch": health_watches,
    }
    return {**gates, **dict.fromkeys(REFLECTION_NAMES, reflection_streams)}


def _thread_count(config: Config) -> int:
    """Returns enough threads for all calls that run or wait in a gate, so that no call waits for a thread."""
    calls = config.worker_count + config.waiting_call_count_max
    streams = config.write_stream_count_max + config.reflection_stream_count_max
    return calls + streams + config.health_watch_count_max + config.tuning.spare_thread_count
