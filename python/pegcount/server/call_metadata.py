"""The trailing metadata of every call: the id of the request, and how long its phases took."""

import random
import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from pegcount.auth import Caller
from pegcount.server.call_clock import CallClock

REQUEST_ID: Final = "x-request-id"
SERVER_TIMING: Final = "server-timing"
_TRACE_PARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]{0,200})?")
_TRACE_KEY: Final = r"(?:[a-z][_0-9a-z*/-]{0,255}|[a-z0-9][_0-9a-z*/-]{0,240}@[a-z][_0-9a-z*/-]{0,13})"
_TRACE_VALUE: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_TRACE_MEMBER: Final = re.compile(f"({_TRACE_KEY})={_TRACE_VALUE}")
_TRACE_MEMBER_COUNT_MAX: Final = 32
_TRACE_STATE_LENGTH_MAX: Final = 8_192
_RANDOM_BITS: Final = 128

Metadata: TypeAlias = "tuple[tuple[str, str | bytes], ...]"


def request_id(sent: Iterable[tuple[str, str | bytes]] | None, length_max: int) -> str:
    """Returns the id in the caller's metadata, or a new one if there is none of visible ASCII characters.

    An id of more than `length_max` characters is replaced, too: each answer carries it, and the log may.
    """
    for name, value in sent or ():
        if name == REQUEST_ID and isinstance(value, str) and len(value) <= length_max and _is_visible(value):
            return value
    return f"{random.getrandbits(_RANDOM_BITS):032x}"


def trace_context(sent: Iterable[tuple[str, str | bytes]] | None) -> dict[str, str]:
    """Returns the metadata by which the caller's trace goes on; empty without any.

    What does not have the form of https://www.w3.org/TR/trace-context/ is left out: libraries log it.
    """
    return {
        name: value
        for name, value in sent or ()
        if isinstance(value, str)
        and (
            (name == "traceparent" and _TRACE_PARENT.fullmatch(value))
            or (name == "tracestate" and _is_trace_state(value))
        )
    }


def trailing(request_id: str, clock: CallClock, caller: Caller | None) -> Metadata:
    """Returns the metadata that follows the answer of a call.

    A caller with a data scope gets no times: without the noise of a network they tell what others have.
    """
    if caller is not None and caller.data_scope is not None:
        return ((REQUEST_ID, request_id),)
    return ((REQUEST_ID, request_id), (SERVER_TIMING, clock.server_timing()))


def _is_trace_state(text: str) -> bool:
    if len(text) > _TRACE_STATE_LENGTH_MAX:
        return False
    found = [_TRACE_MEMBER.fullmatch(member) for each in text.split(",") if (member := each.strip(" \t"))]
    keys = {match[1] for match in found if match is not None}
    return len(keys) == len(found) <= _TRACE_MEMBER_COUNT_MAX


def _is_visible(text: str) -> bool:
    return text != "" and all("!" <= character <= "~" for character in text)
