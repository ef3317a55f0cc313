"""The typed answers say what the answers of the service say."""

import copy
import logging
import pickle
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.message import Message
from pegcount.v1 import reports_pb2
from pegcount_client.enums import Granularity, NoticeCode
from pegcount_client.reports import (
    ActiveSessionRow,
    ActiveSessions,
    AsrUsage,
    AsrUsageBin,
    AsrUsageTotals,
    FolderAgentRow,
    FolderStats,
    FolderStatsRow,
    FolderStatsTotals,
    Notice,
    OriginationQuality,
    OriginationQualityBin,
    OriginationQualityTotals,
    ReportRange,
)
from pegcount_client.requests import (
    RETURN_FIELDS,
    active_sessions_request,
    asr_usage_request,
    folder_stats_request,
    origination_quality_request,
)
from pegcount_client.times import UnknownZoneError
from service import Service

from client_tests.report_records import ACTIVE_FIELDS, ODD_ID

BERLIN = ZoneInfo("Europe/Berlin")
SHORT_DAY = {
    "from_time": datetime(2026, 3, 29, tzinfo=BERLIN),
    "to_time": datetime(2026, 3, 30, tzinfo=BERLIN),
}


def asr_usage(service: Service, **query: Any) -> tuple[AsrUsage, reports_pb2.QueryAsrUsageResponse]:
    request = asr_usage_request({**SHORT_DAY, "granularity": Granularity.HOUR, **query})  # type: ignore[typeddict-item]
    response = service.reports.QueryAsrUsage(request)
    return AsrUsage.from_response(response), response


def quality(
    service: Service, **query: Any
) -> tuple[OriginationQuality, reports_pb2.QueryOriginationQualityResponse]:
    asked = {**SHORT_DAY, "sampling": Granularity.HOUR, "account_id": "1001", **query}
    response = service.reports.QueryOriginationQuality(origination_quality_request(asked))  # type: ignore[arg-type]
    return OriginationQuality.from_response(response), response


def folders(service: Service, **query: Any) -> tuple[FolderStats, reports_pb2.QueryFolderStatsResponse]:
    asked = {"company": "acme", "organization": "north", "time_zone": BERLIN, **query}
    response = service.reports.QueryFolderStats(folder_stats_request(asked))  # type: ignore[arg-type]
    return FolderStats.from_response(response), response


def active(service: Service, **query: Any) -> tuple[ActiveSessions, reports_pb2.QueryActiveSessionsResponse]:
    asked = {"return_fields": ACTIVE_FIELDS, "order": ["-session_setup_time"], **query}
    request = active_sessions_request(asked)  # type: ignore[arg-type]
    response = service.reports.QueryActiveSessions(request)
    return ActiveSessions.from_response(response, request.return_fields), response


def present(message: Message) -> dict[str, Any]:
    """The fields of a message, None where absent."""
    return {
        field.name: getattr(message, field.name) if message.HasField(field.name) else None
        for field in message.DESCRIPTOR.fields
        if not field.is_repeated
    }


def shown(row: Any) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row)}


# ---- ASR usage ----


def test_usage_of_a_day_of_23_hours(records_service: Service) -> None:
    report, response = asr_usage(records_service)
    assert len(report.bins) == len(response.bins) == 23
    for row, message in zip(report.bins, response.bins, strict=True):
        start = datetime.fromisoformat(message.start_time)
        assert shown(row) == {**present(message), "start_time": start}
        assert row.start_time.utcoffset() == start.utcoffset()
    hours = [row.start_time.hour for row in report.bins]
    assert hours == [0, 1, *range(3, 24)]
    assert report.bins[-1] == AsrUsageBin(
        start_time=datetime(2026, 3, 29, 23, tzinfo=BERLIN), session_count=3, sma=None, complete=True
    )


