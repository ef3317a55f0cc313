"""Before and while the server validates a request: limits of bytes and lists, cancellation."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount import core, request
from pegcount.config import Config
from pegcount.errors import CancelledError, DeadlineError, InvalidRequestError
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2, reports_pb2
from service import NOW_US, Service
from store_reports import StoreReports

from server_tests.example_requests import ASK_ACTIVE, ASK_FOLDER, ASK_QUALITY, ASK_USAGE, ONE_CODE, changed
from server_tests.refusal import refusal

Start = Callable[..., Service]
REPORTS: dict[str, Any] = {
    "QueryAsrUsage": ASK_USAGE,
    "QueryActiveSessions": ASK_ACTIVE,
    "QueryFolderStats": ASK_FOLDER,
    "QueryOriginationQuality": ASK_QUALITY,
}


@pytest.fixture
def reports(tmp_path: Path) -> Iterator[StoreReports]:
    store = EmbeddedStore(tmp_path, Config(), create=True)
    yield StoreReports(Config(), store, lambda: NOW_US)
    store.close()


def check_too_large(call: Callable[[], object], asked: int, allowed: int) -> None:
    refused = refusal(call)
    assert (refused.code, refused.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_TOO_LARGE")
    assert refused.metadata == {"asked": str(asked), "allowed": str(allowed)}
    assert refused.message == f"the request has {asked} bytes; {allowed} are allowed"


@pytest.mark.parametrize("method", REPORTS)
def test_a_report_request_has_a_limited_size(method: str, start: Start) -> None:
    size = len(REPORTS[method].SerializeToString())
    service = start(report_request_bytes_max=size)
    longer = changed(REPORTS[method], time_zone="UTC")

    def ask(message: object) -> object:
        try:
            return getattr(service.reports, method)(message)
        except grpc.RpcError as error:
            # The folder report finds no company in the empty store.
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return error

    assert ask(REPORTS[method])
    check_too_large(lambda: ask(longer), size + 5, size)


def test_admin_requests_other_than_code_decks_have_a_smaller_limit(start: Start) -> None:
    service = start(admin_request_bytes_max=10)
    assert service.admin.PutCodeDeck(ONE_CODE).entry_count == 1
    lift = admin_pb2.LiftDeletionRequest
    refused = refusal(lambda: service.admin.LiftDeletion(lift(rule_id=2**62)))
    assert refused.info.reason == "DELETION_NOT_FOUND"
    check_too_large(lambda: service.admin.LiftDeletion(lift(rule_id=-1)), 11, 10)


def test_health_requests_have_the_same_error(start: Start) -> None:
    health = health_pb2_grpc.HealthStub(start().channel)
    fits, longer = (health_pb2.HealthCheckRequest(service="s" * length) for length in (1_021, 1_022))
    assert refusal(lambda: health.Check(fits)).info.reason == "SERVICE_NOT_FOUND"
    check_too_large(lambda: health.Check(longer), 1_025, 1_024)


TOO_LONG = {
    "return_fields": changed(ASK_ACTIVE, return_fields=["x"] * 100_000),
    "order": changed(ASK_ACTIVE, order=[""] * 200_000),
    "filters.orig_rates_code": changed(
        ASK_ACTIVE, filters=reports_pb2.ActiveSessionFilters(orig_rates_code=["49"] * 100_000)
    ),
}


@pytest.mark.parametrize("field", TOO_LONG)
def test_a_list_of_a_long_request_is_counted_before_parsing(
    field: str, reports: StoreReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To parse 4 MiB of empty texts takes 50 ms, to count them 7 ms."""
    monkeypatch.setattr(request, "parse", lambda *_: pytest.fail("the request was parsed"))
    with pytest.raises(InvalidRequestError) as raised:
        reports.prepare("QueryActiveSessions", TOO_LONG[field].SerializeToString(), core.CancelToken(None))
    (violation,) = raised.value.violations
    assert (violation.field, violation.reason.endswith("LIMIT_EXCEEDED")) == (field, True)


@pytest.mark.parametrize("method", REPORTS)
def test_validation_ends_when_the_call_does(method: str, reports: StoreReports) -> None:
    prepare = partial(reports.prepare, method)
    data = REPORTS[method].SerializeToString()
    assert prepare(data, core.CancelToken(None)).scan, "which may be cached from now on"
    cancelled = core.CancelToken(None)
    cancelled.cancel()
    with pytest.raises(CancelledError):
        prepare(data, cancelled)
    with pytest.raises(DeadlineError):
        prepare(data, core.CancelToken(0.0))
    assert prepare(data, core.CancelToken(None)).scan


@pytest.mark.parametrize("method", REPORTS)
def test_validation_checks_between_parsing_and_each_field(
    method: str, reports: StoreReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is cancelled while the request is parsed, which stands for a long time."""
    token, parse = core.CancelToken(None), request.parse

    def cancel_and_parse(*arguments: Any) -> Any:
        token.cancel()
        return parse(*arguments)

    monkeypatch.setattr(request, "parse", cancel_and_parse)
    longer = changed(REPORTS[method], time_zone="U" * 5_000)
    with pytest.raises(CancelledError):
        reports.prepare(method, longer.SerializeToString(), token)
