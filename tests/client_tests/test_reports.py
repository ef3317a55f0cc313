"""What all typed answers have in common: every field, copies, notices, and what is not known."""

import copy
import logging
import pickle
from typing import Any

import pytest
from google.protobuf.message import Message
from pegcount.v1 import reports_pb2
from pegcount_client.enums import NoticeCode
from pegcount_client.reports import (
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
from pegcount_client.times import UnknownZoneError
from service import Service

from client_tests.asked_reports import active, asr_usage, folders, quality
from client_tests.report_records import ACTIVE_FIELDS

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
        " 4 calls in 3 rows>",
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
