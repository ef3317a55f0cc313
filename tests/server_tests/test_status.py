"""Failed calls: status code, details, and the end of the running work."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from pegcount import core, errors
from pegcount.config import Config
from pegcount.errors import InvalidRequestError, NotFoundError, PegcountError, Violation
from pegcount.model import Measure, Scan
from pegcount.server import status
from pegcount.v1 import reports_pb2
from service import Service
from waiting import wait_until

from server_tests.example_requests import (
    ASK_ACTIVE,
    ASK_FOLDER,
    ASK_QUALITY,
    ASK_USAGE,
    ONE_CODE,
    active_record,
    call_record,
    changed,
    damage_segments,
    replace_scan,
    scan_without_end,
)
from server_tests.refusal import Refusal, of_status, refusal

Code = grpc.StatusCode
INVALID = Code.INVALID_ARGUMENT
OF_RULES = {"field": "once", "asked": "3", "allowed": "2"}
PRECONDITION = Code.FAILED_PRECONDITION
LIMIT_REACHED = errors.CredentialLimitReachedError("write_streams", 8, 1.5)
TEMPORARY = ("OVERLOADED", "CREDENTIAL_LIMIT_REACHED", "STORE_UNREACHABLE", "SERVER_STARTING")
OF_LIMIT = {"limit": "write_streams", "allowed": "8"}
OF_SOURCES = {"field": "records", "asked": "3", "allowed": "2"}
Start = Callable[..., Service]

REPORTS = {
    "QueryAsrUsage": ASK_USAGE,
    "QueryActiveSessions": ASK_ACTIVE,
    "QueryFolderStats": ASK_FOLDER,
    "QueryOriginationQuality": ASK_QUALITY,
}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts services with one finished and one active call, and closes them after the test."""
    started: list[Service] = []

    def start_service(**limits: object) -> Service:
        config = Config(**limits)  # type: ignore[arg-type]
        service = Service(tmp_path / f"store{len(started)}", config)
        started.append(service)
        service.write(call_record("c1"), active_record("c2", folder="support"))
        return service

    yield start_service
    for service in started:
        service.close()


def ask(service: Service, method: str, **more: object) -> object:
    return getattr(service.reports, method)(REPORTS[method], **more)


def check(refused: Refusal, code: grpc.StatusCode, reason: str, **metadata: object) -> None:
    """Asserts code, reason and metadata, and that the detail types match the code."""
    found = (refused.code, refused.info.domain, refused.info.reason, refused.metadata)
    texts = {name: str(value) for name, value in metadata.items()}
    assert found == (code, "pegcount", reason, texts), refused.message
    of_code = {Code.INVALID_ARGUMENT: ["BadRequest"], Code.NOT_FOUND: ["ResourceInfo"]}
    is_temporary = reason in TEMPORARY or texts.get("scope") == "server"
    expected_details = ["RetryInfo"] if is_temporary else of_code.get(code, [])
    assert refused.detail_names == [*expected_details, "ErrorInfo"]