def test_usage_of_a_day_of_25_hours(records_service: Service) -> None:
    report, _ = asr_usage(
        records_service,
        from_time=date(2025, 10, 26),
        to_time=date(2025, 10, 27),
        time_zone="Europe/Berlin",
    )
    starts = [row.start_time for row in report.bins]
    assert len(starts) == 25
    assert [start.isoformat() for start in starts[2:4]] == [
        "2025-10-26T02:00:00+02:00",
        "2025-10-26T02:00:00+01:00",
    ]
    in_utc = [start.astimezone(UTC) for start in starts]
    assert {later - earlier for earlier, later in pairwise(in_utc)} == {timedelta(hours=1)}


def test_usage_range_and_totals(records_service: Service) -> None:
    report, response = asr_usage(records_service)
    span = report.range
    assert (span.time_zone, span.granularity) == ("Europe/Berlin", Granularity.HOUR)
    assert [span.from_time, span.to_time] == list(SHORT_DAY.values())
    assert span.to_time - span.from_time == timedelta(days=1)  # of the local clock
    assert span.to_time.astimezone(UTC) - span.from_time.astimezone(UTC) == timedelta(hours=23)
    assert span.generated_at == datetime(2026, 3, 30, 12, tzinfo=UTC)
    assert span.generated_at.isoformat() == response.range.generated_at
    totals = report.totals
    assert (totals.session_count, totals.busiest_count) == (3, 3)
    assert totals.busiest_start_time == datetime(2026, 3, 29, 23, tzinfo=BERLIN)


def test_usage_with_a_moving_average(records_service: Service) -> None:
    report, response = asr_usage(records_service, granularity="day", sma_period=2)
    assert [row.sma for row in report.bins] == [response.bins[0].sma] == [1.5]


def test_usage_without_sessions_has_no_busiest_bin(records_service: Service) -> None:
    report, _ = asr_usage(records_service, kind="tts")
    assert report.totals.session_count == 0
    assert report.totals.busiest_count is None
    assert report.totals.busiest_start_time is None
    assert [notice.code for notice in report.notices] == [NoticeCode.KIND_NOT_SEEN]


# ---- Origination quality ----


def test_quality_of_a_day_of_23_hours(records_service: Service) -> None:
    report, response = quality(records_service)
    data = response.data
    assert len(report.bins) == len(data.t) == response.rows == 23
    for place, row in enumerate(report.bins):
        assert row.start_time.timestamp() == data.t[place]
        assert row.start_time.tzinfo is BERLIN
        assert (row.total_calls, row.answered_calls) == (data.total_calls[place], data.answered_calls[place])
        assert (row.duration_ms, row.cps) == (data.duration_ms[place], data.cps[place])
    assert report.bins[2] == OriginationQualityBin(
        start_time=datetime(2026, 3, 29, 3, tzinfo=BERLIN),
        total_calls=1,
        answered_calls=1,
        duration_ms=60_500,
        acd=60.5,
        asr=100.0,
        cps=1 / 3600,
    )


def test_a_ratio_with_denominator_zero_is_none(records_service: Service) -> None:
    report, _ = quality(records_service)
    empty, unanswered = report.bins[0], report.bins[3]
    assert (empty.total_calls, empty.asr, empty.acd, empty.cps) == (0, None, None, 0.0)
    assert (unanswered.total_calls, unanswered.asr, unanswered.acd) == (1, 0.0, None)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        (datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=BERLIN), "2026-03-29T00:30:00.000001+00:00"),
        # The second of two equal local times.
        (datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=1), "2025-10-26T01:30:00+00:00"),
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "2026-03-29T01:30:00+00:00"),
        # An offset with seconds, which the contract cannot write.
        (datetime(1971, 6, 1, tzinfo=ZoneInfo("Africa/Monrovia")), "1971-06-01T00:44:30+00:00"),
        # Local times of Berlin, the second of which the clock skips.
        (datetime(2026, 3, 29, 1, 30), "2026-03-29T00:30:00+00:00"),
        (datetime(2026, 3, 29, 2, 30), "2026-03-29T01:30:00+00:00"),
        (date(2026, 3, 29), "2026-03-28T23:00:00+00:00"),
    ],
)
def test_the_service_reads_a_time_as_it_was_meant(
    records_service: Service, value: datetime | date, instant: str
) -> None:
    report, _ = quality(records_service, from_time=value, sampling="month", time_zone="Europe/Berlin")
    # Python never takes a time that the clock shows twice for equal to one of another zone.
    assert report.range.from_time.astimezone(UTC) == datetime.fromisoformat(instant)
    assert report.range.from_time.tzinfo is BERLIN


