"""What a data scope costs, and what it makes of damage."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.config import Config, Tuning
from pegcount.data_scope import DataScope
from pegcount.errors import DataDamagedError
from pegcount.model import Measure, Scan
from pegcount.server.visible_records import KnownDays, VisibleRecords
from pegcount.store import EmbeddedStore
from pegcount.traffic import TrafficMeasure, TrafficScan
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest
from service import NOW_US

from server_tests.example_requests import SETUP_S, call_record

_DAY_S = 86_400
_DAY_US = _DAY_S * 1_000_000
ALL = Scan(None, (), (), Measure("sessions"))
MINE = DataScope(account_id=("a1",))


def record(number: int) -> SessionRecord:
    setup = Timestamp(seconds=SETUP_S - number * _DAY_S)
    account = "a1" if number % 2 == 0 else "a2"
    return call_record(f"s{number}", setup_time=setup, answer_time=None, end_time=setup, account_id=account)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """A store of 20 days, of which the first and every second one is of account a2."""
    config = Config(tuning=Tuning(account_row_count_estimate=1))
    opened = EmbeddedStore(tmp_path, config, create=True, clock=lambda: NOW_US)
    records = [record(number) for number in range(20)]
    opened.write(WriteRecordsRequest(records=records).SerializeToString())
    opened.flush()
    yield opened
    opened.close()


def count_of(records: VisibleRecords) -> tuple[int, int | None]:
    """Returns how many calls a traffic scan counts, and the latest setup time."""
    edge_us = np.array([0, NOW_US], dtype=np.int64)
    scan = TrafficScan(edge_us, (), (), (TrafficMeasure("count", "all"),))
    (count,) = records.traffic_partials(scan, 1, token()).measure(0)
    assert isinstance(count, int)
    return count, records.latest_setup_us(token())


def test_traffic_scans_count_visible_records(store: EmbeddedStore) -> None:
    read = list[int]()
    assert count_of(VisibleRecords(store, None, None, read.append)) == (20, SETUP_S * 1_000_000)
    assert count_of(VisibleRecords(store, MINE, None, read.append)) == (10, None)
    assert all(rows > 0 for rows in read)
    assert len(read) == 2


def token() -> core.CancelToken:
    return core.CancelToken(None)


def test_without_a_data_scope_everything_passes_through(store: EmbeddedStore) -> None:
    records = VisibleRecords(store)
    assert records.estimate(ALL) == store.estimate(ALL) == 20
    assert records.partials(ALL, 1, token()).sums[0, 0] == 20
    assert records.are_all_after_scans(NOW_US) == ()


def test_an_estimate_counts_what_a_scan_of_the_visible_records_reads(store: EmbeddedStore) -> None:
    """The rows of an account are found without those of others, once they were verified."""
    same_day = [call_record(f"t{number}", account_id=f"a{number % 2 + 1}") for number in range(100)]
    store.write(WriteRecordsRequest(records=same_day).SerializeToString())
    store.flush()
    today = Scan(np.array([SETUP_S, SETUP_S + 1], np.int64) * 1_000_000, (), (), Measure("sessions"))
    records = VisibleRecords(store, MINE)
    assert records.partials(today, 1, token()).sums[0, 0] == 51
    everything, visible = store.estimate(today), records.estimate(today)
    assert everything is not None
    assert visible is not None
    assert visible < everything


def test_the_first_day_is_that_of_the_visible_records(store: EmbeddedStore) -> None:
    first_us = SETUP_S * 1_000_000 - 18 * _DAY_US
    for scope, begins in ((MINE, first_us), (DataScope(account_id=("a2",)), first_us - _DAY_US)):
        records = VisibleRecords(store, scope)
        # A time of the same UTC day is not before it.
        assert not records.are_all_after(begins // _DAY_US * _DAY_US, token())
        assert records.are_all_after(begins // _DAY_US * _DAY_US - 1, token())
    assert not VisibleRecords(store, DataScope(account_id=("nobody",))).are_all_after(0, token())


def test_the_first_day_of_others_is_no_short_cut(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time that it saves would tell when others have begun."""
    monkeypatch.setattr(EmbeddedStore, "first_day", lambda *_: pytest.fail("asked for the first day"))
    assert VisibleRecords(store, MINE).are_all_after(0, token())
    assert not VisibleRecords(store, DataScope(account_id=("nobody",))).are_all_after(0, token())


def test_a_known_day_makes_the_next_search_cheap(store: EmbeddedStore) -> None:
    known = KnownDays()
    [search] = VisibleRecords(store, MINE, known).are_all_after_scans(NOW_US)
    assert store.estimate(search) == 20
    assert not VisibleRecords(store, MINE, known).are_all_after(NOW_US, token())
    [search] = VisibleRecords(store, MINE, known).are_all_after_scans(NOW_US)
    assert store.estimate(search) == 1


def test_where_a_file_is_damaged_nothing_is_known_of_the_first_day(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report of another day is answered without the notice, as one without a data scope is."""

    def damaged(scan: Scan, cell_count_max: int, cancel_token: core.CancelToken) -> core.Partials:
        raise DataDamagedError("m", file="x")

    monkeypatch.setattr(store, "partials", damaged)
    assert not VisibleRecords(store, MINE).are_all_after(0, token())
