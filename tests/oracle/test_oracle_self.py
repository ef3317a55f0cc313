"""Checks the oracle's reports against figures worked out by hand."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from pegcount.config import Config
from pegcount.v1 import records_pb2, reports_pb2
from pegcount.v1.admin_pb2 import CodeDeckEntry
from pegcount.v1.records_pb2 import SessionRecord

from . import active, compare, folder, quality, records, usage
from .expected import ExpectedError, Violation
from .samples import US, at, merged_sessions, record

MINUTE, HOUR, DAY = (
    reports_pb2.GRANULARITY_MINUTE,
    reports_pb2.GRANULARITY_HOUR,
    reports_pb2.GRANULARITY_DAY,
)


def asr_on(day: str, count: int) -> list[SessionRecord]:
    return [
        record(f"{day}/{number}", at(day) + number * US, kind=records_pb2.SESSION_KIND_ASR)
        for number in range(count)
    ]


def usage_of(sessions: list[records.Session], now: str, **fields: Any) -> reports_pb2.QueryAsrUsageResponse:
    answer = usage.answer(reports_pb2.QueryAsrUsageRequest(**fields), sessions, at(now))
    assert isinstance(answer, reports_pb2.QueryAsrUsageResponse)
    return answer


def test_adjacent_windows_add_up() -> None:
    cut = at("2026-03-01T12:00:00Z")
    setups = [cut - 1 - n for n in range(180)] + [cut] * 3 + [cut + 1 + n for n in range(141)]
    sessions = merged_sessions(
        *(record(str(n), setup, kind="SESSION_KIND_ASR") for n, setup in enumerate(setups))
    )
    times = ("2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z")
    counts = [
        usage_of(sessions, "2026-03-02", from_time=start, to_time=end, granularity=HOUR).totals.session_count
        for start, end in pairwise(times)
    ]
    assert counts == [180, 144]


def test_moving_average_reads_warmup_days() -> None:
    days = {"2026-03-01": 10, "2026-03-02": 20, "2026-03-03": 30, "2026-03-04": 40}
    sessions = merged_sessions(*(message for day, count in days.items() for message in asr_on(day, count)))
    answer = usage_of(
        sessions,
        "2026-03-04T12:00:00Z",
        from_time="2026-03-03T05:00:00",
        granularity=DAY,
        sma_period=3,
    )
    assert [of_bin.sma for of_bin in answer.bins] == [20.0, 30.0]
    assert [of_bin.session_count for of_bin in answer.bins] == [30, 40]
    assert [of_bin.complete for of_bin in answer.bins] == [True, False]
    assert (answer.range.from_time, answer.range.to_time) == ("2026-03-03T00:00:00Z", "2026-03-05T00:00:00Z")
    assert answer.totals == reports_pb2.AsrUsageTotals(
        session_count=70, busiest_start_time="2026-03-04T00:00:00Z", busiest_count=40
    )
    assert not answer.notices


def test_moving_average_before_the_oldest_day_gets_a_notice() -> None:
    answer = usage_of(
        merged_sessions(*asr_on("2026-03-02", 1)),
        "2026-03-05",
        from_time="2026-03-02",
        to_time="2026-03-03",
        granularity=DAY,
        sma_period=2,
    )
    assert [notice.code for notice in answer.notices] == [reports_pb2.NOTICE_CODE_BEFORE_RETENTION]
    assert answer.bins[0].sma == 0.5


def test_range_that_begins_now_has_no_bins() -> None:
    answer = usage_of([], "2026-03-05", from_time="2026-03-05", granularity=DAY)
    assert [notice.code for notice in answer.notices] == [
        reports_pb2.NOTICE_CODE_FROM_IN_FUTURE,
        reports_pb2.NOTICE_CODE_KIND_NOT_SEEN,
    ]
    assert not answer.bins
    assert answer.totals == reports_pb2.AsrUsageTotals(session_count=0)
    assert answer.range.to_time == "2026-03-05T00:00:00Z"


def test_every_violation_of_a_usage_request_is_reported() -> None:
    request = reports_pb2.QueryAsrUsageRequest(
        from_time="2026-03-02", to_time="2026-03-02", granularity=HOUR, sma_period=0, time_zone="UTC"
    )
    assert usage.answer(request, [], 0) == ExpectedError(
        "INVALID_ARGUMENT",
        None,
        frozenset(
            {
                Violation("from_time", "EMPTY_RANGE"),
                Violation("sma_period", "VALUE_OUT_OF_RANGE"),
                Violation("sma_period", "SMA_NEEDS_DAY"),
            }
        ),
    )


def active_of(
    sessions: list[records.Session], now_us: int, **fields: Any
) -> reports_pb2.QueryActiveSessionsResponse:
    decks = {1: [CodeDeckEntry(code="49", name="Germany"), CodeDeckEntry(code="4915", name="Mobile")]}
    answer = active.answer(reports_pb2.QueryActiveSessionsRequest(**fields), sessions, now_us, decks=decks)
    assert isinstance(answer, reports_pb2.QueryActiveSessionsResponse)
    return answer


def test_rollup_of_client_and_equipment() -> None:
    quantities = {("A", "e1"): 3, ("A", "e2"): 2, ("B", "e1"): 4}
    sessions = merged_sessions(
        *(
            record(f"{client}{equipment}{n}", n, orig_clients_name=client, equipment_name=equipment)
            for (client, equipment), quantity in quantities.items()
            for n in range(quantity)
        )
    )
    answer = active_of(
        sessions,
        100,
        return_fields=["orig_clients_name", "equipment_name", "quantity"],
        grouping="GROUPING_ROLLUP",
        limit=1,
        order=["-quantity"],
    )
    assert list(answer.rows) == [
        active.Row(orig_clients_name="B", equipment_name="e1", quantity=4),
    ]
    assert answer.row_count == 3
    assert list(answer.subtotals) == [
        active.Row(orig_clients_name="A", quantity=5, level=1),
        active.Row(orig_clients_name="B", quantity=4, level=1),
    ]
    assert answer.total == active.Row(quantity=9)


def test_absent_values_come_last_in_both_directions() -> None:
    sessions = merged_sessions(record("a", 0, equipment_id=1), record("b", 0), record("c", 0, equipment_id=2))
    for order, expected in (("equipment_id", "acb"), ("-equipment_id", "cab")):
        answer = active_of(sessions, 10, return_fields=["session_id", "equipment_id"], order=[order])
        assert "".join(row.session_id for row in answer.rows) == expected


def test_aggregates_alone_return_one_row_even_without_active_sessions() -> None:
    for sessions, row in (
        ([], active.Row(quantity=0, duration=0)),
        (
            merged_sessions(record("a", 0, 600_000), record("b", 0, 500_000)),
            active.Row(quantity=2, duration=2),
        ),
    ):
        answer = active_of(sessions, 1_900_000, return_fields=["duration", "quantity"])
        assert list(answer.rows) == [row]


def test_deck_supplies_matching_code_name_and_country() -> None:
    sessions = merged_sessions(
        record("a", 0, orig_dst_party_id="+491512345", orig_rates_code="49", orig_rates_country="DE"),
        record("b", 0, orig_dst_party_id="33", orig_rates_code="33"),
    )
    fields = ["session_id", "orig_rates_code", "orig_rates_code_name", "orig_rates_country"]
    answer = active_of(sessions, 1, return_fields=fields, code_deck=1)
    assert list(answer.rows) == [
        active.Row(session_id="a", orig_rates_code="4915", orig_rates_code_name="Mobile"),
        active.Row(session_id="b"),
    ]
    filtered = active_of(
        sessions, 1, return_fields=["session_id"], code_deck=1, filters={"orig_rates_code": ["33", "4915"]}
    )
    assert [row.session_id for row in filtered.rows] == ["a"]


def test_session_is_abandoned_when_it_is_exactly_ttl_old() -> None:
    sessions = merged_sessions(record("a", 0), received_us=5)
    ttl_us = Config().active_ttl_seconds * US
    fields: dict[str, Any] = {"return_fields": ["quantity"]}
    assert active_of(sessions, ttl_us + 4, **fields).rows[0].quantity == 1
    assert active_of(sessions, ttl_us + 5, **fields).rows[0].quantity == 0


FOLDER: dict[str, Any] = {"company": "c", "organization": "o"}


def test_folder_rows_by_local_day_and_folder_with_agents() -> None:
    night = at("2026-03-01T23:30:00Z")  # 00:30 on 2 March in Berlin
    sessions = merged_sessions(
        record("a", night, night, night + 1_999_999, folder="f", agent_id="x", **FOLDER),
        record("b", night, None, night + US, folder="f", **FOLDER),
        record("c", night - 3600 * US, night, night + 500, agent_id="x", **FOLDER),
        record("d", night, night, night + US, is_last_attempt=False, folder="f", **FOLDER),
        record("e", night, night, folder="f", **FOLDER),
    )
    request = reports_pb2.QueryFolderStatsRequest(
        from_date="20260301", to_date="2026-03-02", time_zone="Europe/Berlin", **FOLDER
    )
    answer = folder.answer(request, sessions, at("2026-04-01"))
    assert isinstance(answer, reports_pb2.QueryFolderStatsResponse)
    none_ms: dict[str, Any] = {"call_count": 1, "answered_count": 1, "duration_ms": 0}
    one: dict[str, Any] = {"call_count": 1, "answered_count": 1, "duration_ms": 1999}
    compare.assert_equal(
        answer,
        reports_pb2.QueryFolderStatsResponse(
            range=reports_pb2.ResolvedRange(
                from_time="2026-03-01T00:00:00+01:00",
                to_time="2026-03-03T00:00:00+01:00",
                time_zone="Europe/Berlin",
                granularity="GRANULARITY_DAY",
            ),
            notices=[reports_pb2.Notice(code="NOTICE_CODE_BEFORE_RETENTION")],
            rows=[
                reports_pb2.FolderStatsRow(
                    date="2026-03-01",
                    folder="",
                    average_duration_seconds=0,
                    agents=[{"agent_id": "x", "average_duration_seconds": 0, **none_ms}],
                    **none_ms,
                ),
                reports_pb2.FolderStatsRow(
                    date="2026-03-02",
                    folder="f",
                    call_count=2,
                    answered_count=1,
                    duration_ms=1999,
                    average_duration_seconds=1.999,
                    agents=[{"agent_id": "x", "average_duration_seconds": 1.999, **one}],
                ),
            ],
            totals=reports_pb2.FolderStatsTotals(
                call_count=3, answered_count=2, duration_ms=1999, average_duration_seconds=0.9995
            ),
        ),
    )


def test_unknown_folder_precedes_a_reversed_range() -> None:
    sessions = merged_sessions(record("a", 0, folder="f", company="c", organization="o"))
    reversed_dates: dict[str, Any] = {"from_date": "2026-03-02", "to_date": "2026-03-01", **FOLDER}
    cases = {"g": "FOLDER_NOT_FOUND", "f": None}
    for name, reason in cases.items():
        answer = folder.answer(
            reports_pb2.QueryFolderStatsRequest(folder=name, **reversed_dates), sessions, 0
        )
        if reason is not None:
            assert isinstance(answer, ExpectedError)
            assert (answer.code, answer.reason) == ("NOT_FOUND", reason)
        else:
            assert isinstance(answer, reports_pb2.QueryFolderStatsResponse)
            assert [notice.code for notice in answer.notices] == [reports_pb2.NOTICE_CODE_RANGE_REVERSED]
            assert answer.range.from_time == "2026-03-02T00:00:00Z"
            assert answer.range.to_time == "2026-03-02T00:00:00Z"


def quality_of(
    sessions: list[records.Session], now: str, **fields: Any
) -> reports_pb2.QueryOriginationQualityResponse:
    answer = quality.answer(
        reports_pb2.QueryOriginationQualityRequest(account_id="1", **fields), sessions, at(now)
    )
    assert isinstance(answer, reports_pb2.QueryOriginationQualityResponse)
    return answer


def test_published_example_of_origination_quality() -> None:
    start = at("2026-03-01T12:00:00Z")
    messages = []
    for minute, (total, answered) in enumerate([(180, 155), (140, 120), (200, 170)]):
        setup = start + minute * 60 * US
        for number in range(total):
            answer_us = setup if number < answered else None
            end_us = setup + 290_400_000
            messages.append(record(f"{minute}/{number}", setup, answer_us, end_us, account_id="1"))
    answer = quality_of(
        merged_sessions(*messages),
        "2026-03-02",
        from_time="2026-03-01T12:00:00",
        to_time="2026-03-01T12:03:00",
        sampling=MINUTE,
    )
    assert list(answer.data.t) == [start // US, start // US + 60, start // US + 120]
    assert list(answer.data.total_calls) == [180, 140, 200]
    assert list(answer.data.answered_calls) == [155, 120, 170]
    assert list(answer.data.acd) == [290.4] * 3
    assert [round(value, 2) for value in answer.data.asr] == [86.11, 85.71, 85.0]
    assert list(answer.data.cps) == [3.0, 7 / 3, 10 / 3]
    totals = answer.totals
    assert (totals.total_calls, round(totals.asr, 2), round(totals.cps_mean, 2)) == (520, 85.58, 2.89)
    assert (round(totals.cps_peak, 2), round(totals.cps_sum, 2)) == (3.33, 8.67)
    assert answer.rows == 3


def test_clipped_bins_count_only_their_covered_part() -> None:
    start = at("2026-03-01T12:00:00Z")
    messages = [record(str(n), start + 30 * US, end=start + 31 * US, account_id="1") for n in range(3)]
    messages.append(record("whole", start + 60 * US, end=start + 61 * US, account_id="1"))
    messages.append(record("before", start + 30 * US - 1, end=start + 31 * US, account_id="1"))
    answer = quality_of(
        merged_sessions(*messages),
        "2026-03-01T12:02:15",
        from_time="2026-03-01T12:00:30",
        to_time="2026-03-01T13:00:00",
        sampling=MINUTE,
    )
    assert list(answer.data.t) == [start // US, start // US + 60, start // US + 120]
    assert list(answer.data.cps) == [0.1, 1 / 60, 0.0]
    assert answer.totals.cps_peak == 1 / 60
    assert answer.totals.cps_mean == float(Fraction(4, 105))
    assert answer.range.to_time == "2026-03-01T12:02:15Z"
    assert answer.data.acd[0] != answer.data.acd[0]
    assert not answer.totals.HasField("acd")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"duration": {"eq": 0}}, "bc"),
        ({"duration": {"lt": 2}}, "bc"),
        ({"duration": {"gt": 1}}, "a"),
        ({"customer_price": {"eq": "0.10000"}}, "a"),
        ({"customer_price": {"gt": "0.0999999999999", "lt": "0.1000000000001"}}, "a"),
        ({"auth_orig_ip": "198.51.100.0/24"}, "ab"),
        ({"auth_orig_ip": "::ffff:198.51.100.1"}, "a"),
        ({"auth_orig_ip": "::/0"}, ""),
        ({"src_prefix_routing": {"starts_with": "49", "contains": "915"}}, "a"),
        ({"dst_country_id": 7}, "b"),
    ],
)
def test_quality_filters(fields: dict[str, Any], expected: str) -> None:
    sessions = merged_sessions(
        record(
            *("a", 0, 0, 2_999_999),
            account_id="1",
            customer_price="0.1",
            auth_orig_ip="198.51.100.1",
            src_prefix_routing="4915",
        ),
        record("b", 1, 1, 2, account_id="1", auth_orig_ip="::ffff:198.51.100.2", dst_country_id=7),
        record("c", 2, None, 3_000_000, account_id="1", auth_orig_ip="no address"),
    )
    letters = ""
    for session in sorted(sessions, key=lambda session: session.session_id):
        found = quality_of([session], "1970-01-02", from_time="1970-01-01", sampling=DAY, **fields)
        letters += session.session_id * found.totals.total_calls
    assert letters == expected


def test_every_violation_of_a_quality_request_is_reported() -> None:
    request = reports_pb2.QueryOriginationQualityRequest(
        from_time="2026-02-30",
        to_time="2026-03-01T00:00:00",
        time_zone="Mars/Base",
        auth_orig_ip="198.51.100.1/24",
        customer_price={"eq": "1e3", "lt": ""},
        duration={},
    )
    answer = quality.answer(request, [], 0)
    assert isinstance(answer, ExpectedError)
    assert {(violation.field, violation.reason) for violation in answer.violations} == {
        ("account_id", "REQUIRED_FIELD_MISSING"),
        ("sampling", "REQUIRED_FIELD_MISSING"),
        ("from_time", "MALFORMED_TIME"),
        ("time_zone", "UNKNOWN_TIME_ZONE"),
        ("auth_orig_ip", "MALFORMED_ADDRESS"),
        ("customer_price.eq", "MALFORMED_DECIMAL"),
        ("customer_price.lt", "EMPTY_FILTER"),
        ("duration", "EMPTY_FILTER"),
    }
