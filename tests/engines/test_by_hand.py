"""Tests every quality filter and both edges of a range deliberately, rather than at random."""

from collections.abc import Sequence
from typing import Any

import pytest
from oracle import calendar
from oracle import requests as requests_of
from oracle.strategies import DIMENSIONS
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SessionRecord

from . import differences, examples, quality, usage
from .engine import Engine
from .examples import call
from .test_reports_equal_engines import differences as found_differences

TEXTS = ("4", "49", "15", "4915", "+", "331", "none")
SECONDS = (-1, 0, 1, 2, 59, 60, 290)
PRICES = (*requests_of.PRICES, "9223372036.854775806")
BLOCKS = (
    *("198.51.100.1", "198.51.100.0/24", "198.51.100.2/31", "0.0.0.0/0", "::/0", "2001:db8::/32"),
    *("2001:db8::1", "::ffff:198.51.100.1", "::ffff:198.51.100.0/120", "203.0.113.9/32"),
)
FILTERS: tuple[dict[str, Any], ...] = (
    *(
        {name: {relation: text}}
        for name in ("src_prefix_routing", "dst_prefix_routing")
        for relation in ("eq", "starts_with", "ends_with", "contains")
        for text in TEXTS
    ),
    *({"duration": {relation: seconds}} for relation in ("eq", "gt", "lt") for seconds in SECONDS),
    *({"customer_price": {relation: price}} for relation in ("eq", "gt", "lt") for price in PRICES),
    *({"auth_orig_ip": block} for block in BLOCKS),
    *({name: country} for name in ("src_country_id", "dst_country_id") for country in (1, 2, 99)),
)
DURATIONS = ("00", "00.999999", "01", "01.4", "01.999999", "02", "59", "59.999")
ENGINES = pytest.mark.parametrize("engine", examples.engines(), ids=lambda engine: engine.name)


def calls_of_every_value() -> list[SessionRecord]:
    """Builds a call for each value of each filtered field, and calls with fractional durations."""
    names = (
        *("src_prefix_routing", "dst_prefix_routing", "customer_price", "auth_orig_ip"),
        *("src_country_id", "dst_country_id"),
    )
    values = [{name: value} for name in names for value in DIMENSIONS[name] if value is not None]
    found = [
        call(f"2026-01-01T{index // 60:02}:{index % 60:02}:00Z", account_id="1", **value)
        for index, value in enumerate(values)
    ]
    return found + [
        call(
            f"2026-01-02T00:{index:02}:00Z",
            f"2026-01-02T00:{index:02}:00Z",
            f"2026-01-02T00:{index:02}:{duration}Z",
            account_id="1",
        )
        for index, duration in enumerate(DURATIONS)
    ]


@ENGINES
def test_every_filter(engine: Engine) -> None:
    examples.load_everywhere(calls_of_every_value())
    counts = []
    for filters in FILTERS:
        request = reports_pb2.QueryOriginationQualityRequest(
            account_id="1",
            from_time="2026-01-01",
            to_time="2026-01-03",
            sampling="GRANULARITY_DAY",
            **filters,
        )
        counts.append(check(engine, request, quality, allowed_differences=["inet_is_an_extension"]))
    assert sum(count > 0 for count in counts) > len(FILTERS) // 2 - len(BLOCKS)


EDGES = ("2026-03-29T00:10:00Z", "2026-03-29T03:20:00Z")


def calls_around(edges: Sequence[str]) -> list[SessionRecord]:
    found = []
    for edge in edges:
        edge_us = calendar.parse_time(edge, "UTC")
        found += [
            call(calendar.format_time("UTC", edge_us + past_us), account_id="1")
            for past_us in (-1, 0, 1, -600_000_000, 600_000_000)
        ]
    return found


@ENGINES
@pytest.mark.parametrize("granularity", reports_pb2.Granularity.keys()[1:])
def test_edges_of_a_range(engine: Engine, granularity: str) -> None:
    """Clocks in Berlin go forward within the range."""
    examples.load_everywhere(calls_around(EDGES))
    fields: dict[str, Any] = {"from_time": EDGES[0], "to_time": EDGES[1], "time_zone": "Europe/Berlin"}
    asked_usage = reports_pb2.QueryAsrUsageRequest(
        granularity=granularity, kind="SESSION_KIND_CALL", **fields
    )
    assert check(engine, asked_usage, usage) > 0
    asked_quality = reports_pb2.QueryOriginationQualityRequest(account_id="1", sampling=granularity, **fields)
    assert check(engine, asked_quality, quality) == 5


def check(engine: Engine, request: Any, report: Any, allowed_differences: Sequence[str] = ()) -> int:
    """Compares both answers unless a difference in `but` applies, and returns our count of calls."""
    response = examples.ask_ok(request)
    asked: differences.Asked = report.asked(request, response, examples.NOW_US)
    assert set(engine.differs(asked)) <= set(allowed_differences)
    if not engine.differs(asked):
        theirs = report.theirs(engine, asked, examples.NOW_US)
        assert found_differences(report.ours(response), theirs, "answer") == []
    totals = response.totals
    return int(totals.total_calls if report is quality else totals.session_count)
