"""Traffic scans of intervals by the embedded store: the peaks and erlangs of an example."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.errors import DataDamagedError
from pegcount.model import OneOf, Present
from pegcount.traffic import ColumnKey, Key, TrafficMeasure, TrafficPredicate, TrafficScan

from store_tests.store_fixtures import MANUAL_MAINTENANCE, NO_LIMIT, SETUP_S, StoreHarness, active, write

CALLS = TrafficMeasure("count", "all")
OCCUPANCY = (TrafficMeasure("occupied", "talk"), TrafficMeasure("occupancy", "talk"))
SEIZED = (TrafficMeasure("occupied", "seized"), TrafficMeasure("occupancy", "seized"))
QUARTERS = (0, 900, 1_800, 2_700)
DAY_S = 86_400

EXAMPLE: tuple[tuple[str, str, float, float | None, float], ...] = (
    ("c1", "V1", 0, 10, 310),
    ("c2", "V1", 60, None, 100),
    ("c3", "V1", 120, None, 120.8),
    ("c3b", "V2", 121, 132, 136),
    ("c4", "V2", 240, 310, 1_210),
    ("c5", "V2", 890, None, 905),
    ("c6", "V1", 960, None, 960.5),
    ("c7", "V2", 1_020, None, 1_050),
    ("c8", "V1", 1_080, 1_086, 1_086),
    ("c9", "V1", 1_740, 1_745, 1_865),
)
"""Session id, vendor, and seconds after the start of setup, answer and end."""


def at(seconds: float) -> Timestamp:
    us = round((SETUP_S + seconds) * 1_000_000)
    return Timestamp(seconds=us // 1_000_000, nanos=us % 1_000_000 * 1_000)


def call(session_id: str, vendor: str, setup: float, answer: float | None, end: float) -> Any:
    times = {"end_time": at(end), **({} if answer is None else {"answer_time": at(answer)})}
    last = session_id != "c3"
    return active(session_id, SETUP_S + round(setup), company=vendor, is_last_attempt=last, **times)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    """A store of the example, of which a part is sealed."""
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        write(harness.store, *(call(*row) for row in EXAMPLE[:6]))
        harness.flush()
        write(harness.store, *(call(*row) for row in EXAMPLE[6:]))
        yield harness


def scan(
    *measures: TrafficMeasure,
    keys: tuple[Key, ...] = (),
    occupancy: tuple[TrafficPredicate, ...] = (),
    edges: tuple[float, ...] = QUARTERS,
    now: float = DAY_S,
) -> TrafficScan:
    """A scan whose edges, and the present time, are seconds after the start of the example."""
    edge_us = ((np.array(edges) + SETUP_S) * 1_000_000).astype(np.int64)
    now_us = int((SETUP_S + now) * 1_000_000)
    return TrafficScan(edge_us, (), keys, measures, None, occupancy, now_us)


def measures_of(harness: StoreHarness, asked: TrafficScan) -> list[Any]:
    partials = harness.store.traffic_partials(asked, 100, NO_LIMIT)
    return [partials.measure(number) for number in range(len(asked.measures))]


def peak(steps: list[tuple[int, int]]) -> tuple[int, float]:
    """The greatest number of open intervals, and the first second after the start with it."""
    counts, count = [], 0
    for at_us, change in steps:
        count += change
        counts.append((count, at_us / 1_000_000 - SETUP_S))
    assert count == 0
    return max(counts, key=lambda found: (found[0], -found[1]))


def test_peaks_and_occupied_time_of_the_example(harness: StoreHarness) -> None:
    calls, talk_us, talk, seized_us, seized = measures_of(harness, scan(CALLS, *OCCUPANCY, *SEIZED))
    assert calls == [6, 4, 0]
    assert talk_us == [894_000_000, 365_000_000, 65_000_000]
    assert [peak(steps) for steps in talk] == [(2, 132), (1, 900), (1, 1_800)]
    assert seized_us == [1_035_800_000, 411_500_000, 65_000_000]
    assert [peak(steps) for steps in seized] == [(2, 60), (2, 900), (1, 1_800)]


def test_the_conditions_of_intervals_are_their_own(harness: StoreHarness) -> None:
    last = (OneOf("is_last_attempt", (1,)),)
    calls, seized_us, steps = measures_of(harness, scan(CALLS, *SEIZED, occupancy=last))
    assert calls == [6, 4, 0]
    assert seized_us == [1_035_000_000, 411_500_000, 65_000_000]
    assert sum(seized_us) == 1_511_500_000
    assert peak(steps[0]) == (2, 60)


def test_each_group_has_the_bins_that_its_calls_overlap(harness: StoreHarness) -> None:
    partials = harness.store.traffic_partials(
        scan(CALLS, *OCCUPANCY, keys=(ColumnKey("company"),)), 100, NO_LIMIT
    )
    codes, texts = partials.keys[0]
    cells = {
        (texts[code], int(bin_)): (calls, talk_us)
        for code, bin_, calls, talk_us in zip(
            codes, partials.bins, partials.measure(0), partials.measure(1), strict=True
        )
    }
    assert cells == {
        ("V1", 0): (3, 300_000_000),
        ("V1", 1): (3, 55_000_000),
        ("V1", 2): (0, 65_000_000),
        ("V2", 0): (3, 594_000_000),
        ("V2", 1): (1, 310_000_000),
    }


def test_a_call_of_an_earlier_day_and_an_active_one_count(harness: StoreHarness) -> None:
    write(harness.store, active("now", SETUP_S + 2 * DAY_S, answer_time=at(2 * DAY_S + 1)))
    write(harness.store, call("long", "V1", -3 * DAY_S, -3 * DAY_S, 2 * DAY_S + 60))
    harness.flush()
    asked = scan(*OCCUPANCY, edges=(2 * DAY_S, 2 * DAY_S + 30, 2 * DAY_S + 90), now=2 * DAY_S + 70)
    assert measures_of(harness, asked)[0] == [59_000_000, 70_000_000]
    finished_only = (Present("end_time", wanted=True),)
    assert measures_of(harness, scan(*OCCUPANCY, occupancy=finished_only, edges=asked_edges(asked)))[0] == [
        30_000_000,
        30_000_000,
    ]
    assert harness.store.estimate(asked) == 3, "the active one twice, the long one once"


def asked_edges(asked: TrafficScan) -> tuple[float, ...]:
    return tuple(float(us) / 1_000_000 - SETUP_S for us in asked.edge_us)


def test_an_unreadable_day_fails_where_its_calls_may_last_into_the_range(harness: StoreHarness) -> None:
    write(harness.store, call("long", "V1", 5 * DAY_S, 5 * DAY_S, 6 * DAY_S + 30))
    harness.flush()
    path = harness.segment()
    harness.store.close()
    path.chmod(0o600)
    path.write_bytes(b"")
    harness.store = harness.open()
    later = scan(*OCCUPANCY, edges=(6 * DAY_S, 6 * DAY_S + 60), now=9 * DAY_S)
    assert measures_of(harness, later)[0] == [30_000_000], "its calls end before"
    with pytest.raises(DataDamagedError):
        measures_of(harness, scan(*OCCUPANCY, edges=(1_800, DAY_S), now=9 * DAY_S))


def test_occupancy_is_built_from_columns() -> None:
    measures: list[Any] = [[2, 0], [[(5, 1), (7, -1)], []]]
    made = core.TrafficPartials.from_columns(2, [0, 1], [], measures, [1])
    assert [made.measure(0), made.measure(1)] == measures
    with pytest.raises(ValueError, match="do not add up to 0"):
        core.TrafficPartials.from_columns(2, [0, 1], [], [[[(5, 1)], []]], [0])
