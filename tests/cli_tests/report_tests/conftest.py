"""The samples, served by a clock that stands still, and a server that keeps requests."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from pegcount.v1 import reports_pb2, reports_pb2_grpc, traffic_pb2, traffic_pb2_grpc
from sample_service import service_over_samples


@pytest.fixture(scope="package")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server over the samples, at 2026-03-30T12:00:00Z."""
    with service_over_samples(tmp_path_factory.mktemp("reports")) as service:
        yield service.address


@dataclass
class KeptRequests(reports_pb2_grpc.ReportServiceServicer, traffic_pb2_grpc.TrafficServiceServicer):
    """Answers every request with a report that is empty but for `active_rows`, and keeps it."""

    requests: list[Any] = field(default_factory=list)
    active_rows: list[reports_pb2.ActiveSessionRow] = field(default_factory=list)
    range: reports_pb2.ResolvedRange = field(
        default_factory=lambda: reports_pb2.ResolvedRange(
            from_time="2026-03-30T00:00:00Z",
            to_time="2026-03-31T00:00:00Z",
            time_zone="UTC",
            granularity=reports_pb2.GRANULARITY_DAY,
        )
    )
    address: str = ""
    refused_active: int | None = None
    """Number of the one active-sessions request, from 1, that ends as if the server was away."""

    def QueryAsrUsage(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        return reports_pb2.QueryAsrUsageResponse(range=self.range)

    def QueryActiveSessions(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        if len(self.requests) == self.refused_active:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        return reports_pb2.QueryActiveSessionsResponse(range=self.range, rows=self.active_rows)

    def QueryFolderStats(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        return reports_pb2.QueryFolderStatsResponse(range=self.range)

    def QueryOriginationQuality(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        return reports_pb2.QueryOriginationQualityResponse(range=self.range)

    def QueryTraffic(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        columns = [traffic_pb2.TrafficColumn(metric=metric) for metric in request.metrics]
        totals = [traffic_pb2.TrafficColumn(metric=metric, integers=[0]) for metric in request.metrics]
        return traffic_pb2.QueryTrafficResponse(range=self.range, columns=columns, totals=totals)


@pytest.fixture
def kept() -> Iterator[KeptRequests]:
    """A server that keeps requests."""
    service = KeptRequests()
    server = grpc.server(ThreadPoolExecutor(1))
    reports_pb2_grpc.add_ReportServiceServicer_to_server(service, server)
    traffic_pb2_grpc.add_TrafficServiceServicer_to_server(service, server)
    service.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield service
    server.stop(None).wait()
