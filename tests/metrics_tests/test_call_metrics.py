"""What calls over gRPC add to the metrics."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount.auth import Scope
from pegcount.config import Config
from pegcount.errors import CancelledError, MemoryLimitError, NotFoundError
from pegcount.metrics import ServerMetrics
from pegcount.server import ListeningServer, ObservedCall
from pegcount.store import EmbeddedStore
from prometheus_client import generate_latest
from server_tests.example_requests import ASK_ACTIVE, ASK_USAGE, call_record, changed, replace_scan
from server_tests.keys import guarded
from server_tests.streams import METHOD, Request, Stream, batch
from server_tests.watching import Watching, question
from waiting import wait_until

from metrics_tests.observed import RECORDS, REPORTS, Observed, observed

ASK = ASK_USAGE.SerializeToString()
USAGE = {"grpc_service": REPORTS, "grpc_method": "QueryAsrUsage"}
UNKNOWN = {"grpc_service": "unknown", "grpc_method": "unknown"}
PARTY = "+15550100"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Observed]:
    with observed(tmp_path) as found:
        yield found


def ask_usage(running: Observed, request: bytes = ASK) -> bytes:
    call: Any = running.service.channel.unary_unary(f"/{REPORTS}/QueryAsrUsage")
    answer: bytes = call(request, timeout=20)
    return answer


def fails(call: Any) -> str:
    """Returns the code with which a call fails."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    name: str = raised.value.code().name
    return name


def test_answered_calls(running: Observed) -> None:
    answers = [ask_usage(running) for _ in range(3)]
    unary = {"grpc_type": "unary", **USAGE}
    running.wait_for(3, "grpc_server_handled_total", **unary, grpc_code="OK")
    assert running.sample("grpc_server_started_total", **unary) == 3
    assert running.sample("grpc_server_handling_seconds_count", **unary) == 3
    seconds = running.sample("grpc_server_handling_seconds_sum", **unary)
    assert seconds is not None
    assert 0 < seconds < 60
    assert running.sample("pegcount_call_received_bytes_total", **USAGE) == 3 * len(ASK)
    assert running.sample("pegcount_call_sent_bytes_total", **USAGE) == sum(map(len, answers))
    assert running.samples("pegcount_failed_calls_total") == {}


def test_a_refused_request_counts_by_code_and_reason(running: Observed) -> None:
    wrong = changed(ASK_USAGE, from_time=PARTY).SerializeToString()
    assert fails(lambda: ask_usage(running, wrong)) == "INVALID_ARGUMENT"
    running.wait_for(1, "grpc_server_handled_total", grpc_type="unary", **USAGE, grpc_code="INVALID_ARGUMENT")
    assert running.samples("pegcount_failed_calls_total") == {("MALFORMED_TIME",): 1}
    assert running.samples("pegcount_credential_failures_total") == {}
    assert running.samples("pegcount_admission_refusals_total") == {}


def test_unknown_methods_share_their_labels(running: Observed) -> None:
    for method in (f"{REPORTS}/Secret", "a.B/C", f"x.{PARTY}/D", "/"):
        call: Any = running.service.channel.unary_unary(f"/{method}")
        assert fails(lambda call=call: call(b"", timeout=20)) == "UNIMPLEMENTED"
    labels = {"grpc_type": "unary", **UNKNOWN}
    running.wait_for(4, "grpc_server_handled_total", **labels, grpc_code="UNIMPLEMENTED")
    assert running.sample("grpc_server_started_total", **labels) == 4
    assert running.samples("pegcount_failed_calls_total") == {("METHOD_UNKNOWN",): 4}
    texts = [text for metric in running.metrics.registry.collect() for text in map(str, metric.samples)]
    assert [text for text in texts if "Secret" in text or PARTY in text] == []


def test_a_write_stream(running: Observed) -> None:
    batches = [batch("1", "a", "b"), batch("2", "c")]
    with Stream(running.service.channel) as stream:
        stream.send(*batches)
        answers = [stream.answer(), stream.answer()]
        assert running.sample("pegcount_write_streams") == 1
        assert running.sample("pegcount_calls_in_progress") == 1
        assert stream.end() == []
    of_method = {"grpc_service": RECORDS, "grpc_method": "WriteRecords"}
    labels = {"grpc_type": "bidi_stream", **of_method}
    running.wait_for(1, "grpc_server_handled_total", **labels, grpc_code="OK")
    running.wait_for(0, "pegcount_write_streams")
    running.wait_for(0, "pegcount_calls_in_progress")
    assert running.sample("grpc_server_started_total", **labels) == 1
    assert running.sample("pegcount_call_received_bytes_total", **of_method) == sum(map(len, batches))
    sent = sum(answer.ByteSize() for answer in answers)
    assert running.sample("pegcount_call_sent_bytes_total", **of_method) == sent
    assert running.samples("grpc_server_handling_seconds_count") == {}


