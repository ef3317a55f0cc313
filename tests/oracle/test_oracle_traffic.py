"""The oracle gives the worked figures of docs/semantics.md, section Traffic."""

from collections.abc import Sequence
from typing import Any

import pytest
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, QueryTrafficResponse, TrafficColumn

from oracle.samples import at, merged_sessions, record, stamp
from oracle.traffic.answer import answer
from oracle.traffic.figures import nearest_rank

NOW_US = at("2026-03-11")

# Name, vendor, setup, first ringing, answer, end, cause, is last attempt, price, vendor's price.
CALLS: Sequence[tuple[Any, ...]] = (
    ("c1", "V1", "10:00:00", "10:00:02", "10:00:10", "10:05:10", 16, True, "0.30", "0.20"),
    ("c2", "V1", "10:01:00", "10:01:01.5", None, "10:01:40", 19, True, None, None),
    ("c3", "V1", "10:02:00", None, None, "10:02:00.8", 34, False, None, None),
    ("c3b", "V2", "10:02:01", "10:02:05", "10:02:12", "10:02:16", 16, True, "0.01", "0.008"),
    ("c4", "V2", "10:04:00", "10:04:03", "10:05:10", "10:20:10", 16, True, "0.90", "0.72"),
    ("c5", "V2", "10:14:50", "10:14:51", None, "10:15:05", 17, True, None, None),
    ("c6", "V1", "10:16:00", None, None, "10:16:00.5", None, True, None, None),
    ("c7", "V2", "10:17:00", "10:17:02", None, "10:17:30", 16, True, None, None),
    ("c8", "V1", "10:18:00", "10:18:04", "10:18:06", "10:18:06", 16, True, "0", "0"),
    ("c9", "V1", "10:29:00", "10:29:01.2", "10:29:05", "10:31:05", 16, True, "0.12", "0.13"),
)


def messages() -> list[SessionRecord]:
    """The calls of the example of docs/semantics.md, of one account and without currencies."""
    return [_message(*call) for call in CALLS]


def _message(
    name: str,
    vendor: str,
    setup: str,
    alert: str | None,
    answered: str | None,
    end: str,
    cause: int | None,
    is_last: bool,
    price: str | None,
    vendor_price: str | None,
) -> SessionRecord:
    def instant(text: str | None) -> int | None:
        return None if text is None else at(f"2026-03-10T{text}Z")

    alert_us = instant(alert)
    found = record(name, at(f"2026-03-10T{setup}Z"), instant(answered), instant(end), account_id="1")
    found.MergeFrom(
        SessionRecord(
            alert_time=None if alert_us is None else stamp(alert_us),
            disconnect_cause=cause,
            is_last_attempt=is_last,
            term_accounts_name=vendor,
            customer_price=price,
            vendor_price=vendor_price,
        )
    )
    return found


def asked(*metrics: dict[str, Any], **fields: Any) -> QueryTrafficResponse:
    specs = [{**spec, "metric": f"TRAFFIC_METRIC_{spec['metric']}"} for spec in metrics]
    request = QueryTrafficRequest(
        from_time="2026-03-10T10:00:00Z", to_time="2026-03-10T10:30:00Z", metrics=specs, **fields
    )
    found = answer(request, merged_sessions(*messages()), NOW_US)
    assert isinstance(found, QueryTrafficResponse), found
    return found


def values(column: TrafficColumn) -> list[Any]:
    """Returns the values of a column, of which doubles equal their first three decimals."""
    doubles = (pytest.approx(value, abs=0.000_501) for value in column.doubles)
    return [*column.integers, *column.decimals, *doubles]