def test_quality_totals(records_service: Service) -> None:
    report, response = quality(records_service)
    assert shown(report.totals) == present(response.totals)
    nothing, response = quality(records_service, from_time="2030-01-01", to_time="2030-01-02")
    assert shown(nothing.totals) == present(response.totals)
    assert nothing.totals.cps_mean is nothing.totals.asr is nothing.totals.acd is None
    assert [notice.code for notice in nothing.notices] == [NoticeCode.FROM_IN_FUTURE]
    assert list(nothing.bins) == []


# ---- Folder statistics ----


def test_folders_and_agents(records_service: Service) -> None:
    report, response = folders(records_service, from_date=date(2026, 3, 29), to_date=date(2026, 3, 30))
    first, last = date(2026, 3, 29), date(2026, 3, 30)
    assert list(report.rows) == [
        FolderStatsRow(first, "", 1, 0, 0, None),
        FolderStatsRow(first, "sales", 1, 1, 60_500, 60.5),
        FolderStatsRow(last, "sales", 1, 0, 0, None),
    ]
    assert list(report.agents) == [
        FolderAgentRow(first, "", "max", 1, 0, 0, None),
        FolderAgentRow(first, "sales", "mona", 1, 1, 60_500, 60.5),
    ]
    for row, message in zip(report.rows, response.rows, strict=True):
        assert shown(row) == {**present(message), "date": date.fromisoformat(message.date)}
    assert shown(report.totals) == present(response.totals)
    assert report.range.granularity is Granularity.DAY


def test_folders_without_calls(records_service: Service) -> None:
    report, _ = folders(records_service, from_date="2026-03-02", to_date="2026-03-01")
    assert (list(report.rows), list(report.agents)) == ([], [])
    assert report.totals.average_duration_seconds is None
    assert [notice.code for notice in report.notices] == [NoticeCode.RANGE_REVERSED]


# ---- Active sessions ----


def test_active_rows_have_the_fields_asked_for(records_service: Service) -> None:
    report, response = active(records_service)
    assert [vars(row) for row in report.rows] == [
        {
            "orig_clients_name": "Łódź",
            "quantity": 1,
            "equipment_id": ODD_ID,
            "session_setup_time": datetime(2026, 3, 30, 11, 59, 0, 1, tzinfo=UTC),
            "session_start_time": None,
            "duration": 0,
        },
        {
            "orig_clients_name": None,
            "quantity": 1,
            "equipment_id": 0,
            "session_setup_time": datetime(2026, 3, 30, 11, 58, tzinfo=UTC),
            "session_start_time": datetime(2026, 3, 30, 11, 58, 30, tzinfo=UTC),
            "duration": 90,
        },
    ]
    assert list(vars(report.rows[0])) == ACTIVE_FIELDS
    assert report.row_count == response.row_count == 2
    assert report.as_of == datetime(2026, 3, 30, 12, tzinfo=UTC)
    assert report.range.granularity is None
    assert (list(report.subtotals), report.total) == ([], None)


def test_active_rows_of_every_field(records_service: Service) -> None:
    report, response = active(records_service, return_fields=RETURN_FIELDS)
    for row, message in zip(report.rows, response.rows, strict=True):
        times = {
            name: None if text is None else datetime.fromisoformat(text)
            for name, text in present(message).items()
            if name.endswith("_time")
        }
        expected = {**present(message), **times}
        assert expected.pop("level") is None
        assert vars(row) == expected
    assert set(ActiveSessionRow.__annotations__) == set(present(response.rows[0]))


