"""What metrics learn of a server beside its calls."""

from collections.abc import Mapping
from dataclasses import dataclass

from pegcount.server.observed_call import CallKind
from pegcount.server.watch_load import WatchLoad


@dataclass(frozen=True, slots=True)
class MethodCalls:
    """The calls of one method since the server began."""

    name: str | None
    """`package.Service/Method`; None is all methods together that the server does not offer."""
    kind: CallKind
    begun_count: int
    """Calls that have begun, refused ones included."""


@dataclass(frozen=True, slots=True)
class LaneLoad:
    """The reports of one lane."""

    running: int | None
    """Reports that run; None for those on the event loop, which runs one at a time."""
    waiting: int


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server at one moment, its addresses together."""

    methods: tuple[MethodCalls, ...]
    """A method that several addresses offer is there for each of them."""
    connections: int
    calls_in_progress: int
    """Calls that have begun and were not refused at once."""
    write_streams: int
    """Open WriteRecords streams."""
    watches: WatchLoad
    lanes: Mapping[str, LaneLoad]
    """By name: inline, small, large, search."""
    health: Mapping[str, bool]
    """Whether each service is SERVING, by its name; the empty name is the whole server."""
    certificate_expire_us: int | None
    """When the first of the certificates in use expires, microseconds UTC; None without TLS."""
