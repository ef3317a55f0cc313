"""Scans for intervals over a cluster: records with odd times, calls over many bins, one state of a shard."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pytest
import seeds
from conformance.memory_rows import Row
from conformance.memory_traffic import values_of
from conformance.test_traffic_scans import found_in
from pegcount import core, errors
from pegcount.model import Between, OneOf, Present
from pegcount.store.clickhouse.reading.reader import LedgerReader
from pegcount.store.clickhouse.reading.traffic_sql import traffic_select
from pegcount.store.clickhouse.tables.migrations import statements_after
from pegcount.traffic import AnyOf, ColumnKey, TrafficMeasure, TrafficScan
from pegcount.zone import US_PER_DAY
from waiting import wait_until

from clickhouse.ledger_rows import load
from clickhouse.rig import LONG, Rig
from clickhouse.test_reader import DAY, NO_LIMIT, Place
from clickhouse.test_scans import CONFIG, OneDeck

FIRST_US = DAY * US_PER_DAY
MINUTE_US = 60_000_000
TALK, SEIZED = TrafficMeasure("occupied", "talk"), TrafficMeasure("occupied", "seized")
TALKING, SEIZING = TrafficMeasure("occupancy", "talk"), TrafficMeasure("occupancy", "seized")
CALLS = TrafficMeasure("count", "all")
ALL = (CALLS, TALK, SEIZED, TALKING, SEIZING)
FOLDER = ColumnKey("folder")
_SCAN_COUNT = 300 if LONG else 40


@pytest.fixture
def place(cluster: Rig) -> Iterator[Place]:
    made = Place(cluster)
    yield made
    made.cluster.close()


def scan_of(edge_us: Any, *measures: TrafficMeasure, **more: Any) -> TrafficScan:
    fields = {"predicates": (), "keys": (), "measures": measures or ALL, "now_us": FIRST_US, **more}
    return TrafficScan(edge_us=np.array(edge_us, np.int64), **fields)


def odd_row(dice: random.Random) -> Row:
    """A record whose times are in any order, as parts of several events may leave them."""

    def near() -> int:
        return FIRST_US + dice.randrange(-40, 40) * dice.choice((1, 1_000_000, MINUTE_US, US_PER_DAY))

    setup_us = FIRST_US + dice.choice((0, dice.randrange(3 * US_PER_DAY), dice.randrange(10) * MINUTE_US))
    row: Row = {"session_id": "s", "setup_time": setup_us, "folder": dice.choice(("a", "b"))}
    row |= {"received_time": setup_us, "duration_ms": 0, "kind": dice.choice((1, 1, 2))}
    for name in ("answer_time", "end_time"):
        if dice.random() < 0.8:
            row[name] = dice.choice((setup_us, near(), setup_us + dice.randrange(10) * MINUTE_US))
    return row


def edges(dice: random.Random) -> list[int]:
    begin_us = FIRST_US + dice.choice((-US_PER_DAY, -1, 0, 5 * MINUTE_US, US_PER_DAY))
    step_us = dice.choice((1_000_000, MINUTE_US, US_PER_DAY))
    even = [begin_us + step_us * number for number in range(dice.choice((2, 5, 70)))]
    return dice.choice((even, [begin_us, begin_us + 3 * US_PER_DAY], sorted({*even, *even[1:2]})))


def test_times_in_any_order(place: Place) -> None:
    dice = seeds.chance("odd intervals")
    rows = [odd_row(dice) for _ in range(120)]
    load(place.cluster, rows, dice)
    with_intervals = 0
    for _ in range(_SCAN_COUNT):
        ended = (Present("end_time", wanted=dice.random() < 0.9),)
        live = AnyOf((Present("end_time", wanted=True), Between("received_time", FIRST_US + 1, 2**63 - 1)))
        scan = scan_of(
            edges(dice),
            *dice.sample(ALL, dice.randint(1, 5)),
            keys=dice.choice(((), (FOLDER,))),
            predicates=dice.choice(((), ended, (OneOf("kind", (1,)), *ended))),
            occupancy_predicates=dice.choice(((), (live,), (OneOf("kind", (1,)), live))),
            now_us=FIRST_US + dice.choice((-1, 0, MINUTE_US, 2 * US_PER_DAY)),
        )
        expected = values_of(scan, rows, {})
        assert found_in(place.reader, scan) == expected, scan  # type: ignore[arg-type]
        with_intervals += any(any(values) for values in expected.values())
    assert with_intervals > _SCAN_COUNT // 2


def test_a_call_of_months_is_found_in_each_of_its_days(place: Place) -> None:
    """Its day is long before the range, and nothing says how long the longest call is."""
    setup_us = FIRST_US - 400 * US_PER_DAY
    place.add(DAY - 400, answer_time=setup_us + 5, end_time=FIRST_US + US_PER_DAY, folder="a")
    place.remove(place.add(DAY - 300, answer_time=setup_us, end_time=FIRST_US + 9, folder="a"))
    for day in range(-30, -20):
        place.add(DAY + day, 1, end_time=FIRST_US - 1, answer_time=FIRST_US - 3, folder="b")
    scan = scan_of([FIRST_US, FIRST_US + MINUTE_US], keys=(FOLDER,))
    steps = [(FIRST_US, 1), (FIRST_US + MINUTE_US, -1)]
    found = {(0, "a"): (0, MINUTE_US, MINUTE_US, steps, steps)}
    assert found_in(place.reader, scan) == found  # type: ignore[arg-type]


def test_the_index_of_spans_serves_each_scan_of_intervals(place: Place) -> None:
    for day in range(-3, 3):
        place.add(
            DAY + day, answer_time=FIRST_US + day * US_PER_DAY, end_time=FIRST_US + day * US_PER_DAY + 9
        )
    of_calls = (Present("end_time", wanted=True), OneOf("kind", (1,)))
    live = AnyOf((Present("end_time", wanted=True), Between("received_time", FIRST_US + 1, 2**63 - 1)))
    for measures in ((CALLS, TALK, TALKING), (TALK,), (SEIZING, CALLS), (SEIZED,)):
        scan = scan_of([FIRST_US, FIRST_US + 5], *measures, predicates=of_calls, occupancy_predicates=(live,))
        query = traffic_select(scan, None, 9, 10**6).query
        assert query.text.count("FROM ledger") == 1, "one SELECT reads one state"
        explained = replace(query, text=f"EXPLAIN indexes = 1 {query.text}")
        lines = [line.strip() for (line,) in place.cluster.shards[0].rows(explained, NO_LIMIT)]
        used = lines[lines.index("Name: spans") :]
        assert next(line for line in used if line.startswith("Parts:")) == "Parts: 1/6", lines


def test_a_migration_gives_the_index_to_rows_that_are_there(place: Place) -> None:
    def ask(statement: str) -> list[str]:
        return [answer.strip() for answer in place.rig.ask(statement, database=place.cluster.database)]

    ask("ALTER TABLE ledger DROP INDEX spans")
    for shard in (0, 1):
        place.add(DAY, shard)
    has_index = (
        "SELECT countIf(secondary_indices_marks_bytes > 0) = count() FROM system.parts"
        " WHERE database = currentDatabase() AND table = 'ledger' AND active"
    )
    assert ask(has_index) == ["0", "0"]
    for _ in range(2):
        for statement in statements_after(1):
            for server in place.cluster.shards:
                server.run(statement, NO_LIMIT)
    waiting = "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done"
    wait_until(lambda: ask(waiting) == ["0", "0"], "the index of all parts", 60.0)
    assert ask(has_index) == ["1", "1"]


def test_a_long_call_over_minutes_is_two_rows_of_an_answer(place: Place) -> None:
    day_count = 30
    edge_us = FIRST_US + MINUTE_US * np.arange(day_count * 1_440 + 1)
    place.add(DAY - 1, answer_time=FIRST_US - 9, end_time=FIRST_US + (day_count + 1) * US_PER_DAY, folder="a")
    scan = scan_of(edge_us, TALK, TALKING, keys=(FOLDER,))
    answers = place.cluster.ask_all(traffic_select(scan, None, 10**6, 10**6).query, NO_LIMIT)
    assert sum(map(len, answers)) < 1_000
    partials = place.reader.traffic_partials(scan, len(edge_us) - 1, NO_LIMIT)
    assert (partials.cell_count, partials.total(0)) == (day_count * 1_440, day_count * US_PER_DAY)
    with pytest.raises(errors.CellLimitError) as refused:
        place.reader.traffic_partials(scan, len(edge_us) - 2, NO_LIMIT)
    assert refused.value.metadata == {"asked": str(len(edge_us) - 1), "allowed": str(len(edge_us) - 2)}


def test_limits_of_a_scan_of_intervals(place: Place) -> None:
    for number in range(60):
        begin_us = FIRST_US + number * 1_000
        place.add(DAY, number % 2, answer_time=begin_us, end_time=begin_us + 5, folder=f"f{number}")
    scan = scan_of([FIRST_US, FIRST_US + US_PER_DAY], TALKING, keys=(FOLDER,))
    assert place.reader.traffic_partials(scan, 60, NO_LIMIT).cell_count == 60
    with pytest.raises(errors.CellLimitError) as cells:
        place.reader.traffic_partials(scan, 20, NO_LIMIT)
    assert cells.value.metadata == {"asked": "21", "allowed": "20"}
    config = replace(CONFIG, query_memory_bytes_max=1_500)
    reader = LedgerReader(place.cluster, config, core.QueryResources(CONFIG), OneDeck())
    with pytest.raises(errors.MemoryLimitError, match="the report needs more than 1500 bytes"):
        reader.traffic_partials(scan, 60, NO_LIMIT)
    cancelled = core.CancelToken(None)
    cancelled.cancel()
    with pytest.raises(errors.CancelledError):
        place.reader.traffic_partials(scan, 300, cancelled)
    unknown: Any = TrafficMeasure("occupied", "ringing")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown interval 'ringing'"):
        place.reader.traffic_partials(scan_of([FIRST_US, FIRST_US + 5], unknown), 1, NO_LIMIT)


def test_calls_and_what_they_occupy_are_of_one_state(place: Place) -> None:
    """Each commit adds a call of a second, or takes one away: two reads would see different ones."""
    is_over = Event()

    def write() -> None:
        times = {"answer_time": FIRST_US, "end_time": FIRST_US + 1_000_000}
        while not is_over.is_set():
            row = place.add(DAY, **times)
            if row["key_hash"] % 3 == 0:
                place.remove(row)

    scan = scan_of([FIRST_US, FIRST_US + MINUTE_US], CALLS, TALK, SEIZING)
    counts = set()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            for _ in range(60 if LONG else 25):
                partials = place.reader.traffic_partials(scan, 1, NO_LIMIT)
                (count,), (occupied_us,), (steps,) = (partials.measure(number) for number in range(3))
                assert isinstance(count, int)
                assert occupied_us == count * 1_000_000
                assert steps == ([(FIRST_US, count), (FIRST_US + 1_000_000, -count)] if count else [])
                counts.add(count)
        finally:
            is_over.set()
        writing.result()
    assert len(counts) > 5, "the commits went on meanwhile"
