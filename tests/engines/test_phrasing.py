"""What similar SQL expressions mean, where the queries of this folder need other ones.

Each test shows the engine's figure and ours; docs/engines.md lists them.
"""

import math
from typing import Any

import duckdb
import pytest
from oracle import calendar
from pegcount.v1 import reports_pb2

from . import examples
from .engine import Row
from .examples import call

DUCKDB, CLICKHOUSE = examples.engines()


def quality_calls(**filters: Any) -> int:
    """Returns the calls of account 1 that pass the filters, according to the service."""
    request = reports_pb2.QueryOriginationQualityRequest(
        account_id="1", from_time="2026-01-01", to_time="2026-02-01", sampling="GRANULARITY_MONTH", **filters
    )
    return int(examples.ask_ok(request).totals.total_calls)


def usage(granularity: str, **fields: Any) -> Any:
    request = reports_pb2.QueryAsrUsageRequest(
        granularity=f"GRANULARITY_{granularity}",
        kind="SESSION_KIND_CALL",
        **fields,
    )
    return examples.ask_ok(request)


def folders(from_date: str, to_date: str) -> Any:
    request = reports_pb2.QueryFolderStatsRequest(
        company="c", organization="o", from_date=from_date, to_date=to_date
    )
    return examples.ask_ok(request)


def single_value(rows: list[Row]) -> Any:
    """Returns the single value of an answer."""
    [(value,)] = rows
    return value


def test_seconds_between_two_times() -> None:
    examples.load_everywhere(
        [call("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.9Z", "2026-01-01T00:00:01.3Z", account_id="1")]
    )
    assert single_value(DUCKDB.ask("SELECT date_diff('second', answer_time, end_time) FROM sessions")) == 1
    assert single_value(CLICKHOUSE.ask("SELECT dateDiff('second', answer_time, end_time) FROM sessions")) == 1
    assert quality_calls(duration={"eq": 0}) == 1
    assert quality_calls(duration={"eq": 1}) == 0


def test_whole_seconds_of_milliseconds() -> None:
    examples.load_everywhere(
        [call("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01.6Z", account_id="1")]
    )
    assert single_value(DUCKDB.ask("SELECT CAST(1600 / 1000 AS BIGINT)")) == 2
    assert single_value(CLICKHOUSE.ask("SELECT CAST(1600 / 1000 AS Int64)")) == 1
    assert quality_calls(duration={"eq": 1}) == 1


def test_decimal_literal() -> None:
    price, literal = "9223372036.854775806", "9223372036.854775807"
    examples.load_everywhere([call("2026-01-01T00:00:00Z", account_id="1", customer_price=price)])
    counted = f"SELECT count(*) FROM sessions WHERE customer_price = {literal}"
    assert single_value(DUCKDB.ask(counted)) == 0
    assert single_value(CLICKHOUSE.ask(counted)) == 1
    assert quality_calls(customer_price={"eq": literal}) == 0


def test_decimal_of_many_digits() -> None:
    price = "0." + "1" * 30
    examples.load_everywhere(
        [call("2026-01-01T00:00:00Z", account_id="1", customer_price="9223372036.854775807")]
    )
    with pytest.raises(duckdb.ConversionException, match="out of range"):
        DUCKDB.ask(f"SELECT count(*) FROM sessions WHERE customer_price > {DUCKDB.decimal(price)}")
    counted = f"SELECT count(*) FROM sessions WHERE customer_price > {CLICKHOUSE.decimal(price)}"
    assert single_value(CLICKHOUSE.ask(counted)) == 1
    assert quality_calls(customer_price={"gt": price}) == 1


def test_ipv4_mapped_address() -> None:
    examples.load_everywhere(
        [call("2026-01-01T00:00:00Z", account_id="1", auth_orig_ip="::ffff:198.51.100.1")]
    )
    block = "198.51.100.0/24"
    found = CLICKHOUSE.ask(f"SELECT isIPAddressInRange(auth_orig_ip, '{block}') FROM sessions")
    assert single_value(found) == 0
    assert quality_calls(auth_orig_ip=block) == 1


def test_malformed_address() -> None:
    examples.load_everywhere([call("2026-01-01T00:00:00Z", account_id="1", auth_orig_ip="no address")])
    block = "198.51.100.0/24"
    with pytest.raises(RuntimeError, match="CANNOT_PARSE_TEXT"):
        CLICKHOUSE.ask(f"SELECT isIPAddressInRange(auth_orig_ip, '{block}') FROM sessions")
    assert quality_calls(auth_orig_ip=block) == 0