def test_a_field_that_was_not_asked_for_is_not_none(records_service: Service) -> None:
    row = active(records_service)[0].rows[0]
    with pytest.raises(
        AttributeError, match="the row has no orig_clients_id; next step: ask for it in return_fiel"
    ):
        _ = row.orig_clients_id
    with pytest.raises(AttributeError, match=r'unknown field "quantitiy"; did you mean "quantity"[?]'):
        _ = row.quantitiy  # type: ignore[attr-defined]
    assert not hasattr(row, "level")


def test_active_rollup(records_service: Service) -> None:
    fields = ["equipment_id", "session_id", "quantity"]
    report, response = active(records_service, return_fields=fields, grouping="rollup", order=[], limit=1)
    assert [row.session_id for row in report.rows] == ["talking"]
    assert [vars(row) for row in report.subtotals] == [
        {"equipment_id": 0, "session_id": None, "quantity": 1, "level": 1},
        {"equipment_id": ODD_ID, "session_id": None, "quantity": 1, "level": 1},
    ]
    assert len(response.subtotals) == 2
    assert report.total is not None
    assert vars(report.total) == {"equipment_id": None, "session_id": None, "quantity": 2}
    assert report.row_count == 2


def test_an_active_row_is_immutable_and_equal_by_value(records_service: Service) -> None:
    first, second = active(records_service)[0].rows
    with pytest.raises(FrozenInstanceError):
        first.quantity = 5
    with pytest.raises(FrozenInstanceError):
        del first.quantity
    again = active(records_service)[0].rows[0]
    assert (first, hash(first)) == (again, hash(again))
    assert first != second
    assert first != vars(first)
    assert repr(first).startswith(
        "ActiveSessionRow(orig_clients_name='Łódź', quantity=1, equipment_id=900719"
    )


def test_a_field_of_a_newer_server_is_not_dropped() -> None:
    response = reports_pb2.QueryActiveSessionsResponse()
    with pytest.raises(ValueError, match='unknown field of active sessions "orig_colour"'):
        ActiveSessions.from_response(response, ["orig_colour"])


# ---- All reports ----

ANSWERED: list[tuple[type[Message], type, dict[str, str]]] = [
    (reports_pb2.ResolvedRange, ReportRange, {}),
    (reports_pb2.Notice, Notice, {}),
    (reports_pb2.QueryAsrUsageResponse, AsrUsage, {}),
    (reports_pb2.AsrUsageBin, AsrUsageBin, {}),
    (reports_pb2.AsrUsageTotals, AsrUsageTotals, {}),
    (reports_pb2.QueryActiveSessionsResponse, ActiveSessions, {}),
    (reports_pb2.QueryFolderStatsResponse, FolderStats, {}),
    # Agents have rows of their own, with the date and folder.
    (reports_pb2.FolderStatsRow, FolderStatsRow, {"agents": "folder"}),
    (reports_pb2.FolderAgentStats, FolderAgentRow, {}),
    (reports_pb2.FolderStatsTotals, FolderStatsTotals, {}),
    # `rows` is the number of bins.
    (reports_pb2.QueryOriginationQualityResponse, OriginationQuality, {"data": "bins", "rows": "bins"}),
    (reports_pb2.OriginationQualityData, OriginationQualityBin, {"t": "start_time"}),
    (reports_pb2.OriginationQualityTotals, OriginationQualityTotals, {}),
]


@pytest.mark.parametrize(("message", "answer", "renamed"), ANSWERED)
def test_every_field_of_an_answer_is_there(
    message: type[Message], answer: type, renamed: dict[str, str]
) -> None:
    expected = {renamed.get(field.name, field.name) for field in message.DESCRIPTOR.fields}
    there = set(answer.__annotations__) | {name for name in dir(answer) if not name.startswith("_")}
    assert expected - there == set()