def test_a_watch(running: Observed) -> None:
    watching = Watching(running.service, question("CALLS"))
    watching.next()
    assert running.sample("pegcount_watch_streams") == 1
    assert running.sample("pegcount_watched_queries") == 1
    wait_until(lambda: (running.sample("pegcount_watch_evaluations_total") or 0) >= 2)
    assert (running.sample("pegcount_watch_evaluation_seconds_total") or 0) > 0
    assert running.sample("pegcount_watch_evaluations_failed_total") == 0
    watching.call.cancel()
    running.wait_for(0, "pegcount_watch_streams")
    running.wait_for(0, "pegcount_watched_queries")


def test_a_stream_that_its_client_cancels(running: Observed) -> None:
    watching = health_pb2_grpc.HealthStub(running.service.channel).Watch(
        health_pb2.HealthCheckRequest(), timeout=20
    )
    next(watching)
    labels = {"grpc_type": "server_stream", "grpc_service": "grpc.health.v1.Health", "grpc_method": "Watch"}
    assert running.sample("grpc_server_started_total", **labels) == 1
    assert running.samples("grpc_server_handled_total") == {}
    watching.cancel()
    running.wait_for(1, "grpc_server_handled_total", **labels, grpc_code="CANCELLED")
    assert running.samples("pegcount_failed_calls_total") == {}


