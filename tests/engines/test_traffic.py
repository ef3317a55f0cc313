"""DuckDB answers the traffic question by vendor and day like the service, in SQL.

Percentiles are taken from the sorted list of values, as `quantile_disc` multiplies floats: 7 percent of 100
values would be number 8.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from oracle import calendar
from oracle.strategies import World, worlds
from pegcount.config import Config
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, QueryTrafficResponse
from properties.budget import drawn, require
from properties.served import Write, shared_service

from . import budget, export
from .examples import duckdb
from .test_reports_equal_engines import differences

_WORLDS_PER_CHUNK = 20
_TALK_US = "epoch_us(end_time) - epoch_us(answer_time)"
_DELAY_US = "epoch_us(coalesce(alert_time, answer_time)) - epoch_us(setup_time)"
_RING_US = "epoch_us(answer_time) - epoch_us(coalesce(alert_time, setup_time))"
_DELIVERED = (
    "count(*) FILTER (WHERE answer_time IS NOT NULL OR disconnect_cause IN (16, 17, 18, 19, 20, 21, 31))"
)


def _rank(value_us: str, percentile: int) -> str:
    values = f"list_sort(list({value_us} // 1000) FILTER (WHERE {value_us} IS NOT NULL))"
    return f"coalesce({values}[({percentile} * count({value_us}) + 99) // 100], -1)"


_METRICS: dict[str, tuple[dict[str, Any], str]] = {
    "calls": ({}, "count(*)"),
    "answered": ({}, "count(answer_time)"),
    "failed": ({}, "count(*) - count(answer_time)"),
    "duration_ms": ({}, f"coalesce(sum(({_TALK_US}) // 1000), 0)"),
    "asr": ({}, "100 * count(answer_time) / count(*)"),
    "acd": ({}, f"avg(({_TALK_US}) // 1000) / 1000"),
    "short_calls": ({"threshold_ms": 1_000}, f"count(*) FILTER (WHERE {_TALK_US} < 1000000)"),
    "short_share": (
        {"threshold_ms": 1_000},
        f"100 * count(*) FILTER (WHERE {_TALK_US} < 1000000) / nullif(count(answer_time), 0)",
    ),
    "answered_within": (
        {"threshold_ms": 0},
        "100 * count(*) FILTER (WHERE answer_time <= setup_time) / count(*)",
    ),
    "ring_time_mean": ({}, f"avg(({_RING_US}) // 1000) / 1000"),
    "ring_time_percentile": ({"percentile": 33}, _rank(f"({_RING_US})", 33)),
    "duration_percentile": ({"percentile": 95}, _rank(f"({_TALK_US})", 95)),
    "calls_with_cause": ({"causes": [17]}, "count(*) FILTER (WHERE disconnect_cause = 17)"),
    "cause_known": ({}, "100 * count(disconnect_cause) / count(*)"),
    "delivered": ({}, _DELIVERED),
    "ner": ({}, f"CASE WHEN count(disconnect_cause) > 0 THEN 100 * {_DELIVERED} / count(*) END"),
    "pdd_count": ({}, f"count({_DELAY_US})"),
    "pdd_mean": ({}, f"avg(({_DELAY_US}) // 1000) / 1000"),
    "pdd_percentile": ({"percentile": 50}, _rank(f"({_DELAY_US})", 50)),
    "unrated": (
        {},
        "count(answer_time) FILTER (WHERE customer_price IS NULL OR vendor_price IS NULL)",
    ),
}
"""Each metric with its parameters, and the expression for it."""


Figures = dict[tuple[str | None, int], list[Any]]
"""The metrics by vendor and day, the latter in seconds; only those with calls."""


@pytest.mark.parametrize("chunk", budget.CHUNKS)
def test_vendors_by_day_equal_duckdb(chunk: int, record_property: Callable[[str, object], None]) -> None:
    tally: Counter[str] = Counter()

    @drawn(_WORLDS_PER_CHUNK, "traffic equals DuckDB", chunk)
    @given(world=worlds(session_count_max=40, with_bad=False))
    def check(world: World) -> None:
        records = export.without_events(world.messages)
        require(bool(records), "records")
        ours, theirs = _ours(world, records), _theirs(records, world.now_us)
        found = differences(ours, theirs, "vendors by day")
        assert not found, found
        tally["vendors by day"] += len(ours)

    check()
    for name, count in tally.items():
        record_property(name, count)
    assert tally["vendors by day"] > _WORLDS_PER_CHUNK


def _ours(world: World, records: Sequence[SessionRecord]) -> Figures:
    service = shared_service(Config())
    service.load([Write(list(records), world.now_us)], world.now_us)
    response = service.ask(_request(records))
    assert isinstance(response, QueryTrafficResponse), response
    vendors = [group.keys[0].text if group.keys[0].HasField("text") else None for group in response.groups]
    cells = [(vendor, t) for vendor in vendors for t in response.t]
    columns = [[*column.integers, *column.doubles] for column in response.columns]
    rows = dict(zip(cells, map(list, zip(*columns, strict=True)), strict=True))
    return {cell: row for cell, row in rows.items() if row[0] > 0}


def _request(records: Sequence[SessionRecord]) -> QueryTrafficRequest:
    setups = [record.setup_time.seconds for record in records]
    metrics: list[Any] = [
        {"metric": f"TRAFFIC_METRIC_{name.upper()}", **parameters}
        for name, (parameters, _) in _METRICS.items()
    ]
    vendors: list[Any] = [{"dimension": "TRAFFIC_DIMENSION_TERM_ACCOUNTS_NAME"}]
    return QueryTrafficRequest(
        from_time=calendar.format_time("UTC", min(setups) * calendar.MICROSECONDS),
        to_time=calendar.format_time("UTC", (max(setups) + 1) * calendar.MICROSECONDS),
        granularity="GRANULARITY_DAY",
        attempts="ATTEMPTS_ALL",
        metrics=metrics,
        group_by=vendors,
    )


def _theirs(records: Sequence[SessionRecord], now_us: int) -> Figures:
    duckdb().load(export.sessions(records), export.code_decks({}))
    figures = ", ".join(expression for _, expression in _METRICS.values())
    rows = duckdb().ask(
        f"""SELECT term_accounts_name, epoch_us(setup_time) // 86400000000 * 86400 AS day, {figures}
        FROM sessions
        WHERE kind = {SESSION_KIND_CALL} AND end_time IS NOT NULL AND setup_time < make_timestamptz({now_us})
        GROUP BY ALL"""
    )
    return {
        (vendor, day): [math.nan if value is None else value for value in values]
        for vendor, day, *values in rows
    }