def test_pattern_characters_of_like() -> None:
    examples.load_everywhere([call("2026-01-01T00:00:00Z", account_id="1", src_prefix_routing="4915")])
    for engine in examples.engines():
        assert (
            single_value(engine.ask("SELECT count(*) FROM sessions WHERE src_prefix_routing LIKE '%4_1%'"))
            == 1
        )
    assert quality_calls(src_prefix_routing={"contains": "4_1"}) == 0


def test_empty_text() -> None:
    examples.load_everywhere(
        [
            call("2026-01-01T00:00:00Z", company="c", organization="o", folder=""),
            call("2026-01-01T01:00:00Z", company="c", organization="o"),
        ]
    )
    texts = "(SELECT '' AS folder UNION ALL SELECT NULL)"
    counted = f"SELECT count(*) FROM (SELECT folder FROM {texts} AS texts GROUP BY folder) AS folders"
    for engine in examples.engines():
        assert single_value(engine.ask(counted)) == 2
    assert [(row.folder, row.call_count) for row in folders("2026-01-01", "2026-01-01").rows] == [("", 2)]


LOCAL_TIMES = {
    "comes twice": (
        *("Europe/Berlin", "2026-10-25T02:30:00"),
        *("2026-10-25T02:30:00+02:00", "2026-10-25 01:30:00", "2026-10-25 00:30:00"),
    ),
    "is skipped": (
        *("Europe/Berlin", "2026-03-29T02:30:00"),
        *("2026-03-29T03:30:00+02:00", "2026-03-29 01:30:00", "2026-03-29 00:30:00"),
    ),
    "midnight is skipped": (
        *("America/Sao_Paulo", "2015-10-18T00:00:00"),
        *("2015-10-18T01:00:00-02:00", "2015-10-18 03:00:00", "2015-10-18 02:00:00"),
    ),
    "midnight comes twice": (
        *("America/St_Johns", "2010-11-07T00:00:00"),
        *("2010-11-07T00:00:00-02:30", "2010-11-07 03:30:00", "2010-11-07 03:30:00"),
    ),
    "date is skipped": (
        *("Pacific/Apia", "2011-12-30T12:00:00"),
        *("2011-12-31T12:00:00+14:00", "2011-12-30 22:00:00", "2011-12-29 22:00:00"),
    ),
}


@pytest.mark.parametrize("name", LOCAL_TIMES)
def test_local_times(name: str) -> None:
    zone, local, ours, of_duckdb, of_clickhouse = LOCAL_TIMES[name]
    examples.load_everywhere([], now_us=calendar.parse_time(ours, zone) + 60 * calendar.MICROSECONDS)
    assert usage("MINUTE", from_time=local, time_zone=zone).range.from_time == ours
    parsed = f"timezone('UTC', timezone('{zone}', TIMESTAMP '{local}'))"
    assert single_value(DUCKDB.ask(f"SELECT CAST({parsed} AS VARCHAR)")) == of_duckdb
    parsed = f"toTimezone(toDateTime('{local.replace('T', ' ')}', '{zone}'), 'UTC')"
    assert single_value(CLICKHOUSE.ask(f"SELECT toString({parsed})")) == of_clickhouse


def test_average_of_existing_rows() -> None:
    """The average ignores days without calls, and days before the first row."""
    setups = ("2026-01-01T01:00:00Z", *(f"2026-01-03T0{hour}:00:00Z" for hour in range(3)))
    examples.load_everywhere([call(setup) for setup in setups])
    averages = """
        SELECT avg(n) OVER (ORDER BY day ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)
        FROM (SELECT date_trunc('day', setup_time) AS day, count(*) AS n FROM sessions GROUP BY 1) AS days
        ORDER BY day"""
    for engine in examples.engines():
        assert engine.ask(averages) == [(1.0,), (2.0,)]
    bins = usage("DAY", from_time="2026-01-01", to_time="2026-01-04", sma_period=3).bins
    assert [of_bin.sma for of_bin in bins] == [1 / 3, 1 / 3, 4 / 3]