def test_a_fault_of_the_server(running: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError(PARTY)

    replace_scan(running.service, monkeypatch, fail)
    assert fails(lambda: ask_usage(running)) == "INTERNAL"
    running.wait_for(1, "grpc_server_handled_total", grpc_type="unary", **USAGE, grpc_code="INTERNAL")
    assert running.samples("pegcount_failed_calls_total") == {("INTERNAL_FAULT",): 1}


def test_refused_credentials(tmp_path: Path) -> None:
    metrics = ServerMetrics()
    with guarded(tmp_path, observers=[metrics.calls]) as held:
        found = Observed(held.service, metrics)
        reports = held.service.reports
        wrong = (("x-api-key", "pgc_no_such_key"),)
        writer = held.sent(Scope.WRITE_RECORDS)
        for metadata in ((), wrong):
            assert fails(lambda m=metadata: reports.QueryAsrUsage(ASK_USAGE, metadata=m)) == "UNAUTHENTICATED"
        assert fails(lambda: reports.QueryAsrUsage(ASK_USAGE, metadata=writer)) == "PERMISSION_DENIED"
        reports.QueryAsrUsage(ASK_USAGE, metadata=held.sent(Scope.READ_REPORTS))
        found.wait_for(1, "grpc_server_handled_total", grpc_type="unary", **USAGE, grpc_code="OK")
    expected = {("CREDENTIAL_REFUSED",): 2, ("ACCESS_DENIED",): 1}
    assert found.samples("pegcount_credential_failures_total") == expected
    assert found.samples("pegcount_failed_calls_total") == expected


def test_refusals_of_an_overloaded_server(tmp_path: Path) -> None:
    with observed(tmp_path, write_stream_count_max=0) as running:
        call: Any = running.service.channel.stream_stream(METHOD)
        assert fails(lambda: list(call(iter([batch("1", "a")]), timeout=20))) == "RESOURCE_EXHAUSTED"
        labels = {"grpc_type": "bidi_stream", "grpc_service": RECORDS, "grpc_method": "WriteRecords"}
        running.wait_for(1, "grpc_server_handled_total", **labels, grpc_code="RESOURCE_EXHAUSTED")
        assert running.sample("grpc_server_started_total", **labels) == 1
        assert running.samples("pegcount_admission_refusals_total") == {("OVERLOADED",): 1}
        assert running.samples("pegcount_failed_calls_total") == {("OVERLOADED",): 1}


@pytest.mark.parametrize(("scope", "count"), [("report", 0), ("server", 1)])
def test_a_report_that_needs_too_much_by_itself_is_refused_by_no_admission(scope: str, count: int) -> None:
    metrics = ServerMetrics()
    error = MemoryLimitError("too much", scope=scope)
    metrics.calls.call_ended(ObservedCall(f"{REPORTS}/QueryAsrUsage", True, "ipv4:1", error=error))
    name = "pegcount_admission_refusals_total"
    assert metrics.registry.get_sample_value(name, {"reason": "MEMORY_LIMIT_EXCEEDED"}) == count
    metrics.close()


def test_errors_without_a_reason_of_the_contract() -> None:
    """A scan whose client has left counts as cancelled, and as no failure."""
    metrics = ServerMetrics()
    for error in (CancelledError("the client has left"), NotFoundError("MADE_UP", "thing", "none")):
        metrics.calls.call_ended(ObservedCall(f"{REPORTS}/QueryAsrUsage", True, "ipv4:1", error=error))
    read = metrics.registry.get_sample_value
    handled = {"grpc_type": "unary", **USAGE}
    assert read("grpc_server_handled_total", {**handled, "grpc_code": "CANCELLED"}) == 1
    assert read("grpc_server_handled_total", {**handled, "grpc_code": "NOT_FOUND"}) == 1
    assert read("pegcount_failed_calls_total", {"reason": "OTHER"}) == 1
    assert read("pegcount_failed_calls_total", {"reason": "CANCELLED"}) is None
    metrics.close()


def test_calls_of_a_starting_server_count_for_their_methods(tmp_path: Path) -> None:
    """They raised KeyError once, and ended as UNKNOWN, as no method had been added yet."""
    metrics = ServerMetrics()
    server = ListeningServer(Config(), "127.0.0.1:0", observers=[metrics.calls])
    metrics.watch_server(server.state)
    writes = {"grpc_type": "bidi_stream", "grpc_service": RECORDS, "grpc_method": "WriteRecords"}
    read = metrics.registry.get_sample_value
    with closing(EmbeddedStore(tmp_path, Config(), create=True)) as store:
        with grpc.insecure_channel(server.addresses[0]) as channel:
            write: Any = channel.stream_stream(METHOD)
            assert fails(lambda: list(write(iter([]), timeout=20))) == "UNAVAILABLE"
            assert read("grpc_server_started_total", writes) == 1
            server.answer(store)
            assert list(write(iter([]), timeout=20)) == []
        server.stop()
    assert read("grpc_server_started_total", writes) == 2
    for code in ("UNAVAILABLE", "OK"):
        assert read("grpc_server_handled_total", {**writes, "grpc_code": code}) == 1
    metrics.close()


def test_connections_and_health(running: Observed) -> None:
    assert running.sample("pegcount_connections") == 0
    running.service.reports.QueryActiveSessions(ASK_ACTIVE, timeout=20)
    assert running.sample("pegcount_connections") == 1
    names = {"", REPORTS, RECORDS, "pegcount.v1.TrafficService", "pegcount.v1.AdminService", "pegcount.live"}
    assert running.samples("pegcount_health") == {(name,): 1 for name in names}
    running.service.stop()
    assert running.samples("pegcount_health") == {("pegcount.live",): 1}
    assert running.sample("pegcount_health", service="") == 0


def test_numbers_and_credentials_are_in_no_metric(tmp_path: Path) -> None:
    """Nor is anything else that a client sends, but names of sources."""
    metrics = ServerMetrics()
    with guarded(tmp_path, observers=[metrics.calls]) as held:
        metrics.watch_store(held.service.store)
        metrics.watch_server(held.service.state)
        root, channel = held.sent(Scope.ROOT), held.service.channel
        writer: Any = channel.stream_stream(METHOD)
        record = call_record("session-7", orig_src_party_id=PARTY, source="pbx", auth_orig_ip="192.0.2.77")
        message = Request(records=[record]).SerializeToString()
        assert len(list(writer(iter([message]), metadata=root, timeout=20))) == 1
        for method, request in ((f"{REPORTS}/QueryAsrUsage", PARTY.encode()), (f"{PARTY}/{PARTY}", b"")):
            call: Any = channel.unary_unary(f"/{method}")
            fails(lambda call=call, request=request: call(request, metadata=root, timeout=20))
        text = generate_latest(metrics.registry).decode()
        metrics.close()
    assert "pegcount_stored_records 1.0" in text
    row = held.issued[Scope.ROOT].row
    secrets = {PARTY, "5550100", "192.0.2.77", "session-7", "acme", "127.0.0.1", row.id, root[0][1]}
    assert {secret for secret in secrets if secret in text} == set()
