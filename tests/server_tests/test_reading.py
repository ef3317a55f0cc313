"""The query cache of the reports."""

from collections.abc import Iterable
from pathlib import Path

from pegcount import core
from pegcount.config import Config
from pegcount.server.reports import ReportService
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2


def test_queries_of_short_requests_are_cached(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, Config(), create=True)
    service = ReportService(Config(), store, lambda: 0)

    def predicates(app_ids: Iterable[int]) -> object:
        asked = reports_pb2.QueryAsrUsageRequest(
            from_time="2026-03-29", granularity=reports_pb2.GRANULARITY_HOUR, app_ids=app_ids
        )
        return service.usage(asked.SerializeToString(), core.CancelToken(None)).scan.predicates

    assert predicates([1]) is predicates([1])
    assert predicates([1]) != predicates([2])
    assert predicates(range(5_000)) == predicates(range(5_000))
    assert predicates(range(5_000)) is not predicates(range(5_000))
    store.close()
