"""Calls as traces, as a collector of OTLP gets them."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import grpc
import pytest
from pegcount import process, tracing
from pegcount.settings import ServeSettings
from pegcount.tracing import TraceSettingError
from pegcount.v1 import admin_pb2, reports_pb2, reports_pb2_grpc
from server_tests.example_requests import ASK_USAGE, call_record
from server_tests.streams import METHOD as WRITE
from server_tests.streams import batch
from service import Service

from logs_tests.collector import Collector, attributes_of, collecting

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
USAGE = "pegcount.v1.ReportService/QueryAsrUsage"
SERVER, INTERNAL = 2, 1
TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(autouse=True)
def no_long_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that goes on trying draws random numbers, which other tests of the process must not meet."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")


@contextmanager
def traced_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> Iterator[Service]:
    """A service whose traces the collector has after the block."""
    monkeypatch.setenv(ENDPOINT, collector.endpoint)
    tracer = tracing.exporting_tracer()
    with closing(tracer), Service(tmp_path, observers=(tracer,)) as service:
        yield service


def test_a_call_has_a_span_and_each_phase_one_within_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_ns = time_ns()
    with collecting() as collector, traced_service(tmp_path, monkeypatch, collector) as service:
        service.write(call_record("c1"))
        service.reports.QueryAsrUsage.with_call(ASK_USAGE, metadata=[("x-request-id", "mine")])
    end_ns = time_ns()
    call, *phases = collector.spans()
    assert (call.name, call.kind, call.parent_span_id) == (USAGE, SERVER, b"")
    assert attributes_of(call) == {
        "rpc.system": "grpc",
        "rpc.service": "pegcount.v1.ReportService",
        "rpc.method": "QueryAsrUsage",
        "rpc.grpc.status_code": 0,
        "pegcount.request_id": "mine",
    }
    # Afterwards it looks for the values that no record has.
    first = ["read", "queue", "calendar", "store", "finish"]
    assert [phase.name for phase in phases] == [*first, "queue", "store"]
    assert {phase.parent_span_id for phase in phases} == {call.span_id}
    assert {phase.trace_id for phase in phases} == {call.trace_id}
    assert begin_ns <= call.start_time_unix_nano < call.end_time_unix_nano <= end_ns
    times_ns = [call.start_time_unix_nano]
    for phase in phases:
        times_ns += [phase.start_time_unix_nano, phase.end_time_unix_nano]
    assert times_ns == sorted(times_ns)
    # The clocks of the end and of the phases are read one after the other.
    assert times_ns[-1] <= call.end_time_unix_nano + 1_000_000
    resource = collector.resource()
    assert (resource["service.name"], resource["service.version"]) == ("pegcount", "0.1.0")


def test_the_trace_of_the_client_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = [("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01"), ("tracestate", "vendor=1")]
    with collecting() as collector, traced_service(tmp_path, monkeypatch, collector) as service:
        service.reports.QueryAsrUsage.with_call(ASK_USAGE, metadata=sent)
    call = collector.spans()[0]
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert call.trace_state == "vendor=1"


@pytest.mark.parametrize("text", ["", "00-0-0-0", f"00-{'0' * 32}-{PARENT_ID}-01", "x" * 500])
def test_a_trace_of_a_client_that_is_malformed_does_not_matter(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as collector, traced_service(tmp_path, monkeypatch, collector) as service:
        service.reports.QueryAsrUsage.with_call(ASK_USAGE, metadata=[("traceparent", text)])
    assert collector.spans()[0].parent_span_id == b""


@pytest.mark.parametrize(
    "sent",
    [
        ("tracestate", "key-+15550100/secret=1"),
        ("tracestate", "a=1,a=secret"),
        ("tracestate", ",".join(f"secret{number}=1" for number in range(33))),
        ("tracestate", "secret=" + "x" * 300),
        ("tracestate", ",".join(["a=secret"] * 1_000)),
        ("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01-{'secret' * 100}"),
    ],
)
def test_a_malformed_context_of_a_client_is_not_logged(
    sent: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    metadata = (
        [sent] if sent[0] == "traceparent" else [("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01"), sent]
    )
    with collecting() as collector, traced_service(tmp_path, monkeypatch, collector) as service:
        service.reports.QueryAsrUsage.with_call(ASK_USAGE, metadata=metadata)
    call = collector.spans()[0]
    assert (call.parent_span_id.hex(), call.trace_state) == (PARENT_ID if len(metadata) == 2 else "", "")
    assert [record.name for record in caplog.records if record.name.startswith("opentelemetry")] == []


def test_failed_calls_and_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = "+493023125001"

    def fail(*_: object) -> Any:
        raise ValueError(f"no record of {number}")

    with collecting() as collector, traced_service(tmp_path, monkeypatch, collector) as service:
        service.write(call_record("c1", orig_src_party_id=number))
        with pytest.raises(grpc.RpcError):
            service.reports.QueryAsrUsage(reports_pb2.QueryAsrUsageRequest())
        with pytest.raises(grpc.RpcError):
            service.channel.unary_unary(f"/a.B/Of{number}")(b"")
        list(service.channel.stream_stream(WRITE)(iter([batch("b1", "c2")])))
        monkeypatch.setattr(service.store, "info", fail)
        with pytest.raises(grpc.RpcError):
            service.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest())
    calls = [span for span in collector.spans() if span.kind == SERVER]
    told = [
        (span.name.rpartition("/")[2], attributes_of(span)["rpc.grpc.status_code"], span.status.code)
        for span in calls
    ]
    assert told == [
        ("QueryAsrUsage", 3, 0),
        ("unknown", 12, 2),
        ("WriteRecords", 0, 0),
        ("GetStoreInfo", 13, 2),
    ]
    assert attributes_of(calls[3])["pegcount.reason"] == "INTERNAL_FAULT"
    assert number not in str(collector.requests)
    assert number.strip("+") not in str(collector.requests)


def test_another_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(TraceSettingError, match="is 'grpc', but traces are exported by http/protobuf only"):
        tracing.exporting_tracer()


def test_a_collector_that_does_not_answer_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts connections and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{listener.getsockname()[1]}")
        tracer = tracing.exporting_tracer()
        with Service(tmp_path, observers=(tracer,)) as service:
            for _ in range(300):
                service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)
        begin_s = monotonic()
        tracer.close()
        assert monotonic() - begin_s < 9


def test_a_server_process_exports_its_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()

    def announce(line: str) -> None:
        with closing(grpc.insecure_channel(line.removeprefix("listening on "))) as channel:
            reports_pb2_grpc.ReportServiceStub(channel).QueryAsrUsage(ASK_USAGE, timeout=20)
        stop.set()

    with collecting() as collector:
        monkeypatch.setenv(ENDPOINT, collector.endpoint)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "pegcount north")
        settings = ServeSettings(
            tmp_path / "data", "127.0.0.1:0", metrics_listen=None, create=True, traces=True
        )
        process.serve(settings, stop, announce)
    assert collector.spans()[0].name == USAGE
    assert collector.resource()["service.name"] == "pegcount north"


def test_without_the_extra_a_server_says_what_to_install(tmp_path: Path) -> None:
    program = "\n".join(
        [
            "import sys, threading",
            "sys.modules['opentelemetry'] = None",
            "from pathlib import Path",
            "from pegcount import process",
            "from pegcount.settings import ServeSettings",
            f"settings = ServeSettings(Path({str(tmp_path / 'data')!r}), create=True, traces=True)",
            "process.serve(settings, threading.Event(), print)",
        ]
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1] == (
        "pegcount.process.traces.MissingTracesError: traces need opentelemetry, which is not installed:"
        " pip install 'pegcount[traces]', or switch traces off"
    )
    assert not (tmp_path / "data").exists()


def test_an_empty_protocol_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "")
    tracing.exporting_tracer().close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_SCHEDULE_DELAY", "-5"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "999999"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "x"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(
        TraceSettingError, match=f"with the variables that are set, .*{name}.*: .*; correct them"
    ):
        tracing.exporting_tracer()
