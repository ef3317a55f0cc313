"""What metrics, log and traces learn of a call, and who they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter
from typing import Final, Protocol

from google.protobuf import descriptor_pool
from grpc_health.v1 import health

from pegcount.auth import Caller
from pegcount.server.call_clock import CallClock

UNKNOWN_METHOD: Final = "unknown"
"""Stands for a method that the server does not have: its name is whatever a client has sent."""
_HEALTH: Final = f"{health.SERVICE_NAME}/"


class CallKind(StrEnum):
    """What clients send and the server answers in a call."""

    UNARY = "unary"
    """One message each."""
    SERVER_STREAM = "server_stream"
    """One message, and a stream of answers."""
    BIDI_STREAM = "bidi_stream"
    """A stream of messages each."""


def kind_of(method: str) -> CallKind:
    """Returns the kind of a method of the contract, `package.Service/Method`; raises KeyError for others."""
    found = descriptor_pool.Default().FindMethodByName(method.replace("/", "."))
    if found.client_streaming:
        return CallKind.BIDI_STREAM
    return CallKind.SERVER_STREAM if found.server_streaming else CallKind.UNARY


@dataclass(slots=True, eq=False)
class ObservedCall:
    """A call, refused ones included; complete when an observer gets it.

    It has no text of a request, so that no number of a party gets into a log by way of it.
    """

    method: str
    """`package.Service/Method`, as the client sent it if the server has no such method."""
    is_known: bool
    """Whether the server has such a method; a metric must not get a label for each text that clients send."""
    peer: str
    """The client as gRPC names it, such as `ipv4:127.0.0.1:50100`."""
    request_id: str = ""
    """Names the call; it may hold any visible ASCII characters that its client chose."""
    trace_context: Mapping[str, str] = field(default_factory=dict)
    """`traceparent` and `tracestate` of the client; malformed ones are left out, see https://www.w3.org/TR/trace-context/."""
    caller: Caller | None = None
    """Who calls, if that is known."""
    error: BaseException | None = None
    """Why the call failed; None if it succeeded, or its client gave it up."""
    is_cancelled: bool = False
    """Whether the client gave the call up, or its deadline passed, before it was answered."""
    is_settled: bool = False
    """Whether the client of a stream left after it had sent its last message and got each answer."""
    clock: CallClock | None = None
    """The phases of a call that began; None for one that was refused before."""
    request_bytes: int = 0
    """Bytes of the messages that were read."""
    response_bytes: int = 0
    """Bytes of the messages that were answered."""
    row_count: int | None = None
    """Rows that the scans of a report have read; None for other calls, and for a report without a scan."""
    bin_count: int | None = None
    """Bins of a report, those that only warm up an average included; None for other calls, and for a report
    that was refused before it had bins."""
    begin_s: float = field(default_factory=perf_counter)
    """When it began, in seconds of `time.perf_counter`."""
    seconds: float = 0.0
    """How long it took, until its answer was handed to gRPC."""
    kind: CallKind = CallKind.UNARY

    @property
    def is_stream(self) -> bool:
        """Whether either side sends a stream of messages."""
        return self.kind is not CallKind.UNARY

    @property
    def is_health_check(self) -> bool:
        """Whether the call asks for the health of the server, as probes do every few seconds."""
        return self.method.startswith(_HEALTH)

    @property
    def shown_method(self) -> str:
        """The method as logs and traces show it; `unknown` if the server has no such method."""
        return self.method if self.is_known else UNKNOWN_METHOD

    def note_rows(self, row_count: int) -> None:
        """Adds the rows that a scan has read. The scans of a call run one after the other."""
        self.row_count = (self.row_count or 0) + row_count


class CallObserver(Protocol):
    """Learns of each call that has ended.

    It is called on the event loop, for each call: it must take microseconds, and never wait for a disk.
    """

    def call_ended(self, call: ObservedCall) -> None:
        """Notes a call that has ended; it has its `seconds`."""
