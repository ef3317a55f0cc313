"""What a check against a data scope costs, and that each dimension is checked everywhere."""

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.data_scope import DIMENSIONS, DataScope, Dimension, OrganizationScope, ValueKind
from pegcount.errors import OutsideScopeError
from pegcount.server.scope_check import WriteScope
from pegcount.server.scope_predicates import scope_predicates
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2
from service import NOW_US
from store_reports import StoreReports

from server_tests.example_requests import ASK_USAGE, changed

_ID_COUNT = 4_000
_ROUND_COUNT = 5
_RATIO_MAX = 8.0
"""About 2 on a quiet machine, and hundreds if each id looked its data scope up."""
WIDE = DataScope(
    tenant_id=tuple(range(_ID_COUNT)),
    organization=tuple(OrganizationScope("acme", f"o{number}") for number in range(500)),
    account_id=tuple(f"a{number}" for number in range(500)),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path, Config(), create=True, clock=lambda: NOW_US)
    yield opened
    opened.close()


def _seconds(reports: StoreReports, request: reports_pb2.QueryAsrUsageRequest) -> float:
    """Returns the processor time of a request that the server has not kept."""
    data, token = request.SerializeToString(), core.CancelToken(None)
    begin_s = time.process_time()
    reports.prepare("QueryAsrUsage", data, token)
    return time.process_time() - begin_s


def test_many_ids_of_a_wide_data_scope_cost_little_more_than_without_one(store: EmbeddedStore) -> None:
    """They are checked on the event loop, where all other calls wait for them."""
    seconds: dict[DataScope | None, list[float]] = {None: [], WIDE: []}
    for number in range(_ROUND_COUNT):
        request = changed(ASK_USAGE, tenant_ids=range(_ID_COUNT), app_ids=[number])
        for scope, found in seconds.items():
            reports = StoreReports(Config(), store, lambda: NOW_US, scope)
            found.append(_seconds(reports, request))
    assert min(seconds[WIDE]) <= _RATIO_MAX * min(seconds[None])


def test_each_field_of_the_contract_is_a_dimension_or_about_what_is_seen() -> None:
    """A dimension that is forgotten would let its credential reach all records."""
    names = [one.name for one in DIMENSIONS]
    fields = [field.name for field in admin_pb2.DataScope.DESCRIPTOR.fields]
    assert fields == [*names, "hidden_metrics", "hidden_fields", "shown_fields"]
    assert fields == [field.name for field in dataclasses.fields(DataScope)]


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda one: one.name)
def test_each_dimension_restricts_reports_and_writers(dimension: Dimension) -> None:
    values: dict[ValueKind, object] = {
        ValueKind.INTEGER: 1,
        ValueKind.TEXT: "a",
        ValueKind.ORGANIZATION: OrganizationScope("acme"),
    }
    scope = DataScope(**{dimension.name: (values[dimension.kind],)})  # type: ignore[arg-type]
    assert len(scope_predicates(scope)) == 1
    batch = records_pb2.WriteRecordsRequest(records=[records_pb2.SessionRecord()])
    with pytest.raises(OutsideScopeError):
        WriteScope(scope).require_inside(batch.SerializeToString())


def test_equal_data_scopes_have_one_hash() -> None:
    assert len({DataScope(tenant_id=(1,)), DataScope(tenant_id=(1,)), DataScope(tenant_id=(2,))}) == 2
