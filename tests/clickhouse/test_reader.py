"""What a reader of a cluster answers besides figures, and what it refuses."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pegcount import core, errors
from pegcount.model import Between, Measure, OneOf, Present, Scan
from pegcount.store.clickhouse.reading.ledger_contents import LedgerContents
from pegcount.store.clickhouse.reading.reader import LedgerReader
from pegcount.store.clickhouse.tables import schema
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.traffic import (
    ColumnKey,
    DeckCodeKey,
    InGroups,
    LocalTimeKey,
    Not,
    PrefixKey,
    QuotientKey,
    TrafficMeasure,
    TrafficScan,
)
from pegcount.zone import US_PER_DAY

from clickhouse.ledger_rows import insert, ledger_row
from clickhouse.random_scans import DECK_ID
from clickhouse.rig import Rig
from clickhouse.test_scans import CONFIG, OneDeck, cells, put_deck

NO_LIMIT = core.CancelToken(None)
DAY = 20_500
CALLS = Measure("calls")
SESSIONS = Measure("sessions")
INT64_MAX = 2**63 - 1
_DATABASE = "q_reader"


class Place:
    """A cluster without records, its reader, and a monotonic clock for what it remembers."""

    def __init__(self, rig: Rig) -> None:
        for statement in (f"DROP DATABASE IF EXISTS {_DATABASE} SYNC", f"CREATE DATABASE {_DATABASE}"):
            rig.ask(statement)
        self.rig = rig
        self.cluster = Cluster(ClusterAddress.parse(rig.url(_DATABASE)), 30.0)
        schema.create(self.cluster)
        self.now_s = 0.0
        self.contents = LedgerContents(self.cluster, lambda: self.now_s)
        self.reader = LedgerReader(self.cluster, CONFIG, core.QueryResources(CONFIG), OneDeck())
        self._count = 0

    def add(self, day: float, shard: int = 0, **more: Any) -> dict[str, Any]:
        """Adds a finished record, and returns its row."""
        self._count += 1
        setup_us = int(day * US_PER_DAY)
        fields = {"session_id": "s", "setup_time": setup_us, "end_time": setup_us, "duration_ms": 0, **more}
        fields = {name: value for name, value in fields.items() if value is not None}
        row = ledger_row({"received_time": 0, **fields}, self._count, int(day))
        insert(self.cluster.shards[shard], [row])
        return row

    def remove(self, row: dict[str, Any], shard: int = 0) -> None:
        insert(self.cluster.shards[shard], [{**row, "sign": -1}])

    def first_day(self) -> int | None:
        return self.contents.first_day(NO_LIMIT)

    def partials(self, *predicates: Any, cell_count_max: int = 100, **more: Any) -> core.Partials:
        fields = {"edge_us": None, "keys": (), "measure": SESSIONS, **more}
        return self.reader.partials(Scan(predicates=predicates, **fields), cell_count_max, NO_LIMIT)


@pytest.fixture
def place(cluster: Rig) -> Iterator[Place]:
    made = Place(cluster)
    yield made
    made.cluster.close()


def test_an_empty_cluster(place: Place) -> None:
    assert place.first_day() is None
    info = place.reader.info()
    assert (info.records, info.active_records, info.first_setup_us, info.last_setup_us) == (0, 0, None, None)
    assert cells(place.partials()) == {(0,): [0, 0, 0]}
    assert cells(place.partials(keys=("folder",))) == {}
    assert place.reader.latest_setup_us(NO_LIMIT) is None
    assert not place.reader.any_match((), NO_LIMIT)


def test_info_counts_the_records_of_all_shards(place: Place) -> None:
    place.add(DAY + 0.5)
    place.add(DAY + 2.25, shard=1, end_time=None)
    place.remove(place.add(DAY - 3))
    place.remove(place.add(DAY + 9, shard=1), shard=1)
    info = place.reader.info()
    assert (info.records, info.active_records, info.unsealed_records) == (2, 1, 0)
    assert info.first_setup_us == (2 * DAY + 1) * US_PER_DAY // 2
    assert info.last_setup_us == (4 * DAY + 9) * US_PER_DAY // 4
    assert place.reader.latest_setup_us(NO_LIMIT) == info.last_setup_us
    assert info.segments >= 6
    assert info.segment_bytes > 0


def test_the_first_day_has_a_record(place: Place) -> None:
    removed = [place.add(DAY + day, shard) for day, shard in ((0, 0), (3, 1))]
    place.add(DAY + 40, shard=1)
    assert place.first_day() == DAY
    for row, shard in zip(removed, (0, 1), strict=True):
        place.remove(row, shard)
    place.now_s += 61
    assert place.first_day() == DAY + 40


def test_an_earlier_record_is_seen_at_once(place: Place) -> None:
    place.remove(place.add(DAY))
    place.add(DAY + 40)
    assert place.first_day() == DAY + 40
    place.add(DAY + 7, shard=1)
    assert place.first_day() == DAY + 7
    place.add(DAY - 7, shard=1)
    assert place.first_day() == DAY - 7


def test_dropped_days_are_seen_at_once_or_within_a_minute(place: Place) -> None:
    place.add(DAY)
    row = place.add(DAY + 1)
    place.add(DAY + 2)
    assert place.first_day() == DAY
    place.rig.ask(f"ALTER TABLE ledger DROP PARTITION ({DAY}, 0, 0, 0)", database=_DATABASE)
    assert place.first_day() == DAY + 1
    place.remove(row)
    assert place.first_day() == DAY + 1
    place.now_s += 61
    assert place.first_day() == DAY + 2


def test_the_limit_of_cells_counts_those_of_all_shards(place: Place) -> None:
    for number, shard in enumerate((0, 0, 1)):
        place.add(DAY, shard, folder=f"f{number}")
    place.add(DAY, 1, folder="f0")
    assert len(place.partials(keys=("folder",), cell_count_max=3).sums) == 3
    for allowed in (1, 2):
        with pytest.raises(errors.CellLimitError) as refused:
            place.partials(keys=("folder",), cell_count_max=allowed)
        assert refused.value.metadata == {"asked": str(allowed + 1), "allowed": str(allowed)}
    assert len(place.partials(cell_count_max=0).sums) == 1


def test_what_a_scan_names_must_exist_also_without_bins(place: Place) -> None:
    none = np.array([], np.int64)
    with pytest.raises(ValueError, match="no column 'nothing'"):
        place.partials(keys=("nothing",), edge_us=none)
    with pytest.raises(ValueError, match="no column 'sign'"):
        place.partials(Between("sign", 0, 1), edge_us=none)
    with pytest.raises(errors.CodeDeckNotFoundError):
        place.partials(edge_us=none, code_deck=4)
    assert cells(place.partials(edge_us=none, keys=("folder",))) == {}


def test_a_sum_beyond_64_bits_is_an_error(place: Place) -> None:
    """Also of a projection, whose sums ClickHouse has made before, and of shards that are each below."""
    scans: list[dict[str, Any]] = [{}, {"edge_us": np.array([0, INT64_MAX])}, {"keys": ("folder",)}]
    place.add(DAY, 0, duration_ms=2**62, answer_time=0)
    place.add(DAY, 1, duration_ms=2**62 - 1)
    for scan in scans:
        assert place.partials(measure=CALLS, **scan).sums.tolist() == [[2, 1, INT64_MAX]]
    place.add(DAY, 1, duration_ms=1)
    # The last two bring a sum of 64 bits back to 0, within one shard.
    for missing in (1, 2, 1):
        for scan in scans:
            with pytest.raises(ValueError, match=r"64 bits|negative"):
                place.partials(measure=CALLS, **scan)
        for _ in range(missing):
            place.add(DAY, 0, duration_ms=2**62)
    place.rig.ask("OPTIMIZE TABLE ledger FINAL", database=_DATABASE)
    for scan in scans:
        with pytest.raises(ValueError, match=r"64 bits|negative"):
            place.partials(measure=CALLS, **scan)


def test_any_match(place: Place) -> None:
    place.add(DAY, 1, folder="f")
    place.remove(place.add(DAY, folder="g"))
    assert place.reader.any_match((OneOf("folder", ("f",)),), NO_LIMIT)
    assert not place.reader.any_match((OneOf("folder", ("g",)),), NO_LIMIT)
    assert not place.reader.any_match((Present("end_time", wanted=False),), NO_LIMIT)


def test_an_ended_token_ends_every_call(place: Place) -> None:
    cancelled = core.CancelToken(None)
    cancelled.cancel()
    with pytest.raises(errors.CancelledError):
        place.reader.first_day(cancelled)
    with pytest.raises(errors.CancelledError):
        place.reader.latest_setup_us(cancelled)
    with pytest.raises(errors.CancelledError):
        place.reader.any_match((), cancelled)
    with pytest.raises(errors.DeadlineError):
        place.reader.partials(Scan(None, (), (), SESSIONS), 9, core.CancelToken(0.0))


WHOLE = np.array([(DAY - 1) * US_PER_DAY, (DAY + 2) * US_PER_DAY])


def scan_of(*measures: TrafficMeasure, **more: Any) -> TrafficScan:
    return TrafficScan(**{"edge_us": WHOLE, "predicates": (), "keys": (), "measures": measures, **more})


def test_amounts_beyond_64_bits_and_values_of_all_shards(place: Place) -> None:
    for shard in (0, 0, 1):
        place.add(DAY, shard, customer_price=INT64_MAX, vendor_price=-INT64_MAX, answer_time=DAY * US_PER_DAY)
    place.remove(place.add(DAY, 1, customer_price=5, answer_time=DAY * US_PER_DAY, duration_ms=70), 1)
    scan = scan_of(
        TrafficMeasure("sum", "customer_price"),
        TrafficMeasure("sum", "vendor_price"),
        TrafficMeasure("sum", "margin"),
        TrafficMeasure("values", "duration_ms"),
        TrafficMeasure("count", "unrated"),
    )
    partials = place.reader.traffic_partials(scan, 1, NO_LIMIT)
    found = [partials.measure(number) for number in range(5)]
    assert found == [[3 * INT64_MAX], [-3 * INT64_MAX], [6 * INT64_MAX], [[(0, 3)]], [0]]


def test_groups_are_found_again_by_the_names_of_a_deck(place: Place) -> None:
    put_deck(place.cluster)
    numbers = ("493012", "+4930", "4915", "44", "", "99")
    for number in numbers:
        place.add(DAY, orig_dst_party_id=number, folder="f" if number.startswith("4") else "")
    names = (ColumnKey("orig_rates_code_name"), ColumnKey("folder"), ColumnKey("orig_rates_country"))
    groups = (("Berlin", None, "DE"), ("Germany", "f", "DE"), (None, None, None), ("Germany", "f", "FR"))
    scan = scan_of(TrafficMeasure("count", "all"), keys=names, code_deck=DECK_ID)
    chosen = replace(scan, predicates=(InGroups(names, groups),))
    others = replace(scan, predicates=(Not(InGroups(names, groups)),))
    of_one = replace(scan, predicates=(InGroups(names[:1], (("Germany",), (None,))),))
    assert groups_of(place, chosen) == {("Berlin", "", "DE"): 1, ("Germany", "f", "DE"): 1, ("", "", ""): 2}
    assert groups_of(place, others) == {("Berlin", "f", "DE"): 1, ("Germany", "f", ""): 1}
    expected = {("Germany", "f", "DE"): 1, ("Germany", "f", ""): 1, ("", "", ""): 2}
    assert groups_of(place, of_one) == expected


def groups_of(place: Place, scan: TrafficScan) -> dict[tuple[str, ...], int]:
    partials = place.reader.traffic_partials(scan, 100, NO_LIMIT)
    columns = [[key[1][code] for code in key[0]] for key in partials.keys if isinstance(key, tuple)]
    return dict(zip(zip(*columns, strict=True), partials.measure(0), strict=True))  # type: ignore[arg-type]


def test_groups_beyond_one_field_of_a_form(place: Place) -> None:
    place.add(DAY, folder="f7", company="c")
    keys = (ColumnKey("folder"), ColumnKey("company"))
    groups = tuple((f"f{number}", "c" * 50 if number % 2 == 0 else "c") for number in range(9_000))
    scan = scan_of(TrafficMeasure("count", "all"), predicates=(InGroups(keys, groups),))
    assert place.reader.traffic_partials(scan, 1, NO_LIMIT).measure(0) == [1]
    one_key = replace(scan, predicates=(InGroups(keys[:1], tuple((f"f{n}" * 9,) for n in range(9_000))),))
    assert place.reader.traffic_partials(one_key, 1, NO_LIMIT).measure(0) == [0]


def test_an_answer_of_more_bytes_than_a_report_may_take(place: Place) -> None:
    for second in range(300):
        place.add(DAY + second / 86_400, 1)
    config = replace(CONFIG, query_memory_bytes_max=3_000)
    reader = LedgerReader(place.cluster, config, core.QueryResources(CONFIG), OneDeck())
    scan = scan_of(TrafficMeasure("values", "setup_second"))
    with pytest.raises(errors.MemoryLimitError, match="the report needs more than 3000 bytes") as refused:
        reader.traffic_partials(scan, 100, NO_LIMIT)
    assert refused.value.metadata == {"scope": "report", "asked": "3001", "allowed": "3000"}
    assert not refused.value.is_temporary
    assert reader.traffic_partials(scan_of(TrafficMeasure("count", "all")), 100, NO_LIMIT).measure(0) == [300]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"keys": (ColumnKey("nothing"),)}, "no column 'nothing'"),
        ({"keys": (PrefixKey("kind", 2),)}, "'kind' is not a column of texts"),
        ({"keys": (QuotientKey("folder", 2),)}, "'folder' is not an integer column"),
        ({"keys": (DeckCodeKey("folder"),)}, "a code of 'folder' needs a code deck"),
        ({"keys": (LocalTimeKey("hour", (), ()),)}, "at least one"),
        ({"predicates": (InGroups((ColumnKey("folder"),), ((5,),)),)}, "5 is not a value of a key"),
        (
            {"predicates": (InGroups((ColumnKey("folder"),), (("a", "b"),)),)},
            "2 values, and there are 1",
        ),
    ],
)
def test_a_traffic_scan_that_cannot_be_asked(place: Place, changes: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        place.reader.traffic_partials(scan_of(TrafficMeasure("count", "all"), **changes), 1, NO_LIMIT)
