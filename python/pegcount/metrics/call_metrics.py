"""Counts of the calls that have ended. They take microseconds, as each call waits for them."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram

from pegcount.errors import (
    AccessDeniedError,
    CancelledError,
    CredentialLimitReachedError,
    CredentialRefusedError,
    CredentialUnexpectedError,
    FirstCredentialIsLocalError,
    MemoryLimitError,
    OutsideScopeError,
    OverloadedError,
)
from pegcount.metrics.labels import OF_CALL, OF_METHOD, method_values
from pegcount.server import CallKind, ObservedCall, code_of_call, outcome_of
from pegcount.v1 import error_reason_pb2

SECONDS_BOUNDS = (
    *(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
"""Upper bounds of the durations of calls, in seconds: a cached report takes 200 µs, the longest one 30 s."""

_OTHER = "OTHER"
"""A reason that the contract does not have, which a label must not name."""
_PREFIX = "ERROR_REASON_"
_REASONS = frozenset(
    name.removeprefix(_PREFIX)
    for name, number in error_reason_pb2.ErrorReason.items()
    if number != error_reason_pb2.ERROR_REASON_UNSPECIFIED
)
_CREDENTIAL_FAILURES = (
    AccessDeniedError,
    CredentialRefusedError,
    CredentialUnexpectedError,
    FirstCredentialIsLocalError,
    OutsideScopeError,
)
_ADMISSION_REFUSALS = (OverloadedError, CredentialLimitReachedError, MemoryLimitError)
"""The last only if other reports hold the memory."""


@dataclass(frozen=True, slots=True)
class _OfOutcome:
    """The metrics of the calls of one method that end with one code."""

    handled: Counter
    seconds: Histogram | None
    received: Counter
    sent: Counter


class CallMetrics:
    """Counts calls by method and code, and their failures by reason; a `CallObserver`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Adds its metrics to a registry."""
        self._handled = Counter(
            "grpc_server_handled",
            "Calls that have ended, by status code.",
            (*OF_CALL, "grpc_code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "grpc_server_handling_seconds",
            "Seconds from the start of a call to the end of its answer; streams are left out.",
            OF_CALL,
            buckets=SECONDS_BOUNDS,
            registry=registry,
        )
        self._received = Counter(
            "pegcount_call_received_bytes",
            "Bytes of the request messages that were read, counted when their call ends.",
            OF_METHOD,
            registry=registry,
        )
        self._sent = Counter(
            "pegcount_call_sent_bytes",
            "Bytes of the messages that were answered, counted when their call ends.",
            OF_METHOD,
            registry=registry,
        )
        self._failed = _by_reason(
            registry,
            "pegcount_failed_calls",
            "Calls that have failed, by the reason of their error, as docs/errors.md lists them.",
        )
        self._credential_failures = _by_reason(
            registry,
            "pegcount_credential_failures",
            "Calls that were refused for their credential, or the lack of one.",
        )
        self._refusals = _by_reason(
            registry,
            "pegcount_admission_refusals",
            "Calls that were refused because the server, its memory or a credential had reached a limit.",
        )
        self._by_outcome: dict[tuple[str | None, str], _OfOutcome] = {}
        self._by_failure: dict[tuple[str, type[BaseException], bool], tuple[Counter, ...]] = {}
        self._begin_series()

    def call_ended(self, call: ObservedCall) -> None:
        """Counts a call that has ended."""
        code = code_of_call(call)
        if call.error is not None:
            self._note_failure(call.error)
        method = call.method if call.is_known else None
        counts = self._by_outcome.get((method, code)) or self._add_outcome(method, code, call.kind)
        counts.handled.inc()
        if counts.seconds is not None:
            counts.seconds.observe(call.seconds)
        counts.received.inc(call.request_bytes)
        counts.sent.inc(call.response_bytes)

    def _note_failure(self, error: BaseException) -> None:
        outcome = outcome_of(error)
        key = (outcome, type(error), getattr(error, "is_temporary", True))
        counts = self._by_failure.get(key)
        if counts is None:
            counts = self._by_failure[key] = self._counts_of(error, outcome)
        for count in counts:
            count.inc()

    def _counts_of(self, error: BaseException, outcome: str) -> tuple[Counter, ...]:
        if isinstance(error, CancelledError):
            return ()
        reason = outcome if outcome in _REASONS else _OTHER
        failed = self._failed.labels(reason)
        if isinstance(error, _CREDENTIAL_FAILURES):
            return failed, self._credential_failures.labels(reason)
        if isinstance(error, _ADMISSION_REFUSALS) and getattr(error, "is_temporary", True):
            return failed, self._refusals.labels(reason)
        return (failed,)

    def _add_outcome(self, method: str | None, code: str, kind: CallKind) -> _OfOutcome:
        of_method = method_values(method)
        of_call = (kind.value, *of_method)
        found = _OfOutcome(
            self._handled.labels(*of_call, code),
            self._seconds.labels(*of_call) if kind is CallKind.UNARY else None,
            self._received.labels(*of_method),
            self._sent.labels(*of_method),
        )
        self._by_outcome[method, code] = found
        return found

    def _begin_series(self) -> None:
        """Begins the series of reasons at 0: the first event of one that begins at 1 raises no rate."""
        for reason in _REASONS:
            self._failed.labels(reason)
        for error in _CREDENTIAL_FAILURES:
            self._credential_failures.labels(error.reason)
        for refusal in _ADMISSION_REFUSALS:
            self._refusals.labels(refusal.reason)


def _by_reason(registry: CollectorRegistry, name: str, meaning: str) -> Counter:
    return Counter(name, meaning, ("reason",), registry=registry)