ERRORS: list[tuple[PegcountError, grpc.StatusCode, str, dict[str, str]]] = [
    (
        InvalidRequestError([Violation("f", "VALUE_OUT_OF_RANGE", "is 0", {"value": "0"})]),
        Code.INVALID_ARGUMENT,
        "VALUE_OUT_OF_RANGE",
        {"field": "f", "value": "0"},
    ),
    (errors.CellLimitError("m", asked=3, allowed=2), Code.INVALID_ARGUMENT, "CELL_LIMIT_EXCEEDED", {}),
    (errors.SubtotalLimitError("m", asked=3, allowed=2), INVALID, "SUBTOTAL_LIMIT_EXCEEDED", {}),
    (errors.MalformedMessageError("m"), Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE", {}),
    (errors.RequestTooLargeError(3, 2), Code.INVALID_ARGUMENT, "REQUEST_TOO_LARGE", {}),
    (errors.BatchIdTooLongError("m", asked=3, allowed=2), Code.INVALID_ARGUMENT, "TEXT_TOO_LONG", {}),
    (errors.BatchLimitError("m", asked=3, allowed=2), Code.INVALID_ARGUMENT, "BATCH_LIMIT_EXCEEDED", {}),
    (
        errors.SourceRuleLimitError("rule", 3, 2),
        Code.INVALID_ARGUMENT,
        "TEXT_TOO_LONG",
        {"field": "source_rule.rule", "asked": "3", "allowed": "2"},
    ),
    (
        errors.SourceOfRecordError(7, "b", "a"),
        Code.INVALID_ARGUMENT,
        "SOURCE_OF_RECORD_DIFFERS",
        {"field": "records[7].source", "value": "b", "source": "a"},
    ),
    (errors.SourceRuleError("a", "x", "y"), Code.FAILED_PRECONDITION, "SOURCE_RULE_DIFFERS", {}),
    (errors.CorrectedSourceLimitError(3, 2), INVALID, "LIST_LIMIT_EXCEEDED", OF_SOURCES),
    (errors.CorrectionInProgressError("a", 5.0), Code.FAILED_PRECONDITION, "CORRECTION_IN_PROGRESS", {}),
    (errors.OverloadedError("m", 1.5), Code.RESOURCE_EXHAUSTED, "OVERLOADED", {}),
    (LIMIT_REACHED, Code.RESOURCE_EXHAUSTED, "CREDENTIAL_LIMIT_REACHED", OF_LIMIT),
    (errors.StoreReadOnlyError("m"), Code.FAILED_PRECONDITION, "STORE_READ_ONLY", {}),
    (errors.StoreUnavailableError("m", 1.5), Code.UNAVAILABLE, "STORE_UNREACHABLE", {}),
    (errors.MoveInProgressError("m"), Code.FAILED_PRECONDITION, "MOVE_IN_PROGRESS", {}),
    (errors.WriteFateUnknownError("m", 1.5), Code.UNAVAILABLE, "STORE_UNREACHABLE", {}),
    (errors.ServerStartingError(1.0), Code.UNAVAILABLE, "SERVER_STARTING", {}),
    (errors.ServerStoppingError("m"), Code.UNAVAILABLE, "SERVER_STOPPING", {}),
    (
        errors.CodeDeckNotFoundError(7, [2, 1]),
        Code.NOT_FOUND,
        "CODE_DECK_NOT_FOUND",
        {"allowed": "1, 2", "code_deck": "7"},
    ),
    (
        NotFoundError("COMPANY_NOT_FOUND", "company", "m", company="c"),
        Code.NOT_FOUND,
        "COMPANY_NOT_FOUND",
        {"company": "c"},
    ),
    (errors.DeadlineError("m"), Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED", {}),
    (
        errors.QueryTimeLimitError("m", limit_seconds=1.5),
        Code.DEADLINE_EXCEEDED,
        "QUERY_TIME_LIMIT_PASSED",
        {},
    ),
    (
        errors.MemoryLimitError("m", scope="report", asked=3, allowed=2),
        Code.RESOURCE_EXHAUSTED,
        "MEMORY_LIMIT_EXCEEDED",
        {},
    ),
    (
        errors.MemoryLimitError("m", scope="server", asked=3, allowed=2),
        Code.RESOURCE_EXHAUSTED,
        "MEMORY_LIMIT_EXCEEDED",
        {},
    ),
    (errors.AnswerTooLargeError("m", asked=3, allowed=2), Code.RESOURCE_EXHAUSTED, "ANSWER_TOO_LARGE", {}),
    (errors.DataDamagedError("m", file="x"), Code.DATA_LOSS, "DATA_DAMAGED", {}),
    (errors.MissingMessageError("m"), Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE", {}),
    (errors.RequestReadError("m", limit_seconds="1"), Code.DEADLINE_EXCEEDED, "REQUEST_READ_TIMEOUT", {}),
    (errors.StreamIdleError("m", limit_seconds="1"), Code.UNAVAILABLE, "STREAM_IDLE", {}),
    (errors.StreamDisplacedError("m"), Code.UNAVAILABLE, "STREAM_DISPLACED", {}),
    (errors.ConnectionAgeError("m", limit_seconds="1"), Code.UNAVAILABLE, "CONNECTION_AGE", {}),
    (errors.UnknownMethodError("m", method="M"), Code.UNIMPLEMENTED, "METHOD_UNKNOWN", {}),
    (errors.DeletionLimitError("once", "rules", 3, 2, "x"), INVALID, "LIST_LIMIT_EXCEEDED", OF_RULES),
    (errors.ErasureLimitError(3, 2), INVALID, "LIST_LIMIT_EXCEEDED", {**OF_RULES, "field": "parties"}),
    (errors.CredentialNotFoundError("cr_a", "m"), Code.NOT_FOUND, "CREDENTIAL_NOT_FOUND", {"id": "cr_a"}),
    (errors.CredentialLimitError(3, 2), INVALID, "LIST_LIMIT_EXCEEDED", {**OF_SOURCES, "field": "name"}),
    (errors.CredentialRefusedError(), Code.UNAUTHENTICATED, "CREDENTIAL_REFUSED", {}),
    (errors.CredentialUnexpectedError(), Code.UNAUTHENTICATED, "CREDENTIAL_UNEXPECTED", {}),
    (errors.AccessDeniedError("root"), Code.PERMISSION_DENIED, "ACCESS_DENIED", {"scope": "root"}),
    (errors.OutsideScopeError("field", "v", "m", 1), Code.PERMISSION_DENIED, "ACCESS_DENIED", {}),
    (errors.RotationInProgressError("cr_a", "t"), PRECONDITION, "ROTATION_IN_PROGRESS", {"id": "cr_a"}),
    (errors.FirstCredentialIsLocalError(), PRECONDITION, "FIRST_CREDENTIAL_IS_LOCAL", {}),
    (errors.LastRootCredentialError("cr_a"), PRECONDITION, "LAST_ROOT_CREDENTIAL", {"id": "cr_a"}),
]


@pytest.mark.parametrize(("error", "code", "reason", "metadata"), ERRORS)
def test_each_error_class_has_its_code_and_details(
    error: PegcountError, code: grpc.StatusCode, reason: str, metadata: dict[str, str]
) -> None:
    refused = of_status(status.status_of(error, "r1"))
    check(refused, code, reason, **(metadata or error.metadata))
    assert refused.message == str(error)


def test_a_cancelled_call_has_no_details() -> None:
    refused = of_status(status.status_of(errors.CancelledError("m"), "r1"))
    assert (refused.code, refused.detail_names) == (Code.CANCELLED, [])


def test_the_code_table_has_no_other_class() -> None:
    covered = {type(error) for error, *_ in ERRORS} | {errors.CancelledError}
    assert set(status.CODE_OF_ERROR) == covered


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the password is sesame"),
        KeyError("sesame"),
        PegcountError("sesame"),
        errors.StoreOpenError("sesame"),
        AssertionError("sesame"),
        core.PanicException("sesame"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_internal_faults_reveal_only_a_correlation_id(
    error: BaseException, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def raise_error(*_: object) -> core.Partials:
        raise error

    service = start()
    replace_scan(service, monkeypatch, raise_error)
    with caplog.at_level(logging.ERROR):
        refused = refusal(lambda: ask(service, "QueryAsrUsage"))
        second_refusal = refusal(lambda: ask(service, "QueryAsrUsage"))
    correlation_id = refused.metadata["correlation_id"]
    check(refused, Code.INTERNAL, "INTERNAL_FAULT", correlation_id=correlation_id)
    assert re.fullmatch("[0-9a-f]{32}", correlation_id)
    assert f"tell its operator the correlation id {correlation_id}" in refused.message
    assert second_refusal.metadata["correlation_id"] != correlation_id
    first, second = [entry for entry in caplog.records if entry.name == "pegcount.server.status"]
    assert correlation_id in first.getMessage()
    assert second_refusal.metadata["correlation_id"] in second.getMessage()
    assert "Traceback" in caplog.text
    assert "sesame" in caplog.text


def test_errors_of_the_caller_are_not_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    service = start()
    refusal(lambda: service.reports.QueryAsrUsage(reports_pb2.QueryAsrUsageRequest()))
    assert caplog.records == []


@pytest.mark.parametrize("method", REPORTS)
def test_work_stops_when_the_caller_cancels(
    method: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start()
    begun, ended = threading.Event(), list[Exception]()
    scan_without_end(service, monkeypatch, begun.set, ended)
    call = getattr(service.reports, method).future(REPORTS[method])
    assert begun.wait(10)
    call.cancel()
    assert call.code() is Code.CANCELLED
    wait_until(lambda: bool(ended))
    assert [type(error) for error in ended] == [errors.CancelledError]


def test_a_cancelled_token_ends_scans_at_the_next_poll(start: Start) -> None:
    stop = core.CancelToken(None)
    scan = Scan(None, (), (), Measure("sessions"))
    service = start()
    service.store.partials(scan, 1, stop)
    stop.cancel()
    with pytest.raises(errors.CancelledError):
        service.store.partials(scan, 1, stop)
    with pytest.raises(errors.CancelledError):
        service.store.any_match((), stop)


def test_work_stops_when_the_deadline_of_the_caller_passes(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start()
    ended = list[Exception]()
    scan_without_end(service, monkeypatch, lambda: None, ended)
    refused = refusal(lambda: ask(service, "QueryAsrUsage", timeout=0.2))
    assert refused.code is Code.DEADLINE_EXCEEDED
    wait_until(lambda: bool(ended))
    # Deadline and cancellation race; the caller notices no difference.
    assert isinstance(ended[0], errors.DeadlineError | errors.CancelledError)


def test_a_passed_deadline_has_its_own_reason(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    scan = service.store.partials
    replace_scan(service, monkeypatch, lambda asked, cells, _: scan(asked, cells, core.CancelToken(0.0)))
    check(
        refusal(lambda: ask(service, "QueryAsrUsage", timeout=20)), Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED"
    )


@pytest.mark.parametrize("timeout", [None, 20.0])
@pytest.mark.parametrize("method", REPORTS)
def test_a_query_ends_at_the_time_limit_of_the_server(
    method: str, timeout: float | None, start: Start
) -> None:
    service = start(query_seconds_max=1e-6)
    refused = refusal(lambda: ask(service, method, timeout=timeout))
    check(refused, Code.DEADLINE_EXCEEDED, "QUERY_TIME_LIMIT_PASSED", limit_seconds="1e-06")
    assert refused.message == "the query ran longer than 1e-06 s"


def test_an_endless_scan_ends_at_the_time_limit_of_the_server(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(query_seconds_max=0.2)
    scan_without_end(service, monkeypatch, lambda: None, [])
    start_time = time.monotonic()
    refused = refusal(lambda: ask(service, "QueryAsrUsage"))
    check(refused, Code.DEADLINE_EXCEEDED, "QUERY_TIME_LIMIT_PASSED", limit_seconds="0.2")
    assert 0.15 < time.monotonic() - start_time < 20


def test_more_cells_than_allowed_are_refused(start: Start) -> None:
    service = start(cell_count_max=2)
    service.write(active_record("c3"))
    assert len(service.reports.QueryActiveSessions(ASK_ACTIVE).rows) == 2
    service.write(active_record("c4"), active_record("c5"))
    refused = refusal(lambda: service.reports.QueryActiveSessions(ASK_ACTIVE))
    check(refused, Code.INVALID_ARGUMENT, "CELL_LIMIT_EXCEEDED", asked=3, allowed=2)
    assert "2" in refused.message


def test_bins_do_not_count_as_cells_of_a_report_without_groups(start: Start) -> None:
    """Bins have a limit of their own, checked before the scan."""
    service = start(cell_count_max=2, bin_count_max=24)
    assert len(service.reports.QueryAsrUsage(ASK_USAGE).bins) == 24
    refused = refusal(
        lambda: service.reports.QueryAsrUsage(changed(ASK_USAGE, to_time="2026-03-30T01:00:00"))
    )
    limits = {"field": "granularity", "asked": 25, "allowed": 24, "suggestion": "GRANULARITY_DAY"}
    check(refused, Code.INVALID_ARGUMENT, "BIN_LIMIT_EXCEEDED", **limits)


@pytest.mark.parametrize("method", REPORTS)
def test_an_answer_over_the_size_limit_is_refused(method: str, start: Start) -> None:
    def answer(service: Service) -> bytes:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = service.channel.unary_unary(
            f"/pegcount.v1.ReportService/{method}"
        )
        return call(REPORTS[method].SerializeToString())

    # Without notices, which do not count: an answer that has no room for them goes out without them.
    size = len(answer(start(notice_seconds_max=0.0)))
    assert len(answer(start(answer_bytes_max=size))) == size
    tight = start(answer_bytes_max=size - 1)
    refused = refusal(lambda: ask(tight, method))
    check(refused, Code.RESOURCE_EXHAUSTED, "ANSWER_TOO_LARGE", asked=size, allowed=size - 1)
    assert f"more than {size - 1} bytes" in refused.message


def test_a_request_over_the_size_limit_is_refused(start: Start) -> None:
    service = start(request_bytes_max=100)
    assert ask(service, "QueryAsrUsage")
    refused = refusal(lambda: service.reports.QueryAsrUsage(changed(ASK_USAGE, app_ids=range(200))))
    assert (refused.code, "100" in refused.message) == (Code.RESOURCE_EXHAUSTED, True)


def test_a_damaged_segment_is_data_loss(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        service.write(call_record("c1"), active_record("a1"))
        service.store.flush()
    damage_segments(tmp_path)
    (path,) = (path.relative_to(tmp_path) for path in tmp_path.glob("segments/*/*"))
    with Service(tmp_path) as service:
        refused = refusal(lambda: service.reports.QueryAsrUsage(ASK_USAGE))
        check(refused, Code.DATA_LOSS, "DATA_DAMAGED", file=path)
        assert refused.message.startswith(f"{path}: ")
        # Reports that do not need the damaged segment still work.
        assert len(service.reports.QueryActiveSessions(ASK_ACTIVE).rows) == 1
        day_before = changed(ASK_USAGE, from_time="2026-03-28", to_time="2026-03-29")
        assert service.reports.QueryAsrUsage(day_before).totals.session_count == 0


@pytest.mark.parametrize(
    ("given", "kind", "metadata"),
    [
        ({"company": "Acme"}, "company", {"company": "Acme"}),
        ({"company": "acme "}, "company", {"company": "acme "}),
        ({"organization": "south"}, "organization", {"company": "acme", "organization": "south"}),
        (
            {"folder": "Sales"},
            "folder",
            {"company": "acme", "organization": "north", "folder": "Sales"},
        ),
        # The existence check precedes the check of the range.
        (
            {"folder": "none", "from_date": "20260330"},
            "folder",
            {"company": "acme", "organization": "north", "folder": "none"},
        ),
    ],
)
def test_unknown_objects_are_not_found(
    given: dict[str, str], kind: str, metadata: dict[str, str], start: Start
) -> None:
    service = start()
    refused = refusal(lambda: service.reports.QueryFolderStats(changed(ASK_FOLDER, **given)))
    check(refused, Code.NOT_FOUND, f"{kind.upper()}_NOT_FOUND", **metadata)
    name = metadata[kind]
    assert (refused.resource.resource_type, refused.resource.resource_name) == (kind, name)
    assert refused.resource.description == refused.message == f"no record carries {kind} {name!r}"


def test_a_folder_of_another_organization_is_not_found(start: Start) -> None:
    service = start()
    service.write(call_record("c3", organization="south", folder="returns"))
    refused = refusal(lambda: service.reports.QueryFolderStats(changed(ASK_FOLDER, folder="returns")))
    assert refused.info.reason == "FOLDER_NOT_FOUND"


@pytest.mark.parametrize("deck", [0, 2, -(2**63), 2**63 - 1])
def test_an_unknown_code_deck_is_not_found(deck: int, start: Start) -> None:
    service = start()
    service.admin.PutCodeDeck(ONE_CODE)
    refused = refusal(lambda: service.reports.QueryActiveSessions(changed(ASK_ACTIVE, code_deck=deck)))
    check(refused, Code.NOT_FOUND, "CODE_DECK_NOT_FOUND", code_deck=deck, allowed="1")
    assert (refused.resource.resource_type, refused.resource.resource_name) == ("code_deck", str(deck))


def test_every_violation_arrives_in_one_status(start: Start) -> None:
    wrong = reports_pb2.QueryOriginationQualityRequest(
        from_time="soon", time_zone="Mars", auth_orig_ip="", customer_price=reports_pb2.DecimalFilter(gt="x")
    )
    refused = refusal(lambda: start().reports.QueryOriginationQuality(wrong))
    assert [(field, reason) for field, reason, _ in refused.violations] == [
        ("time_zone", "UNKNOWN_TIME_ZONE"),
        ("sampling", "REQUIRED_FIELD_MISSING"),
        ("from_time", "MALFORMED_TIME"),
        ("account_id", "REQUIRED_FIELD_MISSING"),
        ("auth_orig_ip", "EMPTY_FILTER"),
        ("customer_price.gt", "MALFORMED_DECIMAL"),
    ]
    assert refused.message == "; ".join(f"{field}: {text}" for field, _, text in refused.violations)
    assert refused.info.reason == "UNKNOWN_TIME_ZONE"
