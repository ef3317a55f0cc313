"""The line of a call, as text and as JSON."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pegcount.errors import quoted, shortened
from pegcount.logs.line_formats import json_head
from pegcount.logs.shown_text import known_as_json, utc
from pegcount.masked import masked_address
from pegcount.server.sockets import endpoint_of

CALLS_LOGGER: Final = "pegcount.calls"
_KNOWN_PEER_COUNT = 4_096


@dataclass(frozen=True, slots=True)
class CallLine:
    """What the log has of a call."""

    time_ns: int
    """When the call ended, in nanoseconds since 1970."""
    level: int
    method: str
    code: str
    reason: str | None
    """Why it failed; None if it did not."""
    request_id: str
    peer: str
    """As gRPC names it."""
    credential_id: str | None
    credential_name: str | None
    seconds: float
    row_count: int | None
    bin_count: int | None
    request_bytes: int
    response_bytes: int
    phase_seconds: Mapping[str, float] | None
    """Only of a call that took long."""


def call_as_text(call: CallLine) -> str:
    """Returns the line of a call, for people."""
    parts = [
        f"{utc(call.time_ns)} {logging.getLevelName(call.level)} {call.method} {call.code}",
        f"{1_000 * call.seconds:.3f} ms",
        f"request_id={call.request_id} peer={shown_peer(call.peer)}",
    ]
    if call.reason is not None and call.reason != call.code:
        parts.insert(1, call.reason)
    if call.credential_id is not None and call.credential_name is not None:
        parts.append(_credential_text(call.credential_id, call.credential_name))
    if call.row_count is not None:
        parts.append(f"rows={call.row_count}")
    if call.bin_count is not None:
        parts.append(f"bins={call.bin_count}")
    parts.append(f"in={call.request_bytes} out={call.response_bytes}")
    if call.phase_seconds is not None:
        times = (f"{name} {1_000 * seconds:.3f} ms" for name, seconds in call.phase_seconds.items())
        parts.append(f"slow: {', '.join(times)}")
    return " ".join(parts)


def call_as_json(call: CallLine) -> str:
    """Returns the line of a call, for programs."""
    head = json_head(utc(call.time_ns), logging.getLevelName(call.level), CALLS_LOGGER)
    method = known_as_json(call.method)
    line = (
        f'{head}, "message": {known_as_json(f"{call.method} {call.code}")}, "method": {method}'
        f', "code": "{call.code}", "duration_ms": {1_000 * call.seconds:.3f}'
        f', "request_id": {_request_id_as_json(call.request_id)}, "peer": {_peer_as_json(call.peer)}'
    )
    if call.reason is not None:
        line += f', "reason": "{call.reason}"'
    if call.credential_id is not None and call.credential_name is not None:
        line += _credential_json(call.credential_id, call.credential_name)
    if call.row_count is not None:
        line += f', "row_count": {call.row_count}'
    if call.bin_count is not None:
        line += f', "bin_count": {call.bin_count}'
    line += f', "request_bytes": {call.request_bytes}, "response_bytes": {call.response_bytes}'
    if call.phase_seconds is not None:
        times = (f'"{name}": {1_000 * seconds:.3f}' for name, seconds in call.phase_seconds.items())
        line += f', "phases_ms": {{{", ".join(times)}}}'
    return line + "}"


@lru_cache(_KNOWN_PEER_COUNT)
def shown_peer(peer: str) -> str:
    """Returns the masked address of a client, without its port; `unix` for a Unix socket.

    >>> shown_peer("ipv4:192.0.2.7:50100"), shown_peer("ipv6:%5B2001:db8::7%5D:50100")
    ('192.0.*.*', '2001:db8:*')
    """
    host, port = endpoint_of(peer)
    return masked_address(host) if port else "unix"


def _request_id_as_json(request_id: str) -> str:
    # An id has visible ASCII characters only.
    return '"' + request_id.replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(_KNOWN_PEER_COUNT)
def _peer_as_json(peer: str) -> str:
    return f'"{shown_peer(peer)}"'


@lru_cache(_KNOWN_PEER_COUNT)
def _credential_text(credential_id: str, name: str) -> str:
    # The id and name of a token are one text, from its claims.
    text = f"credential={credential_id} " if credential_id != name else "credential="
    return f"{text}{quoted(name)}"


@lru_cache(_KNOWN_PEER_COUNT)
def _credential_json(credential_id: str, name: str) -> str:
    fields = f', "credential": {known_as_json(shortened(credential_id))}'
    return fields + (
        f', "credential_name": {known_as_json(shortened(name))}' if name != credential_id else ""
    )
