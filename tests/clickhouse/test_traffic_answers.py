"""A server over a cluster answers traffic questions with intervals as one over a data directory does."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import seeds
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2
from server_tests.example_requests import call_record
from server_tests.test_traffic import by
from server_tests.test_traffic_intervals import DAY_S, EXAMPLE, US, question
from service import Service

from clickhouse.rig import LONG, Rig
from clickhouse.stores import ClickHouseStores

NOW_US = (DAY_S + 40 * 3_600) * US
CALL_COUNT = 150
_QUESTION_COUNT = 200 if LONG else 25
_METRICS = (
    *("PEAK", "PEAK_AT", "OCCUPIED_US", "ERLANG", "PEAK:SEIZED", "OCCUPIED_US:SEIZED", "ERLANG:SEIZED"),
    *("CALLS", "ASR", "CPS_PEAK"),
)
_KEYS = ("TERM_ACCOUNTS_ID", "HOUR_OF_DAY", "WEEKDAY", "FOLDER")
_GRANULARITIES = ("MINUTE", "FIVE_MINUTES", "FIFTEEN_MINUTES", "HOUR", "DAY")
_HOURS = {"from_time": "22:00", "to_time": "06:30"}


def calls(dice: random.Random) -> Iterator[records_pb2.SessionRecord]:
    """Draws calls of two days, some of which are active, or last for hours."""
    for number in range(CALL_COUNT):
        setup_s = DAY_S - 7_200 + dice.randrange(42 * 3_600)
        answer_s = setup_s + dice.choice((0, 5, 60))
        end_s = answer_s + dice.choice((0, 1, 90, 600, 30_000))
        times = {
            "answer_time": Timestamp(seconds=answer_s) if dice.random() < 0.7 else None,
            "end_time": Timestamp(seconds=end_s) if dice.random() < 0.9 else None,
        }
        given: dict[str, Any] = {"setup_time": Timestamp(seconds=setup_s), **times}
        given |= {"term_accounts_id": dice.choice((1, 2, 3)), "folder": dice.choice(("a", "b"))}
        yield call_record(f"r{number}", **given, is_last_attempt=dice.random() < 0.8)


def more(dice: random.Random) -> dict[str, Any]:
    """Draws the rest of a question."""
    keys = dice.sample(_KEYS, dice.choice((0, 1, 1, 2)))
    given: dict[str, Any] = {
        "from_time": dice.choice(("2026-03-10T10:00:00Z", "2026-03-09T23:17:05Z", "2026-03-10T00:00:00Z")),
        "to_time": dice.choice(("2026-03-10T10:45:00Z", "2026-03-10T21:00:00Z", "2026-03-11T02:30:00Z")),
        "time_zone": dice.choice(("UTC", "Asia/Kolkata")),
        "group_by": [by(key) for key in keys],
        "attempts": "ATTEMPTS_ALL",
    }
    if dice.random() < 0.7:
        given["granularity"] = f"GRANULARITY_{dice.choice(_GRANULARITIES)}"
    if dice.random() < 0.3:
        given["open_hours"] = dice.choice((_HOURS, {**_HOURS, "weekdays": [2], "to_time": "24:00"}))
    if dice.random() < 0.3:
        given["compare"] = dice.choice(("COMPARISON_DAY", "COMPARISON_PREVIOUS_RANGE"))
    if keys and dice.random() < 0.4:
        given["top"] = {"limit": dice.choice((1, 2)), "other": dice.random() < 0.5}
    if dice.random() < 0.3:
        filtered = {"dimension": "TRAFFIC_DIMENSION_HOUR_OF_DAY", "range": {"low": 9, "high": 17}}
        given["filters"] = [filtered]
    return given


@pytest.fixture
def both(cluster: Rig, tmp_path: Path) -> Iterator[list[Service]]:
    stores = ClickHouseStores(cluster)
    with ExitStack() as opened:
        opened.callback(stores.remove_below, tmp_path)
        directory = opened.enter_context(Service(tmp_path / "directory", now_us=NOW_US))
        shards = opened.enter_context(Service(tmp_path / "cluster", now_us=NOW_US, stores=stores))
        yield [directory, shards]


def test_answers_of_a_directory_and_a_cluster_are_the_same(both: list[Service]) -> None:
    dice = seeds.chance("answers with intervals")
    records = [*EXAMPLE, *calls(dice)]
    for service in both:
        service.write(*records)
    with_peaks = 0
    for _ in range(_QUESTION_COUNT):
        metrics = ["CALLS", *dice.sample(_METRICS[:7], dice.randint(1, 4))]
        asked = question(*dict.fromkeys(metrics), **more(dice))
        found, expected = (service.traffic.QueryTraffic(asked, timeout=30) for service in reversed(both))
        # As bytes: a value that is not a number equals none as a message.
        assert found.SerializeToString() == expected.SerializeToString(), asked
        with_peaks += any(any(one > 0 for one in (*total.integers, *total.doubles)) for total in found.totals)
    assert with_peaks > _QUESTION_COUNT // 2