TOTALS: Sequence[tuple[dict[str, Any], Any]] = (
    ({"metric": "CALLS"}, 9),
    ({"metric": "ANSWERED"}, 5),
    ({"metric": "FAILED"}, 4),
    ({"metric": "DURATION_MS"}, 1_324_000),
    ({"metric": "ASR"}, 55.556),
    ({"metric": "ACD"}, 264.8),
    ({"metric": "NER"}, 88.889),
    ({"metric": "DELIVERED"}, 8),
    ({"metric": "NER", "causes": [17, 18, 19, 20, 21, 31]}, 77.778),
    ({"metric": "CAUSE_KNOWN"}, 88.889),
    ({"metric": "CALLS_WITH_CAUSE", "causes": [17, 19]}, 2),
    ({"metric": "SHORT_CALLS", "threshold_ms": 6000}, 2),
    ({"metric": "SHORT_SHARE", "threshold_ms": 6000}, 40.0),
    ({"metric": "ANSWERED_WITHIN", "threshold_ms": 10_000}, 33.333),
    ({"metric": "ANSWERED_WITHIN", "threshold_ms": 9_999}, 22.222),
    ({"metric": "RING_TIME_MEAN"}, 17.56),
    ({"metric": "RING_TIME_PERCENTILE", "percentile": 50}, 7000),
    ({"metric": "DURATION_PERCENTILE", "percentile": 50}, 120_000),
    ({"metric": "REVENUE"}, "1.33"),
    ({"metric": "COST"}, "1.058"),
    ({"metric": "MARGIN"}, "0.272"),
    ({"metric": "MARGIN_SHARE"}, 20.451),
    ({"metric": "UNRATED"}, 0),
    ({"metric": "PDD_COUNT"}, 8),
    ({"metric": "PDD_MEAN"}, 2.337_5),
    ({"metric": "PDD_PERCENTILE", "percentile": 50}, 2000),
    ({"metric": "PDD_PERCENTILE", "percentile": 95}, 4000),
    ({"metric": "CPS"}, 0.005),
    ({"metric": "CPS_PEAK"}, 1),
)


@pytest.mark.parametrize(("metric", "expected"), TOTALS, ids=str)
def test_last_attempts(metric: dict[str, Any], expected: Any) -> None:
    found = asked(metric)
    assert values(found.totals[0]) == [expected]
    assert values(found.columns[0]) == [expected]


def test_bins() -> None:
    metrics = [{"metric": name} for name in ("CALLS", "ANSWERED", "ASR", "ACD", "MARGIN")]
    found = asked(*metrics, granularity="GRANULARITY_FIFTEEN_MINUTES")
    assert found.t == [at("2026-03-10T10:00:00Z") // 10**6, at("2026-03-10T10:15:00Z") // 10**6]
    assert [values(column) for column in found.columns] == [
        [5, 4],
        [3, 2],
        [60.0, 50.0],
        [401.333, 60.0],
        ["0.282", "-0.01"],
    ]


def test_vendors_with_all_attempts() -> None:
    metrics = [{"metric": name} for name in ("CALLS", "ANSWERED", "ASR", "ACD", "NER")]
    found = asked(
        *metrics, attempts="ATTEMPTS_ALL", group_by=[{"dimension": "TRAFFIC_DIMENSION_TERM_ACCOUNTS_NAME"}]
    )
    assert [group.keys[0].text for group in found.groups] == ["V1", "V2"]
    assert [values(column) for column in found.group_totals] == [
        [6, 4],
        [3, 2],
        [50.0, 50.0],
        [140.0, 452.0],
        [66.667, 100.0],
    ]
    assert [values(column) for column in found.totals[:3]] == [[10], [5], [50.0]]


@pytest.mark.parametrize(("percentile", "expected"), [(50, 1500), (90, 5200), (95, 11_000)])
def test_nearest_rank(percentile: int, expected: int) -> None:
    delays = [11_000, 800, 900, 1000, 5200, 1200, 1500, 1800, 2400, 3100]
    assert nearest_rank(delays, percentile) == expected
    assert sum(delays) == 2_890 * len(delays)


def test_top_and_other() -> None:
    metrics: list[dict[str, Any]] = [{"metric": "CALLS"}, {"metric": "PDD_PERCENTILE", "percentile": 50}]
    found = asked(
        *metrics,
        group_by=[{"dimension": "TRAFFIC_DIMENSION_CAUSE"}],
        top={"metric": 0, "limit": 2, "other": True},
    )
    assert [[key.integer for key in group.keys] for group in found.groups] == [[16], [17], []]
    assert [group.other for group in found.groups] == [False, False, True]
    assert found.group_count == 4
    assert values(found.group_totals[0]) == [6, 1, 2]
    assert values(found.group_totals[1]) == [2000, 1000, 1500]
