"""Does the time of a refusal tell which names others have? Prints the medians of alternating rounds."""

import statistics
import time
from collections.abc import Iterator

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.config import Config
from pegcount.data_scope import DataScope
from pegcount.errors import NotFoundError
from pegcount.server.call_clock import CallClock
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2
from server_tests.example_requests import ASK_FOLDER, SETUP_S, changed
from service import NOW_US
from store_reports import StoreReports

_OWN, _FOREIGN = 1, 2
_BATCH_COUNT = 30
_BATCH_RECORD_COUNT = 5_000
_ROUND_COUNT = 100
_RATIO_MAX = 1.25
"""A machine with other work to do is not more exact; a lookup by name takes several times as long."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreReports]:
    """Reports of a tenant that has a hundredth of the records, in a company of its own."""
    store = EmbeddedStore(tmp_path_factory.mktemp("shared"), Config(), create=True, clock=lambda: NOW_US)
    for number in range(_BATCH_COUNT):
        records = [_record(number * _BATCH_RECORD_COUNT + index) for index in range(_BATCH_RECORD_COUNT)]
        store.write(records_pb2.WriteRecordsRequest(records=records).SerializeToString())
    store.flush()
    yield StoreReports(Config(), store, lambda: NOW_US, DataScope(tenant_id=(_OWN,)))
    store.close()


def _record(number: int) -> records_pb2.SessionRecord:
    is_own = number % 100 == 0
    setup_s = SETUP_S + number % 3_600
    return records_pb2.SessionRecord(
        session_id=f"s{number}",
        setup_time=Timestamp(seconds=setup_s),
        end_time=Timestamp(seconds=setup_s + 1),
        tenant_id=_OWN if is_own else _FOREIGN,
        company="own" if is_own else "foreign",
        organization="north",
    )


def _seconds(reports: StoreReports, company: str) -> float:
    data, token = changed(ASK_FOLDER, company=company).SerializeToString(), core.CancelToken(None)
    # Of processor time, which other work of the machine does not change.
    begin_s = time.process_time()
    report = reports.prepare("QueryFolderStats", data, token)
    with pytest.raises(NotFoundError):
        report.answer(token, CallClock())
    return time.process_time() - begin_s


def test_the_time_of_a_refusal_does_not_tell_whether_others_have_a_company(reports: StoreReports) -> None:
    seconds: dict[str, list[float]] = {"foreign": [], "nothing": []}
    for number in range(2 * _ROUND_COUNT):
        # Each comes first as often as the other.
        for company in ("foreign", "nothing") if number % 2 else ("nothing", "foreign"):
            seconds[company].append(_seconds(reports, company))
    foreign_s, absent_s = (statistics.median(found) for found in seconds.values())
    print(f"foreign company: median {foreign_s * 1e6:.0f} us, absent company: {absent_s * 1e6:.0f} us")
    assert max(foreign_s, absent_s) <= _RATIO_MAX * min(foreign_s, absent_s)
