"""The query cache of the report deserializers."""

from collections.abc import Iterable
from pathlib import Path

from pegcount.config import Config
from pegcount.server.reports import ReportService
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2

METHODS = reports_pb2.DESCRIPTOR.services_by_name["ReportService"].methods_by_name


def test_queries_of_short_requests_are_cached(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, Config(), create=True)
    read = ReportService(Config(), store, lambda: 0).deserializer(METHODS["QueryAsrUsage"])

    def query(app_ids: Iterable[int]) -> object:
        asked = reports_pb2.QueryAsrUsageRequest(
            from_time="2026-03-29", granularity=reports_pb2.GRANULARITY_HOUR, app_ids=app_ids
        )
        return read(asked.SerializeToString())

    assert query([1]) is query([1])
    assert query([1]) != query([2])
    assert query(range(5_000)) == query(range(5_000))
    assert query(range(5_000)) is not query(range(5_000))
    store.close()