def test_every_message_of_an_answer_is_looked_at() -> None:
    messages = set(reports_pb2.DESCRIPTOR.message_types_by_name)
    asked = {name for name in messages if name.endswith(("Request", "Filter", "Filters"))}
    assert messages - asked - {"ActiveSessionRow"} == {message.DESCRIPTOR.name for message, _, _ in ANSWERED}


def every_report(service: Service) -> list[Any]:
    days = {"from_date": "2026-03-29", "to_date": "2026-03-30"}
    rollup = {"grouping": "rollup"}
    return [
        asr_usage(service)[0],
        quality(service)[0],
        folders(service, **days)[0],
        active(service, **rollup)[0],
    ]


def test_a_report_says_what_it_is(records_service: Service) -> None:
    day = "2026-03-29T00:00:00+01:00 to 2026-03-30T00:00:00+02:00 Europe/Berlin"
    assert [repr(report) for report in every_report(records_service)] == [
        f"<AsrUsage {day} per HOUR: 3 sessions in 23 bins>",
        f"<OriginationQuality {day} per HOUR: 2 calls in 23 bins>",
        "<FolderStats 2026-03-29T00:00:00+01:00 to 2026-03-31T00:00:00+02:00 Europe/Berlin per DAY:"
        " 3 calls in 3 rows>",
        "<ActiveSessions 2026-03-30T12:00:00Z UTC: 2 of 2 rows>",
    ]


def test_reports_can_be_copied_and_pickled(records_service: Service) -> None:
    for report in every_report(records_service):
        assert copy.deepcopy(report) == report
        assert pickle.loads(pickle.dumps(report)) == report


def test_a_notice_is_logged(records_service: Service, caplog: pytest.LogCaptureFixture) -> None:
    report, response = quality(records_service, account_id="1010")
    message = response.notices[0]
    assert report.notices == (Notice(NoticeCode.ACCOUNT_NOT_SEEN, message.text, dict(message.metadata)),)
    assert report.notices[0].metadata["values"] == "1010"
    assert set(report.notices) == {copy.deepcopy(report.notices[0])}
    assert caplog.record_tuples == [
        ("pegcount_client", logging.WARNING, f"origination_quality: {message.text} (ACCOUNT_NOT_SEEN)")
    ]
    assert repr(report).endswith("0 calls in 23 bins; notices: ACCOUNT_NOT_SEEN>")


def test_what_only_a_newer_server_knows_is_shown_as_a_number(caplog: pytest.LogCaptureFixture) -> None:
    response = reports_pb2.QueryAsrUsageResponse.FromString(
        # range.granularity = 99, and a notice with the code 98.
        b"\x0a\x02\x20\x63\x12\x07\x08\x62\x12\x03new"
    )
    report = AsrUsage.from_response(response)
    assert report.range.granularity == "99"
    assert report.notices == (Notice("98", "new"),)
    assert caplog.messages == ["asr_usage: new (98)"]


def test_an_unknown_zone_matters_when_a_time_is_read(records_service: Service) -> None:
    _, response = asr_usage(records_service)
    response.range.time_zone = "Mars/Olympus"
    report = AsrUsage.from_response(response)
    assert report.totals.session_count == 3
    assert report.bins.column("session_count") == [0] * 22 + [3]
    assert report.range.from_time_text == "2026-03-29T00:00:00+01:00"
    assert str(report.to_numpy()["start_time"][0]) == "2026-03-28T23:00:00.000000"
    for read in (
        lambda: report.bins[0],
        lambda: list(report.bins),
        lambda: report.range.from_time,
        lambda: report.totals.busiest_start_time,
    ):
        with pytest.raises(
            UnknownZoneError, match=r'time zone "Mars/Olympus"; next step: pip install tzdata'
        ):
            read()


def test_a_total_needs_no_zone(records_service: Service) -> None:
    _, response = active(records_service, grouping="rollup")
    response.range.time_zone = "Mars/Olympus"
    total = ActiveSessions.from_response(response, ACTIVE_FIELDS).total
    assert total is not None
    assert (total.quantity, total.session_setup_time) == (2, None)