def test_average_of_averages() -> None:
    talks = {"2026-01-01T00": 10, "2026-01-02T01": 2, "2026-01-02T02": 2, "2026-01-02T03": 2}
    examples.load_everywhere(
        [
            call(f"{hour}:00:00Z", f"{hour}:00:00Z", f"{hour}:00:{talk:02}Z", company="c", organization="o")
            for hour, talk in talks.items()
        ]
    )
    averages = """
        SELECT avg(seconds) FROM (
            SELECT avg(date_diff('second', answer_time, end_time)) AS seconds
            FROM sessions GROUP BY date_trunc('day', setup_time)
        ) AS days"""
    for engine in examples.engines():
        assert single_value(engine.ask(averages)) == 6
    assert folders("2026-01-01", "2026-01-02").totals.average_duration_seconds == 4


def test_ratio_without_rows() -> None:
    examples.load_everywhere([])
    for engine in examples.engines():
        assert math.isnan(single_value(engine.ask("SELECT 0 / 0")))
        assert single_value(engine.ask("SELECT avg(equipment_id) FROM sessions")) is None
    assert math.isnan(single_value(CLICKHOUSE.ask("SELECT avg(number) FROM numbers(0)")))
    request = reports_pb2.QueryOriginationQualityRequest(
        account_id="1", from_time="2026-01-01", to_time="2026-01-02", sampling="GRANULARITY_DAY"
    )
    response = examples.ask_ok(request)
    assert math.isnan(response.data.asr[0])
    assert not response.totals.HasField("asr")


def test_largest_without_rows() -> None:
    assert single_value(DUCKDB.ask("SELECT max(range) FROM range(0)")) is None
    assert single_value(CLICKHOUSE.ask("SELECT max(number) FROM numbers(0)")) == 0


def test_rolled_up_key_without_null_setting() -> None:
    rolled_up = "SELECT k, count(*) FROM (SELECT 1 AS k) AS one GROUP BY ROLLUP (k) ORDER BY 2, 1"
    assert set(CLICKHOUSE.ask(f"{rolled_up} SETTINGS group_by_use_nulls = 0")) == {(1, 1), (0, 1)}
    assert set(DUCKDB.ask(rolled_up)) == {(1, 1), (None, 1)}


def test_unmatched_row_of_a_left_join() -> None:
    joined = "SELECT b.v FROM (SELECT 1 AS k) AS a LEFT JOIN (SELECT 2 AS k, 3 AS v) AS b ON a.k = b.k"
    assert single_value(CLICKHOUSE.ask(f"{joined} SETTINGS join_use_nulls = 0")) == 0
    assert single_value(DUCKDB.ask(joined)) is None


def test_week_of_sunday() -> None:
    sunday = "2026-03-29T12:00:00Z"
    examples.load_everywhere([call(sunday)])
    assert (
        str(single_value(CLICKHOUSE.ask("SELECT toStartOfWeek(setup_time, 0, 'UTC') FROM sessions")))
        == "2026-03-29"
    )
    bins = usage("WEEK", from_time=sunday, to_time="2026-03-30").bins
    assert [of_bin.start_time for of_bin in bins] == ["2026-03-23T00:00:00Z"]


def test_bins_of_the_next_century() -> None:
    examples.load_everywhere([call("2150-07-01T12:00:00Z")])
    narrow = "SETTINGS enable_extended_results_for_datetime_functions = 0"
    day = f"SELECT toString(toStartOfDay(setup_time, 'UTC')) FROM sessions {narrow}"
    month = f"SELECT toString(toStartOfMonth(setup_time, 'UTC')) FROM sessions {narrow}"
    assert single_value(CLICKHOUSE.ask(day)) == "2106-02-07 06:28:15"
    assert single_value(CLICKHOUSE.ask(month)) == "2149-06-06"
    bins = usage("MONTH", from_time="2150-07-01", to_time="2150-08-01").bins
    assert [(of_bin.start_time, of_bin.session_count) for of_bin in bins] == [("2150-07-01T00:00:00Z", 1)]


def test_optimizer_that_assumes_date_trunc_is_monotonic() -> None:
    """Of two times before the second midnight, the later one belongs to the earlier date."""
    connection: Any = duckdb.connect()
    connection.execute("SET TimeZone = 'America/St_Johns'")
    connection.execute(
        "CREATE TABLE calls AS SELECT unnest([TIMESTAMPTZ '2010-11-07 02:30:30Z',"
        " TIMESTAMPTZ '2010-11-07 03:00:00Z']) AS setup_time"
    )
    counted = "SELECT epoch(date_trunc('day', setup_time)) AS day, count(*) FROM calls GROUP BY day"
    with pytest.raises(duckdb.InternalException, match="date_trunc"):
        connection.execute(counted)
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
    assert len(connection.execute(counted).fetchall()) == 2
