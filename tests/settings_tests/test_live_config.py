"""What a running server does once a reloadable setting has changed."""

import threading
from dataclasses import fields, replace
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount import core
from pegcount.auth import Caller
from pegcount.config import Config, LiveConfig
from pegcount.errors import CredentialLimitReachedError, OverloadedError
from pegcount.server.credential_limits import CredentialLimiter
from pegcount.server.minute_log import MinuteLog
from pegcount.settings import RELOADABLE_FIELDS
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2
from server_tests.example_requests import ASK_USAGE
from server_tests.refusal import refusal, status_of
from server_tests.test_admission import BlockedScans
from server_tests.test_credential_limits import LOG, caller
from service import Service
from waiting import wait_until

TESTED = {
    "credential_calls_per_second",
    "credential_wait_seconds_max",
    "credential_calls_in_progress",
    "credential_work_ms_per_second",
    "credential_refusals_per_second",
    "overload_retry_seconds",
    "query_seconds_max",
    "stop_grace_seconds",
}
"""Each has a test below, which changes it while a server or its part runs."""


def test_each_reloadable_field_is_tested() -> None:
    assert set(RELOADABLE_FIELDS) == TESTED < {field.name for field in fields(Config)}


class Limited:
    """A limiter whose clock stands, and the live settings that it has."""

    def __init__(self) -> None:
        limits = Config(
            credential_calls_per_second=0, credential_calls_in_progress=0, credential_refusals_per_second=0
        )
        self.live = LiveConfig(limits)
        self.limiter = CredentialLimiter(self.live, MinuteLog(LOG, lambda: 1_000.0), lambda: 1_000.0)

    def change(self, **changed: float) -> None:
        self.live.now = replace(self.live.now, **changed)  # type: ignore[arg-type]

    def refused(self, by: Caller) -> CredentialLimitReachedError | None:
        error = self.limiter.refusal(by, is_report=True)
        if error is None:
            self.limiter.enter(by)
        return error


def test_limits_of_credentials_change_for_callers_that_are_known() -> None:
    limited, by = Limited(), caller("a")
    assert [limited.refused(by) for _ in range(20)] == [None] * 20
    limited.change(credential_calls_in_progress=20)
    error = limited.refused(by)
    assert error is not None
    assert (error.limit, error.allowed) == ("calls_in_progress", 20)
    limited.change(
        credential_calls_in_progress=0, credential_calls_per_second=1, credential_wait_seconds_max=0
    )
    # A burst of two, as in two seconds.
    assert [limited.refused(by) for _ in range(2)] == [None] * 2
    error = limited.refused(by)
    assert error is not None
    assert (error.limit, error.allowed) == ("calls_per_second", 1)
    limited.change(credential_wait_seconds_max=100)
    assert limited.refused(by) is None
    limited.change(credential_calls_per_second=0)
    assert limited.refused(by) is None


def test_the_work_of_a_credential_is_limited_from_then_on() -> None:
    limited, by = Limited(), caller("a")
    call = limited.limiter.enter(by)
    call.charge(10_000_000)
    limited.change(credential_work_ms_per_second=1)
    second = limited.limiter.enter(by)
    second.charge(10_000_000)
    with pytest.raises(CredentialLimitReachedError, match="work_ms_per_second"):
        limited.limiter.enter(by).charge(1)


def test_pauses_after_refusals_begin_and_end() -> None:
    limited, by = Limited(), caller("a")
    error = CredentialLimitReachedError("calls_per_second", 1, 1.0)
    limited.change(credential_refusals_per_second=1)
    assert max(limited.limiter.note_refused(by, error) for _ in range(10)) > 0
    limited.change(credential_refusals_per_second=0)
    assert max(limited.limiter.note_refused(by, error) for _ in range(10)) == 0


def test_refused_calls_are_told_the_present_time_of_retrying(tmp_path: Path) -> None:
    with Service(tmp_path, Config(health_watch_count_max=1)) as service:
        health = health_pb2_grpc.HealthStub(service.channel)
        first = health.Watch(health_pb2.HealthCheckRequest())
        next(first)

        def retry_seconds() -> int:
            watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=20)
            details = status_of(lambda: next(watch)).details
            told = error_details_pb2.RetryInfo()
            assert any(each.Unpack(told) for each in details)
            return int(told.retry_delay.seconds)

        assert retry_seconds() == 1
        service.live.now = replace(service.live.now, overload_retry_seconds=7.0)
        assert retry_seconds() == 7
        first.cancel()


def test_the_store_tells_the_present_time_of_retrying(tmp_path: Path) -> None:
    live = LiveConfig(Config(unsealed_row_count_max=-1))
    store = EmbeddedStore(tmp_path, live, create=True)
    try:
        for seconds in (1.0, 7.0):
            live.now = replace(live.now, overload_retry_seconds=seconds)
            with pytest.raises(OverloadedError) as raised:
                store.submit(records_pb2.WriteRecordsRequest().SerializeToString(), core.CancelToken(None))
            assert raised.value.retry_seconds == seconds
    finally:
        store.close()


def test_the_next_report_has_the_present_limit_of_time(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)
        service.live.now = replace(service.live.now, query_seconds_max=1e-9)
        refused = refusal(lambda: service.reports.QueryAsrUsage(ASK_USAGE, timeout=20))
        assert (refused.code, refused.info.reason) == (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "QUERY_TIME_LIMIT_PASSED",
        )
        service.live.now = Config()
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)


def test_a_stop_has_the_present_grace_period(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(tmp_path, Config(stop_grace_seconds=600))
    blocked = BlockedScans(service, monkeypatch)
    report = service.reports.QueryAsrUsage.future(ASK_USAGE, timeout=60)
    wait_until(lambda: blocked.count == 1)
    service.live.now = replace(service.live.now, stop_grace_seconds=0.2)
    stopping = threading.Thread(target=service.stop)
    stopping.start()
    stopping.join(20)
    assert not stopping.is_alive()
    assert refusal(report.result).info.reason == "SERVER_STOPPING"
    blocked.go.set()
    service.close()
