"""What the log has of a call."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount import logs
from pegcount.auth import Caller, Scope
from pegcount.errors import CredentialRefusedError, OverloadedError, PegcountError
from pegcount.logs.call_lines import CallLine, call_as_json, call_as_text, shown_peer
from pegcount.logs.call_log import CallLog
from pegcount.server.call_clock import CallClock, Phase
from pegcount.server.observed_call import CallKind, ObservedCall
from pegcount.settings import LogFormat, LogSettings
from pegcount.v1 import admin_pb2, reports_pb2
from server_tests.example_requests import ASK_USAGE, call_record, changed
from server_tests.streams import METHOD as WRITE
from server_tests.streams import batch
from service import Service

USAGE = "pegcount.v1.ReportService/QueryAsrUsage"
CALLER = Caller("cr_1", "wall board", frozenset({Scope.READ_REPORTS}), None)
LINE = CallLine(
    time_ns=1_774_872_000_250_000_000,
    level=logging.INFO,
    method=USAGE,
    code="OK",
    reason=None,
    request_id="import-7/8",
    peer="ipv4:192.0.2.7:50100",
    credential_id="cr_1",
    credential_name="wall board",
    seconds=0.0123456,
    row_count=18,
    bin_count=24,
    request_bytes=62,
    response_bytes=418,
    phase_seconds=None,
)
FAILED = replace(
    LINE, code="RESOURCE_EXHAUSTED", reason="OVERLOADED", credential_id=None, credential_name=None,
    row_count=None, bin_count=None,
)  # fmt: skip


def observed(error: BaseException | None = None, **fields: Any) -> ObservedCall:
    call = ObservedCall(USAGE, is_known=True, peer="ipv4:192.0.2.7:50100", request_id="r")
    call.error = error
    for name, value in fields.items():
        setattr(call, name, value)
    return call


def lines_of(*calls: ObservedCall, now_s: float = 0.0, **settings: Any) -> list[CallLine]:
    lines: list[CallLine] = []
    log = CallLog(LogSettings(**settings), lines.append, lambda: now_s)
    for call in calls:
        log.call_ended(call)
    return lines


def test_a_line_of_text() -> None:
    assert call_as_text(LINE) == (
        f"2026-03-30T12:00:00.250Z INFO {USAGE} OK 12.346 ms request_id=import-7/8 peer=192.0.*.*"
        " credential=cr_1 'wall board' rows=18 bins=24 in=62 out=418"
    )
    assert call_as_text(FAILED) == (
        f"2026-03-30T12:00:00.250Z INFO {USAGE} RESOURCE_EXHAUSTED OVERLOADED 12.346 ms request_id=import-7/8"
        " peer=192.0.*.* in=62 out=418"
    )


def test_a_line_of_json() -> None:
    assert json.loads(call_as_json(LINE)) == {
        "time": "2026-03-30T12:00:00.250Z",
        "level": "info",
        "logger": "pegcount.calls",
        "message": f"{USAGE} OK",
        "method": USAGE,
        "code": "OK",
        "duration_ms": 12.346,
        "request_id": "import-7/8",
        "peer": "192.0.*.*",
        "credential": "cr_1",
        "credential_name": "wall board",
        "row_count": 18,
        "bin_count": 24,
        "request_bytes": 62,
        "response_bytes": 418,
    }
    assert json.loads(call_as_json(FAILED))["reason"] == "OVERLOADED"


def test_the_phases_of_a_slow_call() -> None:
    slow = replace(LINE, level=logging.WARNING, phase_seconds={"queue": 0.5, "store": 1.25})
    assert call_as_text(slow).endswith(" slow: queue 500.000 ms, store 1250.000 ms")
    assert json.loads(call_as_json(slow))["phases_ms"] == {"queue": 500, "store": 1250}


@pytest.mark.parametrize("name", ["a\nb", 'c" d\\', "e\x1b[2J\u202e", "\udc80", "+" * 500])
def test_the_name_of_a_credential_is_quoted_and_bounded(name: str) -> None:
    """A token is named by its subject, which may be anything."""
    line = replace(LINE, credential_id=name, credential_name=name)
    text = call_as_text(line)
    assert text.isprintable()
    assert len(text) < 400
    found = json.loads(call_as_json(line))["credential"]
    assert len(found) <= 100
    assert call_as_json(line).isascii()


def test_any_request_id_is_a_string_of_json() -> None:
    request_id = "".join(map(chr, range(ord("!"), ord("~") + 1)))
    assert json.loads(call_as_json(replace(LINE, request_id=request_id)))["request_id"] == request_id


@pytest.mark.parametrize(
    ("peer", "shown"),
    [
        ("ipv4:192.0.2.7:50100", "192.0.*.*"),
        ("ipv6:%5B2001:db8::7%5D:50100", "2001:db8:*"),
        ("unix:", "unix"),
        ("unix:/run/pegcount.sock", "unix"),
    ],
)
def test_addresses_are_masked(peer: str, shown: str) -> None:
    assert shown_peer(peer) == shown


def test_levels() -> None:
    clock = CallClock()
    clock.enter(Phase.STORE)
    clock.enter(None)
    health = observed(method="grpc.health.v1.Health/Check")
    calls = {
        "info": observed(),
        "refused": observed(CredentialRefusedError()),
        "slow": observed(seconds=1.0, clock=clock),
        "a long stream": observed(seconds=100.0, kind=CallKind.BIDI_STREAM),
        "fault": observed(ValueError("a bug")),
        "health": health,
    }
    lines = lines_of(*calls.values(), level="debug")
    assert [line.level for line in lines] == [
        *(logging.INFO, logging.INFO, logging.WARNING, logging.INFO, logging.ERROR, logging.DEBUG)
    ]
    assert [line.phase_seconds is not None for line in lines] == [name == "slow" for name in calls]
    assert [line.code for line in lines][:2] == ["OK", "UNAUTHENTICATED"]
    assert (lines[4].code, lines[4].reason) == ("INTERNAL", "INTERNAL_FAULT")
    assert lines_of(health) == []
    assert [line.code for line in lines_of(*calls.values(), level="error")] == ["INTERNAL"]


def test_calls_can_be_left_out_but_for_refused_credentials() -> None:
    lines = lines_of(
        observed(), observed(OverloadedError("x", 1)), observed(CredentialRefusedError()), calls=False
    )
    assert [line.reason for line in lines] == ["CREDENTIAL_REFUSED"]


def test_a_method_that_does_not_exist_is_not_repeated() -> None:
    (line,) = lines_of(observed(method="+1 555 0100", is_known=False))
    assert line.method == "unknown"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (CredentialRefusedError(), "CREDENTIAL_REFUSED"),
        (OverloadedError("x", 1), "OVERLOADED"),
        (None, "CANCELLED"),
    ],
)
def test_floods_have_ten_lines_a_second_and_their_number(
    error: PegcountError | None, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = 0.0
    lines: list[CallLine] = []
    log = CallLog(LogSettings(), lines.append, lambda: now_s)
    caplog.set_level(logging.INFO)
    for _ in range(1_234):
        log.call_ended(observed(error, is_cancelled=error is None))
        log.call_ended(observed())
    assert [line.code == "OK" for line in lines].count(True) == 1_234
    assert len(lines) == 1_244
    now_s = 1.0
    log.tell_omitted()
    assert caplog.messages == [f"left out 1,224 more lines of calls: {kind}"]


@contextmanager
def logged_service(tmp_path: Path, lines: list[dict[str, Any]], **settings: Any) -> Iterator[Service]:
    """A service that logs its calls; their lines are complete after the block."""
    path = tmp_path / "log"
    with (
        logs.opened(LogSettings(LogFormat.JSON, file=path, **settings)) as log,
        Service(tmp_path / "data", observers=(log.calls,)) as service,
    ):
        yield service
    lines += (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def test_the_lines_of_real_calls(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    with logged_service(tmp_path, lines, level="debug") as service:
        service.write(call_record("c1"))
        sent = [("x-request-id", "mine")]
        answer, _ = service.reports.QueryAsrUsage.with_call(ASK_USAGE, metadata=sent)
        health_pb2_grpc.HealthStub(service.channel).Check(health_pb2.HealthCheckRequest())
        with pytest.raises(grpc.RpcError):
            service.reports.QueryAsrUsage(reports_pb2.QueryAsrUsageRequest())
        with pytest.raises(grpc.RpcError):
            service.channel.unary_unary("/a.B/Of+15550100")(b"")
        list(service.channel.stream_stream(WRITE)(iter([batch("b1", "c2")])))
    calls = [line for line in lines if line["logger"] == "pegcount.calls"]
    told = [
        (line["level"], line["method"].rpartition("/")[2], line["code"], line.get("reason")) for line in calls
    ]
    assert told == [
        ("info", "QueryAsrUsage", "OK", None),
        ("debug", "Check", "OK", None),
        ("info", "QueryAsrUsage", "INVALID_ARGUMENT", told[2][3]),
        ("info", "unknown", "UNIMPLEMENTED", "METHOD_UNKNOWN"),
        ("info", "WriteRecords", "OK", None),
    ]
    assert calls[0]["request_id"] == "mine"
    assert calls[0]["peer"] == "127.0.*.*"
    assert calls[0]["request_bytes"] == ASK_USAGE.ByteSize()
    assert calls[0]["response_bytes"] == answer.ByteSize()


def test_no_number_of_a_party_gets_into_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = "+493023125001"
    lines: list[dict[str, Any]] = []
    with logged_service(tmp_path, lines, slow_call_seconds=0.0) as service:
        service.write(call_record("c1", orig_src_party_id=number))
        asked = changed(ASK_USAGE, kind=99)
        for request in (ASK_USAGE, asked):
            try:
                service.reports.QueryAsrUsage(request)
            except grpc.RpcError:
                continue

        def fail(*_: object) -> Any:
            raise ValueError(f"no record of {number}")

        monkeypatch.setattr(service.store, "info", fail)
        with pytest.raises(grpc.RpcError):
            service.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest())
    text = json.dumps(lines)
    assert "no record of +493*********" in text
    assert number.strip("+") not in text
