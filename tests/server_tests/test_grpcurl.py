"""The server's output in grpcurl, which learns the contract by reflection."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documented_calls import parts
from google.protobuf.timestamp_pb2 import Timestamp
from grpcurl import grpcurl
from pegcount.config import Config
from pegcount.v1 import records_pb2
from service import Service

from server_tests.example_requests import SETUP_S, active_record, call_record

REPORTS = "pegcount.v1.ReportService"
RECORDS = "pegcount.v1.RecordService"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serves three calls and an ASR session of 29 March 2026; the clock is at noon of the 30th."""
    with Service(tmp_path_factory.mktemp("store")) as service:
        service.write(
            call_record("c1", agent_id="7", src_prefix_routing="4930"),
            call_record("c2", answer_time=None, folder="support"),
            call_record("s1", kind=records_pb2.SESSION_KIND_ASR, app_id=101),
            active_record(
                "c3", answer_time=Timestamp(seconds=SETUP_S), orig_clients_id=9_007_199_254_740_993
            ),
        )
        yield service.address


def output_of(*arguments: str) -> str:
    process = grpcurl(*arguments)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def answer(address: str, method: str, request: str) -> Any:
    return json.loads(output_of("-d", request, address, f"{REPORTS}/{method}"))


def test_list(address: str) -> None:
    assert output_of(address, "list").split() == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "pegcount.v1.AdminService",
        "pegcount.v1.RecordService",
        "pegcount.v1.ReportService",
        "pegcount.v1.TrafficService",
    ]
    assert output_of(address, "list", REPORTS).split() == [
        f"{REPORTS}.{method}"
        for method in ("QueryActiveSessions", "QueryAsrUsage", "QueryFolderStats", "QueryOriginationQuality")
    ]


@pytest.mark.parametrize(
    ("symbol", "lines"),
    [
        (
            REPORTS,
            [
                "// Answers the four reports from the call records held.",
                "  // Origination quality: calls, ACD, ASR and CPS of one account per bin.",
                "  rpc QueryOriginationQuality ( .pegcount.v1.QueryOriginationQualityRequest ) returns "
                "( .pegcount.v1.QueryOriginationQualityResponse );",
            ],
        ),
        (
            "pegcount.v1.QueryAsrUsageRequest",
            [
                "  // Days of the simple moving average, 1 to 366; only with DAY. Absent: none.",
                "  optional int32 sma_period = 8;",
            ],
        ),
        (
            f"{REPORTS}.QueryAsrUsage",
            ["// ASR session usage: sessions that arrived per calendar bin, with a simple"],
        ),
        (
            "pegcount.v1.ErrorReason",
            ["  // FAILED_PRECONDITION. Without the credential, no other one could manage"],
        ),
        ("pegcount.v1.NoticeCode", ["  NOTICE_CODE_RANGE_REVERSED = 3;"]),
    ],
)
def test_describe_prints_the_comments(symbol: str, lines: list[str], address: str) -> None:
    described = output_of(address, "describe", symbol).splitlines()
    assert [line for line in lines if line not in described] == []


def test_asr_usage(address: str) -> None:
    request = """{
        "from_time": "2026-03-29T08:00:00", "to_time": "2026-03-29T10:00:00",
        "granularity": "GRANULARITY_HOUR"
    }"""
    assert answer(address, "QueryAsrUsage", request) == {
        "range": {
            "fromTime": "2026-03-29T08:00:00Z",
            "toTime": "2026-03-29T10:00:00Z",
            "timeZone": "UTC",
            "granularity": "GRANULARITY_HOUR",
            "generatedAt": "2026-03-30T12:00:00Z",
        },
        # JSON prints 64-bit integers as strings; 0 and false are present.
        "bins": [
            {"startTime": "2026-03-29T08:00:00Z", "sessionCount": "1", "complete": True},
            {"startTime": "2026-03-29T09:00:00Z", "sessionCount": "0", "complete": True},
        ],
        "totals": {
            "sessionCount": "1",
            "busiestStartTime": "2026-03-29T08:00:00Z",
            "busiestCount": "1",
        },
    }


def test_asr_usage_of_a_day_that_is_not_over(address: str) -> None:
    request = (
        '{"fromTime": "2026-03-30", "granularity": "GRANULARITY_DAY", "smaPeriod": 2, "appIds": [101, "102"]}'
    )
    shown = answer(address, "QueryAsrUsage", request)
    assert shown["bins"] == [
        {"startTime": "2026-03-30T00:00:00Z", "sessionCount": "0", "sma": 0.5, "complete": False}
    ]
    assert shown["totals"] == {"sessionCount": "0"}


def test_active_sessions(address: str) -> None:
    request = """{
        "return_fields": ["orig_clients_id", "orig_clients_name", "session_start_time",
                          "quantity", "duration"],
        "filters": {"orig_clients_id": [9007199254740993]},
        "order": ["-quantity"], "grouping": "GROUPING_ROLLUP", "time_zone": "Europe/Berlin"
    }"""
    shown = answer(address, "QueryActiveSessions", request)
    aggregates = {"quantity": "1", "duration": "100800"}
    # 2^53 + 1, which a double cannot represent.
    key = {"origClientsId": "9007199254740993"}
    assert shown["rows"] == [{**key, "sessionStartTime": "2026-03-29T10:00:00+02:00", **aggregates}]
    assert shown["subtotals"] == [{**key, **aggregates, "level": 1}, {**key, **aggregates, "level": 2}]
    assert (shown["total"], shown["rowCount"]) == (aggregates, "1")
    assert shown["asOf"] == "2026-03-30T14:00:00+02:00"


