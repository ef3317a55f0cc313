"""Metrics of the time that calls occupy, open hours and comparisons over gRPC, and what they cost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.config import Config
from pegcount.data_scope import DataScope
from pegcount.server.call_clock import CallClock
from pegcount.server.traffic import TrafficService
from pegcount.server.visible_records import VisibleRecords
from pegcount.v1 import traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, QueryTrafficResponse
from service import NOW_US, Service

from server_tests.example_requests import call_record
from server_tests.refusal import refusal
from server_tests.test_traffic import by, codes, keys

DAY_S = 1_773_100_800
"""2026-03-10."""
TEN_S = DAY_S + 36_000
US = 10**6


def at(text: str | None) -> Timestamp | None:
    """Reads minutes and seconds after 10:00."""
    if text is None:
        return None
    minutes, seconds = text.split(":")
    ms = 60_000 * int(minutes) + round(1_000 * float(seconds))
    return Timestamp(seconds=TEN_S + ms // 1_000, nanos=ms % 1_000 * US)


def call(session_id: str, vendor: int, setup: str, answer: str | None, end: str | None, **more: Any) -> Any:
    times = {"setup_time": at(setup), "answer_time": at(answer), "end_time": at(end)}
    return call_record(session_id, term_accounts_id=vendor, **{**times, **more})


EXAMPLE = (
    call("c1", 1, "00:00", "00:10", "05:10"),
    call("c2", 1, "01:00", None, "01:40"),
    call("c3", 1, "02:00", None, "02:00.8", is_last_attempt=False),
    call("c3b", 2, "02:01", "02:12", "02:16"),
    call("c4", 2, "04:00", "05:10", "20:10"),
    call("c5", 2, "14:50", None, "15:05"),
    call("c6", 1, "16:00", None, "16:00.5"),
    call("c7", 2, "17:00", None, "17:30"),
    call("c8", 1, "18:00", "18:06", "18:06"),
    call("c9", 1, "29:00", "29:05", "31:05"),
)
TALK, SEIZED = ("OCCUPANCY_TALK", "OCCUPANCY_SEIZED")
NAMES = ("PEAK", "PEAK_AT", "OCCUPIED_US", "ERLANG")
BY_VENDOR: dict[str, Any] = {"group_by": [by("TERM_ACCOUNTS_ID")], "attempts": "ATTEMPTS_ALL"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as running:
        running.write(*EXAMPLE)
        yield running


def question(*metrics: str, **more: Any) -> QueryTrafficRequest:
    """Builds a question; a metric may have its occupancy after a colon."""
    specs = [name.partition(":") for name in metrics]
    given = {
        "from_time": "2026-03-10T10:00:00Z",
        "to_time": "2026-03-10T10:45:00Z",
        "metrics": [
            {"metric": f"TRAFFIC_METRIC_{name}"}
            | ({"occupancy": f"OCCUPANCY_{occupancy}"} if occupancy else {})
            for name, _, occupancy in specs
        ],
        **more,
    }
    return json_format.ParseDict(given, QueryTrafficRequest())


def asked(service: Service, *metrics: str, **more: Any) -> QueryTrafficResponse:
    answer: QueryTrafficResponse = service.traffic.QueryTraffic(question(*metrics, **more), timeout=20)
    return answer


def values(column: traffic_pb2.TrafficColumn) -> list[Any]:
    return [*column.integers, *(round(value, 6) for value in column.doubles), *column.decimals]


def instant(text: str) -> int:
    found = at(text)
    assert found is not None
    return int(found.ToMicroseconds())


def test_the_worked_example(service: Service) -> None:
    quarters = "GRANULARITY_FIFTEEN_MINUTES"
    answer = asked(service, *NAMES, *(f"{name}:SEIZED" for name in NAMES), granularity=quarters)
    assert [values(column) for column in answer.columns] == [
        [2, 1, 1],
        [instant("02:12"), instant("15:00"), instant("30:00")],
        [894 * US, 365 * US, 65 * US],
        [0.993333, 0.405556, 0.072222],
        [2, 2, 1],
        [instant("01:00"), instant("15:00"), instant("30:00")],
        [1_035 * US, 411_500_000, 65 * US],
        [1.15, 0.457222, 0.072222],
    ]
    assert [values(column) for column in answer.totals] == [
        *([2], [instant("02:12")], [1_324 * US], [0.49037]),
        *([2], [instant("01:00")], [1_511_500_000], [0.559815]),
    ]
    one = asked(service, *NAMES, "CALLS")
    assert [values(column) for column in one.columns] == [values(column) for column in one.totals]
    assert [values(column) for column in one.totals[:3]] == [[2], [instant("02:12")], [1_324 * US]]


def test_calls_that_began_before_the_range_count(service: Service) -> None:
    answer = asked(service, "PEAK", "PEAK_AT", "CALLS", from_time="2026-03-10T10:05:30Z")
    assert [values(column) for column in answer.columns] == [[1], [instant("05:30")], [5]]
    # Nothing is set up here, and yet somebody talks.
    quiet = asked(service, "CALLS", "PEAK", from_time="2026-03-10T10:06:00Z", to_time="2026-03-10T10:07:00Z")
    assert [values(column) for column in quiet.columns] == [[0], [1]]


def test_active_calls_count_until_now_and_abandoned_ones_never(tmp_path: Path) -> None:
    now_us = instant("40:00")
    with Service(tmp_path, now_us=now_us) as running:
        running.write(call("a", 1, "10:00", "10:30", None), call("b", 1, "39:00", None, None))
        answer = asked(running, "PEAK", "OCCUPIED_US", "OCCUPIED_US:SEIZED", "CALLS", to_time="2026-03-11")
        assert [values(column) for column in answer.totals] == [[1], [1_770 * US], [1_860 * US], [0]]
        running.now_us += running.config.active_ttl_seconds * US
        later = asked(running, "PEAK", "OCCUPIED_US", to_time="2026-03-12")
        assert [values(column) for column in later.totals] == [[0], [0]]


def test_groups_without_calls_in_the_range_are_there(service: Service) -> None:
    given = {"from_time": "2026-03-10T10:19:00Z", "to_time": "2026-03-10T10:21:00Z", **BY_VENDOR}
    answer = asked(service, "CALLS", "PEAK", "ERLANG", **given)
    assert keys(answer) == [2]
    assert [values(column) for column in answer.columns] == [[0], [1], [round(70 / 120, 6)]]


@pytest.mark.parametrize("metric", range(5))
def test_the_first_groups_are_the_same_after_one_scan_and_after_three(
    service: Service, tmp_path: Path, metric: int
) -> None:
    """Each vendor has cells in more than two minutes, and their sums are exact in any case."""
    given = {
        "granularity": "GRANULARITY_MINUTE",
        "top": {"limit": 1, "metric": metric, "other": True},
        "compare": "COMPARISON_PREVIOUS_RANGE",
        **BY_VENDOR,
    }
    metrics = ("PEAK", "ERLANG", "CALLS", "OCCUPIED_US:SEIZED", "PEAK:SEIZED", "PEAK_AT")
    with Service(tmp_path / "narrow", config=Config(cell_count_max=45)) as narrow:
        narrow.write(*EXAMPLE, *(call(f"x{n}", 2 + n, "00:00", "00:10", "02:00") for n in range(30)))
        service.write(*(call(f"x{n}", 2 + n, "00:00", "00:10", "02:00") for n in range(30)))
        at_once, apart = (asked(each, *metrics, **given) for each in (service, narrow))
        assert refusal(lambda: asked(narrow, *metrics, **{**given, "top": None}))
    for each in (at_once, apart):
        each.range.ClearField("generated_at")
        each.compared.range.ClearField("generated_at")
    assert apart == at_once
    assert at_once.groups[-1].other
    assert at_once.group_count == 31


def test_hours_are_those_that_are_occupied(service: Service) -> None:
    """The call of the last minute goes on for as long in the next hour of a zone half an hour off."""
    given = {"time_zone": "Asia/Kolkata", "group_by": [by("HOUR_OF_DAY"), by("TERM_ACCOUNTS_ID")]}
    answer = asked(service, "CALLS", "OCCUPIED_US", "PEAK_AT", attempts="ATTEMPTS_ALL", **given)
    found = [[key.integer for key in group.keys] for group in answer.groups]
    assert found == [[15, 1], [15, 2], [16, 1]]
    assert [values(column) for column in answer.columns] == [
        [6, 4, 0],
        [355 * US, 904 * US, 65 * US],
        [instant("00:10"), instant("02:12"), instant("30:00")],
    ]
    hour = by("HOUR_OF_DAY", integers=[16])
    filtered = asked(service, "CALLS", "OCCUPIED_US", time_zone="Asia/Kolkata", filters=[hour])
    assert [values(column) for column in filtered.totals] == [[0], [65 * US]]
    # A filter by hour tells which calls count, and not which time is covered.
    assert list(filtered.covered_us) == [2_700 * US]
    weekday = asked(service, "PEAK", "CALLS", group_by=[by("WEEKDAY")])
    assert ([group.keys[0].integer for group in weekday.groups], values(weekday.columns[0])) == ([2], [2])


def test_too_many_groups_by_hour_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with Service(tmp_path, config=Config(cell_count_max=3)) as narrow:
        narrow.write(*EXAMPLE, call("d", 1, "70:00", "70:01", "90:00"))
        given = {
            "group_by": [by("HOUR_OF_DAY"), by("TERM_ACCOUNTS_ID")],
            "attempts": "ATTEMPTS_ALL",
            "top": {"limit": 1},
            "granularity": "GRANULARITY_FIFTEEN_MINUTES",
        }
        refused = refusal(lambda: asked(narrow, "PEAK", **given))
        assert refused.info.reason == "CELL_LIMIT_EXCEEDED"
        assert (
            "top forms all groups by HOUR_OF_DAY or WEEKDAY before it ranks them: filter" in refused.message
        )
        assert refused.metadata["allowed"] == "3"
        # Without intervals, scans select by the hour.
        assert asked(narrow, "CALLS", **given).group_count == 2


# ---- Open hours ----


def test_open_hours_clip_calls_and_time(service: Service) -> None:
    hours = {"from_time": "10:02", "to_time": "10:20"}
    given = {"open_hours": hours, "granularity": "GRANULARITY_FIFTEEN_MINUTES"}
    answer = asked(service, "CALLS", "OCCUPIED_US", "ERLANG", "PEAK", "CPS", "ASR", **given)
    assert list(answer.covered_us) == [780 * US, 300 * US, 0]
    assert [values(column)[:2] for column in answer.columns[:5]] == [
        [3, 3],
        [(190 + 4 + 590) * US, 300 * US],
        [round(784 / 780, 6), 1],
        [2, 1],
        [round(3 / 780, 6), round(3 / 300, 6)],
    ]
    # Bins without an open hour are there, without ratios.
    assert [str(values(column)[2]) for column in answer.columns] == ["0", "0", "nan", "0", "nan", "nan"]
    assert [values(column) for column in answer.totals[:3]] == [[6], [1_084 * US], [round(1_084 / 1_080, 6)]]


def test_calls_outside_the_open_hours_are_not_looked_at(service: Service) -> None:
    """Their currency does not matter, and whether they are rated neither."""
    rated = {"currency": "EUR", "customer_price": "1"}
    service.write(
        call("r", 1, "40:00", "40:01", "41:00", **rated),
        call("s", 1, "44:00", "44:01", "44:02", **{**rated, "currency": "USD"}),
    )
    assert refusal(lambda: asked(service, "REVENUE")).info.reason == "MIXED_CURRENCIES"
    hours = {"from_time": "10:35", "to_time": "10:43"}
    answer = asked(service, "REVENUE", open_hours=hours)
    assert (values(answer.totals[0]), codes(answer)) == (["1"], [])


def test_the_first_groups_within_open_hours(service: Service, tmp_path: Path) -> None:
    given = {
        "open_hours": {"from_time": "10:02", "to_time": "10:20"},
        "granularity": "GRANULARITY_MINUTE",
        "top": {"limit": 1, "metric": 1, "other": True},
        **BY_VENDOR,
    }
    with Service(tmp_path / "narrow", config=Config(cell_count_max=46)) as narrow:
        narrow.write(*EXAMPLE, *(call(f"x{n}", 3 + n, "02:00", "02:00", "02:30") for n in range(30)))
        service.write(*(call(f"x{n}", 3 + n, "02:00", "02:00", "02:30") for n in range(30)))
        at_once, apart = (asked(each, "CALLS", "ACD", "ERLANG", **given) for each in (service, narrow))
    for each in (at_once, apart):
        each.range.ClearField("generated_at")
    assert apart == at_once
    assert keys(at_once) == [2, "other"]


# ---- Comparison ----


def test_the_same_time_of_the_day_before(service: Service) -> None:
    def before(session_id: str, vendor: int, minute: int) -> Any:
        times = [Timestamp(seconds=TEN_S - 86_400 + 60 * minute + second) for second in (0, 10, 70)]
        return call_record(
            session_id,
            term_accounts_id=vendor,
            **dict(zip(("setup_time", "answer_time", "end_time"), times, strict=True)),
        )

    service.write(before("p1", 1, 0), before("p2", 1, 0), before("p3", 7, 20))
    given = {"granularity": "GRANULARITY_FIFTEEN_MINUTES", "compare": "COMPARISON_DAY", **BY_VENDOR}
    answer = asked(service, "CALLS", "PEAK", "PEAK_AT", "ASR", **given)
    compared = answer.compared
    assert compared.range.from_time == "2026-03-09T10:00:00Z"
    assert compared.range.to_time == "2026-03-09T10:45:00Z"
    assert list(compared.t) == [t - 86_400 for t in answer.t]
    assert keys(answer) == [1, 2]
    # The groups of the answer, in its order; the totals are of all groups.
    assert list(compared.columns[0].integers) == [2, 0, 0, 0, 0, 0]
    assert list(compared.group_totals[0].integers) == [2, 0]
    assert list(compared.totals[0].integers) == [3]
    assert list(compared.columns[1].integers) == [2, 0, 0, 0, 0, 0]
    assert list(compared.columns[2].integers)[:2] == [(TEN_S - 86_390) * US, -1]
    assert [round(value, 4) for value in compared.total_changes[0].percent] == [233.3333]
    assert [str(value) for value in compared.group_total_changes[0].percent] == ["200.0", "nan"]
    assert [str(value) for value in compared.group_total_changes[2].percent] == ["nan", "nan"]
    assert list(compared.total_changes[3].percent) == [-50.0]
    assert not asked(service, "CALLS").HasField("compared")


def test_all_other_groups_of_the_range_before(service: Service) -> None:
    """They are all that the answer does not show by name."""
    earlier = [call(f"p{n}", n, "46:00", "46:10", "47:00") for n in (1, 2, 7, 8)]
    service.write(*earlier)
    given = {
        "from_time": "2026-03-10T10:45:00Z",
        "to_time": "2026-03-10T11:30:00Z",
        "compare": "COMPARISON_PREVIOUS_RANGE",
        "top": {"limit": 1, "other": True},
        **BY_VENDOR,
    }
    answer = asked(service, "CALLS", **given)
    assert keys(answer) == [1, "other"]
    assert list(answer.compared.group_totals[0].integers) == [6, 4]
    assert list(answer.compared.totals[0].integers) == [10]


def test_amounts_of_the_range_before_are_in_one_currency(service: Service) -> None:
    """Those of the range itself are."""
    prices = [("40:00", "EUR", "3"), ("44:00", "EUR", "1"), ("50:00", "EUR", "2")]
    rated = [
        call(f"r{n}", 1, at_, at_, "52:00", currency=currency, customer_price=price)
        for n, (at_, currency, price) in enumerate(prices)
    ]
    service.write(*rated)
    given = {
        "from_time": "2026-03-10T10:45:00Z",
        "to_time": "2026-03-10T11:30:00Z",
        "compare": "COMPARISON_PREVIOUS_RANGE",
    }
    answer = asked(service, "REVENUE", **given)
    assert (values(answer.totals[0]), values(answer.compared.totals[0])) == (["2"], ["4"])
    assert list(answer.compared.total_changes[0].percent) == [-50.0]
    service.write(call("r9", 1, "41:00", "41:00", "42:00", currency="USD", customer_price="9"))
    refused = refusal(lambda: asked(service, "REVENUE", **given))
    assert refused.metadata == {"field": "metrics[0]", "currencies": "EUR, USD"}
    assert (
        "several currencies in the range that compare names, EUR, USD: group by CURRENCY" in refused.message
    )
    by_currency = asked(service, "REVENUE", group_by=[by("CURRENCY")], **given)
    assert [values(column) for column in by_currency.compared.group_totals] == [["4"]]


def test_values_of_a_comparison_are_limited(tmp_path: Path) -> None:
    with Service(tmp_path, config=Config(value_count_max=5)) as running:
        running.write(*EXAMPLE)
        given = {"granularity": "GRANULARITY_FIFTEEN_MINUTES"}
        assert asked(running, "CALLS", **given).group_count == 1
        refused = refusal(lambda: asked(running, "CALLS", compare="COMPARISON_DAY", **given))
        assert (refused.info.reason, refused.metadata["asked"]) == ("CELL_LIMIT_EXCEEDED", "6")


# ---- Scopes, notices and costs ----


def answered(service: Service, scope: DataScope | None, request: QueryTrafficRequest) -> QueryTrafficResponse:
    records = VisibleRecords(service.store, scope)
    service_of = TrafficService(service.config, lambda: service.now_us)
    report = service_of.traffic(request.SerializeToString(), records, core.CancelToken(None))
    answer = report.answer(core.CancelToken(None), CallClock()).data
    return QueryTrafficResponse.FromString(answer)


@pytest.mark.parametrize("keys_of", [{}, {"group_by": [by("ACCOUNT_ID")]}])
@pytest.mark.parametrize("top", [{}, {"top": {"limit": 5, "other": True}}])
@pytest.mark.parametrize("cell_count_max", [1_000_000, 4])
def test_calls_outside_a_data_scope_occupy_nothing(
    tmp_path: Path, keys_of: dict[str, Any], top: dict[str, Any], cell_count_max: int
) -> None:
    """Finished ones, active ones, and those of an earlier range; whichever scans an answer takes."""
    config = Config(cell_count_max=cell_count_max)
    with Service(tmp_path, config=config, now_us=instant("91:00")) as running:
        others = [call(f"o{n}", 1, "00:00", "00:10", "30:00", account_id=f"b{n}") for n in range(9)]
        active = [call(f"l{n}", 1, "00:00", "00:10", None, account_id=f"b{n}") for n in range(9)]
        running.write(*EXAMPLE, *others, *active)
        given = {**keys_of, **top, "compare": "COMPARISON_PREVIOUS_RANGE"}
        request = question("PEAK", "OCCUPIED_US", "ERLANG:SEIZED", "CALLS", **given)
        found = answered(running, DataScope(account_id=("a1",)), request)
        assert [values(column) for column in found.totals[:2]] == [[2], [1_324 * US]]
        assert values(found.totals[3]) == [9]
        assert {key.text for group in found.groups for key in group.keys} <= {"a1"}
        assert found.group_count == 1
        assert [values(column) for column in found.compared.totals[:2]] == [[0], [0]]
        shifted = question("PEAK", from_time="2026-03-10T10:45:00Z", to_time="2026-03-10T11:30:00Z", **given)
        later = answered(running, DataScope(account_id=("a1",)), shifted)
        assert (values(later.totals[0]), values(later.compared.totals[0])) == ([0], [2])
        if cell_count_max > 4 or not keys_of:
            assert values(answered(running, None, request).totals[0]) == [20]


def test_calls_before_the_first_record_may_be_missing(service: Service) -> None:
    """Those of seven days, the longest that a call may be, can reach into a range."""
    later = {"from_time": "2026-03-16T10:00:00Z", "to_time": "2026-03-16T11:00:00Z"}
    assert codes(asked(service, "CALLS", **later)) == []
    answer = asked(service, "PEAK", **later)
    assert codes(answer) == ["BEFORE_RETENTION"]
    assert "began" not in answer.notices[0].text
    assert answer.notices[0].text.startswith("calls from before the day of the oldest record held")
    assert (
        codes(asked(service, "PEAK", from_time="2026-03-17T00:00:00Z", to_time="2026-03-17T01:00:00Z")) == []
    )
    early = asked(service, "PEAK", from_time="2026-03-01", to_time="2026-03-02")
    assert [notice.text for notice in early.notices] == [
        "the range begins before the day of the oldest record held"
    ]


def test_an_unknown_account_is_told_where_nothing_is_occupied(service: Service) -> None:
    unknown = [by("TENANT_ID", integers=[404])]
    assert codes(asked(service, "PEAK", filters=unknown)) == ["BEFORE_RETENTION", "ID_NOT_SEEN"]


def prepared(service: Service, request: QueryTrafficRequest, **config: Any) -> Any:
    records = VisibleRecords(service.store)
    made = TrafficService(Config(**config), lambda: NOW_US)
    return made.traffic(request.SerializeToString(), records, core.CancelToken(None))


def test_intervals_are_estimated_from_the_first_call_that_may_reach_into_the_range(service: Service) -> None:
    calls, peaks = (prepared(service, question(name), call_seconds_max=3_600) for name in ("CALLS", "PEAK"))
    assert calls.scan.edge_us[0] - peaks.scan.edge_us[0] == 3_600 * US
    assert calls.scan.edge_us[1] == peaks.scan.edge_us[1]
    assert (calls.pass_count, peaks.pass_count) == (1, 2)
    # Active sessions are read, too.
    assert len(calls.scan.predicates) - len(peaks.scan.predicates) == 1
    both = prepared(service, question("PEAK", "PEAK_AT", "ERLANG", compare="COMPARISON_DAY"))
    assert both.pass_count == 2 * 3


def test_an_answer_of_too_many_values_is_refused_after_one_scan(tmp_path: Path) -> None:
    """The three scans of `top` were tried first, with as many values."""
    with Service(tmp_path, config=Config(value_count_max=3)) as running:
        running.write(*EXAMPLE)
        scanned = list[int]()
        records = VisibleRecords(running.store, note_rows=scanned.append)
        request = question("CALLS", "ASR", top={"limit": 2}, **BY_VENDOR).SerializeToString()
        report = TrafficService(running.config, lambda: NOW_US).traffic(
            request, records, core.CancelToken(None)
        )
        with pytest.raises(Exception, match="4 values"):
            report.answer(core.CancelToken(None), CallClock())
        assert len(scanned) == 1
