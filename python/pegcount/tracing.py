"""Calls as traces of OpenTelemetry: a span for each call, and one within it for each phase.

Only installations with the extra `traces` can import this module.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pegcount.backlog import Backlog
from pegcount.errors import PegcountError
from pegcount.server.call_clock import PhaseSpan
from pegcount.server.observed_call import UNKNOWN_METHOD, ObservedCall
from pegcount.server.status import CODE_NUMBERS, code_of_call, outcome_of
from pegcount.version import VERSION

_QUEUE_COUNT_MAX: Final = 2_000
_CLOSE_SECONDS: Final = 2.0
_NS_PER_SECOND: Final = 1_000_000_000
_PROTOCOL_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL: Final = "http/protobuf"

_LOGGERS_OF_CALLS: Final = ("opentelemetry.trace", "opentelemetry.attributes")
"""What they log of a call has text of the client, and comes with each call."""

_FAULTS: Final = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
"""Codes that are errors of a server: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/."""


class TraceSettingError(PegcountError):
    """A variable asks for something that the exporter of traces does not have."""


@dataclass(frozen=True, slots=True)
class _EndedCall:
    """What a trace has of a call: nothing that a request says."""

    method: str
    code: str
    reason: str | None
    request_id: str
    trace_context: Mapping[str, str]
    begin_ns: int
    end_ns: int
    phases: Sequence[PhaseSpan]
    begin_s: float

    def at_ns(self, time_s: float) -> int:
        """Returns a time of `time.perf_counter` in nanoseconds since 1970."""
        return self.begin_ns + round((time_s - self.begin_s) * _NS_PER_SECOND)


class CallTracer:
    """An observer that exports the spans of calls in batches, on threads of its own."""

    def __init__(self, processor: SpanProcessor) -> None:
        """`processor` gets the spans. Calls beyond 2,000 that wait have none."""
        self._provider = TracerProvider(resource=_resource())
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("pegcount", VERSION)
        self._propagator = TraceContextTextMapPropagator()
        self._backlog = Backlog[_EndedCall]("traces", self._trace_each, _QUEUE_COUNT_MAX)

    def call_ended(self, call: ObservedCall) -> None:
        """Notes a call that has ended; health checks have no spans."""
        if call.is_health_check:
            return
        end_ns = time.time_ns()
        self._backlog.add(
            _EndedCall(
                method=call.shown_method,
                code=code_of_call(call),
                reason=None if call.error is None else outcome_of(call.error),
                request_id=call.request_id,
                trace_context=call.trace_context,
                begin_ns=end_ns - round(call.seconds * _NS_PER_SECOND),
                end_ns=end_ns,
                phases=() if call.clock is None else call.clock.spans(),
                begin_s=call.begin_s,
            )
        )

    def close(self) -> None:
        """Exports what is left, for at most 4 seconds: a collector that does not answer holds nobody up."""
        self._backlog.close(_CLOSE_SECONDS)
        _within(_CLOSE_SECONDS, self._provider.shutdown)

    def _trace_each(self, calls: Sequence[_EndedCall]) -> None:
        for call in calls:
            self._trace(call)

    def _trace(self, call: _EndedCall) -> None:
        service, _, method = call.method.rpartition("/")
        attributes = {
            "rpc.system": "grpc",
            "rpc.service": service or UNKNOWN_METHOD,
            "rpc.method": method,
            "rpc.grpc.status_code": CODE_NUMBERS[call.code],
            "pegcount.request_id": call.request_id,
        }
        if call.reason is not None:
            attributes["pegcount.reason"] = call.reason
        span = self._tracer.start_span(
            call.method,
            context=self._propagator.extract(call.trace_context),
            kind=SpanKind.SERVER,
            attributes=attributes,
            start_time=call.begin_ns,
        )
        if call.code in _FAULTS:
            span.set_status(Status(StatusCode.ERROR, call.reason))
        within = set_span_in_context(span)
        for phase in call.phases:
            begin_ns, end_ns = call.at_ns(phase.begin_s), call.at_ns(phase.end_s)
            self._tracer.start_span(phase.phase.value, within, start_time=begin_ns).end(end_ns)
        span.end(call.end_ns)


def exporting_tracer() -> CallTracer:
    """Returns a tracer that exports by OTLP over HTTP, as the variables OTEL_* say.

    Raises TraceSettingError if one asks for another protocol, or has a value that cannot be used.
    """
    for name in _LOGGERS_OF_CALLS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in _PROTOCOL_VARIABLES:
        # An empty variable counts as one that is not set, as the specification of OpenTelemetry says.
        if (os.environ.get(name) or _PROTOCOL) != _PROTOCOL:
            raise TraceSettingError(
                f"{name} is {os.environ[name]!r}, but traces are exported by {_PROTOCOL} only: leave it out,"
                " and name the address of the collector for HTTP, such as http://localhost:4318"
            )
    try:
        return CallTracer(BatchSpanProcessor(OTLPSpanExporter()))
    except ValueError as error:
        named = ", ".join(sorted(name for name in os.environ if name.startswith("OTEL_")))
        raise TraceSettingError(
            f"traces cannot begin with the variables that are set, {named}: {error}; correct them, leave them"
            " out, or switch traces off"
        ) from error


def _resource() -> Resource:
    """Returns what describes this process; the name of the service is that of OTEL_SERVICE_NAME, if given."""
    described = Resource.create({SERVICE_VERSION: VERSION})
    is_named = not str(described.attributes[SERVICE_NAME]).startswith("unknown_service")
    return described if is_named else described.merge(Resource({SERVICE_NAME: "pegcount"}))


def _within(seconds: float, work: Callable[[], object]) -> None:
    """Does work on a thread; waits for it no longer than some seconds."""
    thread = threading.Thread(target=work, name="end of traces", daemon=True)
    thread.start()
    thread.join(seconds)