def test_folder_stats(address: str) -> None:
    request = '{"company": "acme", "organization": "north", "from_date": "20260329"}'
    shown = answer(address, "QueryFolderStats", request)
    talked = {
        "callCount": "1",
        "answeredCount": "1",
        "durationMs": "60000",
        "averageDurationSeconds": 60,
    }
    missed = {"callCount": "1", "answeredCount": "0", "durationMs": "0"}
    assert shown["rows"] == [
        {"date": "2026-03-29", "folder": "sales", **talked, "agents": [{"agentId": "7", **talked}]},
        {"date": "2026-03-29", "folder": "support", **missed},
    ]
    assert shown["totals"] == {**talked, "callCount": "2"}


def test_origination_quality(address: str) -> None:
    request = """{
        "account_id": "a1", "from_time": "2026-03-29T08:00:00Z", "to_time": "2026-03-29T10:00:00Z",
        "sampling": "GRANULARITY_HOUR", "duration": {"gt": 59}, "src_prefix_routing": {"starts_with": "49"}
    }"""
    shown = answer(address, "QueryOriginationQuality", request)
    assert shown["data"] == {
        "t": [str(SETUP_S), str(SETUP_S + 3_600)],
        "totalCalls": ["1", "0"],
        "answeredCalls": ["1", "0"],
        "durationMs": ["60000", "0"],
        # Columns have a NaN for a missing value; totals omit the field.
        "acd": [60, "NaN"],
        "asr": [100, "NaN"],
        "cps": [1 / 3_600, 0],
    }
    assert shown["totals"] == {
        "totalCalls": "1",
        "answeredCalls": "1",
        "durationMs": "60000",
        "acd": 60,
        "asr": 100,
        "cpsMean": 1 / 7_200,
        "cpsPeak": 1 / 3_600,
        "cpsSum": 1 / 3_600,
    }
    nothing = answer(address, "QueryOriginationQuality", request.replace("a1", "none"))
    assert nothing["totals"] == {
        "totalCalls": "0",
        "answeredCalls": "0",
        "durationMs": "0",
        "cpsMean": 0,
        "cpsPeak": 0,
        "cpsSum": 0,
    }


def test_an_error_shows_every_violation(address: str) -> None:
    process = grpcurl(
        "-d", '{"from_time": "today", "sampling": 9}', address, f"{REPORTS}/QueryOriginationQuality"
    )
    assert process.returncode == 64 + 3, "64 and the number of INVALID_ARGUMENT"
    header, code, message, _, _, bad_request, _, info = parts(process.stderr)
    assert (header, code) == ("ERROR:", "Code: InvalidArgument")
    assert "sampling: 9 is not a value of Granularity, such as GRANULARITY_MINUTE" in str(message)
    violations = bad_request["field_violations"]
    assert bad_request["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert [(violation["field"], violation["reason"]) for violation in violations] == [
        ("sampling", "UNKNOWN_ENUM_VALUE"),
        ("from_time", "MALFORMED_TIME"),
        ("account_id", "REQUIRED_FIELD_MISSING"),
    ]
    assert violations[1]["description"].startswith("'today' is not of the form YYYY-MM-DDTHH:mm:ss")
    assert violations[2]["description"] == (
        "one of account_id, account_ids and all_accounts is required, or account_id in absent"
    )
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (info["domain"], info["reason"]) == ("pegcount", "UNKNOWN_ENUM_VALUE")


def test_an_unknown_field_is_named(address: str) -> None:
    process = grpcurl("-d", '{"from": "2026-03-29"}', address, f"{REPORTS}/QueryAsrUsage")
    assert process.returncode != 0
    assert '"from"' in process.stderr or "named from" in process.stderr, process.stderr


def test_overload_shows_when_to_try_again(tmp_path: Path) -> None:
    batches = '{"records": [{"session_id": "a1", "setup_time": "2026-03-30T09:00:00Z"}]}' * 2
    with Service(tmp_path, Config(write_stream_count_max=0)) as service:
        process = grpcurl("-d", "@", service.address, f"{RECORDS}/WriteRecords", given=batches)
    assert process.returncode == 64 + 8, "64 and the number of RESOURCE_EXHAUSTED"
    retry_info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": "1s"}
    assert retry_info in parts(process.stderr)


def test_health(address: str) -> None:
    assert json.loads(output_of(address, "grpc.health.v1.Health/Check")) == {"status": "SERVING"}


def test_describe_without_a_name_shows_every_service(address: str) -> None:
    described = output_of(address, "describe")
    listed = output_of(address, "list").split()
    assert {"grpc.health.v1.Health", "pegcount.v1.ReportService"} < set(listed)
    for name in listed:
        assert f"{name} is a service:" in described
    assert "rpc CreateCredential " in described


def test_methods_fields_and_values_are_described(address: str) -> None:
    for name, kind in {
        "pegcount.v1.ReportService.QueryAsrUsage": "a method",
        "pegcount.v1.QueryAsrUsageRequest.granularity": "a field",
        "pegcount.v1.Granularity": "an enum",
        "grpc.health.v1.HealthCheckResponse": "a message",
    }.items():
        assert f"{name} is {kind}:" in output_of(address, "describe", name)
