"""An example of each known difference: the engine's answer and ours.

If an example fails because an engine has come to agree with us, remove its predicate and its entry in
docs/engines.md.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from oracle import calendar
from pegcount.v1 import reports_pb2

from . import active, differences, examples, folder, usage
from .differences import Predicate
from .engine import Engine
from .examples import call

DOCUMENT = Path(__file__).parents[2] / "docs" / "engines.md"

Bins = dict[str, int]


@dataclass(frozen=True)
class Calls:
    """Setup times of calls, the starts of the bins of a range, and our count for each bin."""

    zone: str
    granularity: str
    range: tuple[str, str]
    setups: tuple[str, ...]
    ours: Bins


@dataclass(frozen=True)
class Example:
    """The counts of an engine for these calls."""

    difference: Predicate
    engine: str
    calls: Calls
    theirs: Bins


RULES_OF_CUBA = Calls(
    zone="America/Havana",
    granularity="DAY",
    range=("2026-12-01", "2026-12-02"),
    setups=("2026-12-01T04:30:00Z", "2026-12-01T05:30:00Z"),
    ours={"2026-12-01T00:00:00-04:00": 2},
)
RULES_OF_WINNIPEG = Calls(
    zone="America/Winnipeg",
    granularity="DAY",
    range=("2026-12-01", "2026-12-02"),
    setups=("2026-12-01T05:30:00Z", "2026-12-01T06:30:00Z"),
    ours={"2026-12-01T00:00:00-05:00": 2},
)
HALF_HOURS_OF_NEPAL_THEN = Calls(
    zone="Asia/Kathmandu",
    granularity="THIRTY_MINUTES",
    range=("1985-06-01", "1985-06-01T01:00:00"),
    setups=("1985-05-31T18:40:00Z", "1985-05-31T18:50:00Z"),
    ours={"1985-06-01T00:00:00+05:30": 2, "1985-06-01T00:30:00+05:30": 0},
)
HALF_HOURS_OF_NEPAL_NOW = Calls(
    zone="Asia/Kathmandu",
    granularity="THIRTY_MINUTES",
    range=("2026-01-01", "2026-01-01T01:00:00"),
    setups=("2025-12-31T18:20:00Z", "2025-12-31T18:40:00Z"),
    ours={"2026-01-01T00:00:00+05:45": 2, "2026-01-01T00:30:00+05:45": 0},
)
CHANGE_AT_ONE_PAST_MIDNIGHT = Calls(
    zone="America/St_Johns",
    granularity="FIFTEEN_MINUTES",
    range=("2011-03-13T00:00:00", "2011-03-13T01:15:00"),
    setups=("2011-03-13T03:30:30Z", "2011-03-13T03:31:00Z"),
    ours={"2011-03-13T00:00:00-03:30": 1, "2011-03-13T01:01:00-02:30": 1},
)
CHANGE_BY_44_MINUTES_30_SECONDS = Calls(
    zone="Africa/Monrovia",
    granularity="MINUTE",
    range=("1972-01-06T23:59:00", "1972-01-07T00:46:00"),
    setups=("1972-01-07T00:44:00Z", "1972-01-07T00:44:40Z", "1972-01-07T00:45:10Z"),
    ours={"1972-01-07T00:43:30Z": 1, "1972-01-07T00:44:30Z": 1, "1972-01-07T00:45:00Z": 1},
)
HOUR_THAT_COMES_TWICE = Calls(
    zone="Europe/Berlin",
    granularity="HOUR",
    range=("2026-10-25T01:00:00", "2026-10-25T03:00:00"),
    setups=("2026-10-25T00:15:00Z", "2026-10-25T01:15:00Z"),
    ours={
        "2026-10-25T01:00:00+02:00": 0,
        "2026-10-25T02:00:00+02:00": 1,
        "2026-10-25T02:00:00+01:00": 1,
    },
)
HOUR_THAT_LACKS_ITS_BEGINNING = Calls(
    zone="Pacific/Chatham",
    granularity="HOUR",
    range=("2026-09-27T02:00:00", "2026-09-27T05:00:00"),
    setups=("2026-09-26T14:05:00Z",),
    ours={
        "2026-09-27T02:00:00+12:45": 0,
        "2026-09-27T03:45:00+13:45": 1,
        "2026-09-27T04:00:00+13:45": 0,
    },
)
HOURS_AFTER_HALF_AN_HOUR = Calls(
    zone="Australia/Lord_Howe",
    granularity="HOUR",
    range=("2026-10-04T01:00:00", "2026-10-04T05:00:00"),
    setups=("2026-10-03T15:45:00Z", "2026-10-03T16:15:00Z"),
    ours={
        "2026-10-04T01:00:00+10:30": 0,
        "2026-10-04T02:30:00+11:00": 1,
        "2026-10-04T03:00:00+11:00": 1,
        "2026-10-04T04:00:00+11:00": 0,
    },
)
MIDNIGHT_THAT_COMES_TWICE = Calls(
    zone="America/Havana",
    granularity="DAY",
    range=("2015-10-31", "2015-11-02"),
    setups=("2015-11-01T04:30:00Z", "2015-11-01T05:30:00Z"),
    ours={"2015-10-31T00:00:00-04:00": 0, "2015-11-01T00:00:00-04:00": 2},
)
EVENING_THAT_COMES_TWICE = Calls(
    zone="America/St_Johns",
    granularity="DAY",
    range=("2010-11-06", "2010-11-08"),
    # Half a minute after midnight, then the second 23:30.
    setups=("2010-11-07T02:30:30Z", "2010-11-07T03:00:00Z"),
    ours={"2010-11-06T00:00:00-02:30": 0, "2010-11-07T00:00:00-02:30": 2},
)

EXAMPLES = (
    Example(
        difference=differences.duckdb_has_other_rules,
        engine="DuckDB",
        calls=RULES_OF_CUBA,
        theirs={"2026-11-30T01:00:00-04:00": 1, "2026-12-01T01:00:00-04:00": 1},
    ),
    Example(
        difference=differences.clickhouse_has_other_rules,
        engine="ClickHouse",
        calls=RULES_OF_WINNIPEG,
        theirs={"2026-11-30T01:00:00-05:00": 1, "2026-12-01T01:00:00-05:00": 1},
    ),
    Example(
        difference=differences.bucket_counts_from_2000,
        engine="DuckDB",
        calls=HALF_HOURS_OF_NEPAL_THEN,
        theirs={
            "1985-05-31T23:45:00+05:30": 1,
            "1985-06-01T00:15:00+05:30": 1,
            "1985-06-01T00:45:00+05:30": 0,
        },
    ),
    Example(
        difference=differences.interval_counts_in_utc,
        engine="ClickHouse",
        calls=HALF_HOURS_OF_NEPAL_NOW,
        theirs={
            "2025-12-31T23:45:00+05:45": 1,
            "2026-01-01T00:15:00+05:45": 1,
            "2026-01-01T00:45:00+05:45": 0,
        },
    ),
    Example(
        difference=differences.bucket_crosses_change,
        engine="DuckDB",
        calls=CHANGE_AT_ONE_PAST_MIDNIGHT,
        theirs={"2011-03-13T00:00:00-03:30": 2},
    ),
    Example(
        difference=differences.bucket_crosses_change,
        engine="ClickHouse",
        calls=CHANGE_AT_ONE_PAST_MIDNIGHT,
        theirs={"2011-03-13T00:00:00-03:30": 2},
    ),
    Example(
        difference=differences.trunc_ignores_seconds_of_offset,
        engine="DuckDB",
        calls=CHANGE_BY_44_MINUTES_30_SECONDS,
        theirs={"1972-01-07T00:43:30Z": 1, "1972-01-07T00:44:00Z": 1, "1972-01-07T00:45:00Z": 1},
    ),
    Example(
        difference=differences.day_of_change_off_the_minute,
        engine="ClickHouse",
        calls=CHANGE_BY_44_MINUTES_30_SECONDS,
        theirs={"1972-01-07T00:43:30Z": 1, "1972-01-07T00:44:30Z": 2, "1972-01-07T00:45:30Z": 0},
    ),
    Example(
        difference=differences.trunc_joins_hours_of_one_name,
        engine="DuckDB",
        calls=HOUR_THAT_COMES_TWICE,
        theirs={"2026-10-25T01:00:00+02:00": 0, "2026-10-25T02:00:00+01:00": 2},
    ),
    Example(
        difference=differences.trunc_joins_hours_of_one_name,
        engine="DuckDB",
        calls=HOUR_THAT_LACKS_ITS_BEGINNING,
        theirs={"2026-09-27T02:00:00+12:45": 0, "2026-09-27T04:00:00+13:45": 1},
    ),
    Example(
        difference=differences.hour_counts_from_midnight,
        engine="ClickHouse",
        calls=HOURS_AFTER_HALF_AN_HOUR,
        theirs={
            "2026-10-04T01:00:00+10:30": 0,
            "2026-10-04T02:30:00+11:00": 2,
            "2026-10-04T03:30:00+11:00": 0,
            "2026-10-04T04:30:00+11:00": 0,
        },
    ),
    Example(
        difference=differences.trunc_takes_second_midnight,
        engine="DuckDB",
        calls=MIDNIGHT_THAT_COMES_TWICE,
        theirs={"2015-10-31T00:00:00-04:00": 0, "2015-11-01T00:00:00-05:00": 2},
    ),
    Example(
        difference=differences.date_comes_back,
        engine="DuckDB",
        calls=EVENING_THAT_COMES_TWICE,
        theirs={"2010-11-06T00:00:00-02:30": 1, "2010-11-07T00:00:00-03:30": 1},
    ),
    Example(
        difference=differences.date_comes_back,
        engine="ClickHouse",
        calls=EVENING_THAT_COMES_TWICE,
        theirs={"2010-11-06T00:00:00-02:30": 2, "2010-11-07T00:00:00-03:30": 0},
    ),
)


def engine_named(name: str) -> Engine:
    return next(engine for engine in examples.engines() if engine.name == name)


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{example.engine}-{example.difference.__name__}" for example in EXAMPLES]
)
def test_example_of_bins(example: Example) -> None:
    calls, engine = example.calls, engine_named(example.engine)
    examples.load_everywhere([call(setup) for setup in calls.setups])
    request = reports_pb2.QueryAsrUsageRequest(
        from_time=calls.range[0],
        to_time=calls.range[1],
        time_zone=calls.zone,
        granularity=f"GRANULARITY_{calls.granularity}",
        kind="SESSION_KIND_CALL",
    )
    response = examples.ask_ok(request)
    asked = usage.asked(request, response, examples.NOW_US)
    assert asked is not None
    assert example.difference.__name__ in engine.differs(asked)
    assert counts(calls.zone, usage.ours(response)["bins"]) == calls.ours
    assert counts(calls.zone, usage.theirs(engine, asked, examples.NOW_US)["bins"]) == example.theirs


def counts(zone: str, bins: list[tuple[int, int, int, float | None, bool]]) -> Bins:
    return {calendar.format_time(zone, start_us): count for start_us, _, count, _, _ in bins}


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("DuckDB", {"2010-11-06": 1, "2010-11-07": 1}), ("ClickHouse", {"2010-11-06": 2})],
)
def test_date_comes_back_in_folders(name: str, theirs: Bins) -> None:
    engine = engine_named(name)
    calls = EVENING_THAT_COMES_TWICE
    examples.load_everywhere(
        [call(setup, company="c", organization="o", folder="f") for setup in calls.setups]
    )
    request = reports_pb2.QueryFolderStatsRequest(
        company="c",
        organization="o",
        folder="f",
        from_date="2010-11-06",
        to_date="2010-11-07",
        time_zone=calls.zone,
    )
    response = examples.ask_ok(request)
    asked = folder.asked(request, response, examples.NOW_US)
    assert engine.differs(asked) == ["date_comes_back"]
    assert [row[:3] for row in folder.ours(response)["rows"]] == [("2010-11-07", "f", 2)]
    rows = folder.theirs(engine, asked, examples.NOW_US)["rows"]
    assert {day: count for day, _, count, *_ in rows} == theirs


def test_rollup_of_nothing_has_no_total() -> None:
    examples.load_everywhere([])
    request = reports_pb2.QueryActiveSessionsRequest(
        return_fields=["orig_clients_id", "quantity"], grouping="GROUPING_ROLLUP"
    )
    response = examples.ask_ok(request)
    asked = active.asked(request, response, examples.NOW_US)
    assert active.ours(response, request)["total"] == (None, 0)
    assert active.theirs(engine_named("DuckDB"), asked, examples.NOW_US)["total"] == (None, 0)
    assert engine_named("ClickHouse").differs(asked) == ["rollup_of_nothing_has_no_total"]
    assert active.theirs(engine_named("ClickHouse"), asked, examples.NOW_US)["total"] is None


@pytest.mark.parametrize(
    ("name", "local", "rules"),
    [
        ("DuckDB", "epoch_us(timezone('{zone}', time))", differences.DUCKDB_OTHER_RULES),
        (
            "ClickHouse",
            "toUnixTimestamp64Micro(toDateTime64(toString(time, '{zone}'), 6, 'UTC'))",
            differences.CLICKHOUSE_OTHER_RULES,
        ),
    ],
    ids=["DuckDB", "ClickHouse"],
)
def test_zones_of_other_rules(name: str, local: str, rules: dict[str, tuple[int, int]]) -> None:
    """Checks each zone four times a year from 1970 to 2200, and zones with other rules daily where they
    differ."""
    engine = engine_named(name)
    day_us = calendar.DAY_S * calendar.MICROSECONDS
    found = set()
    for zone in sorted(calendar.zone_names()):
        start_us, end_us = rules.get(zone, (0, 0))
        times = engine.steps(0, 91 * day_us, 230 * 4)
        if zone in rules:
            daily = engine.steps(start_us, day_us, 60)
            times = f"(SELECT * FROM {times} AS seasons UNION ALL SELECT * FROM {daily} AS days)"
        sql = f"SELECT {engine.micros('time')}, {local.format(zone=zone)} FROM {times} AS times"
        for time_us, local_us in engine.ask(sql):
            offset_s = calendar.offset_s(zone, time_us // calendar.MICROSECONDS)
            if local_us - time_us != offset_s * calendar.MICROSECONDS:
                found.add(zone)
                assert start_us <= time_us < end_us, f"{zone} at {calendar.format_time('UTC', time_us)}"
    assert found == set(rules)


def test_inet_is_an_extension(tmp_path: Path) -> None:
    connection = duckdb.connect(
        config={"extension_directory": str(tmp_path), "autoinstall_known_extensions": False}
    )
    with pytest.raises(duckdb.Error, match="inet"):
        connection.execute("SELECT CAST('198.51.100.1' AS INET)")


def test_every_difference_has_an_example_and_is_documented() -> None:
    tested = {example.difference.__name__ for example in EXAMPLES}
    tested |= {"inet_is_an_extension", "rollup_of_nothing_has_no_total"}
    names = {predicate.__name__ for predicate in (*differences.DUCKDB, *differences.CLICKHOUSE)}
    assert names == tested
    document = DOCUMENT.read_text()
    assert [name for name in sorted(names) if f"`{name}`" not in document] == []
