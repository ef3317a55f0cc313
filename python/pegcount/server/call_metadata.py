"""The trailing metadata of every call: the id of the request, and how long its phases took."""

import random
from collections.abc import Iterable
from typing import Final, TypeAlias

from pegcount.auth import Caller
from pegcount.server.call_clock import CallClock

REQUEST_ID: Final = "x-request-id"
SERVER_TIMING: Final = "server-timing"
_TRACE_CONTEXT: Final = ("traceparent", "tracestate")
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
    """Returns the metadata by which the caller's trace goes on; empty without any."""
    return {name: value for name, value in sent or () if name in _TRACE_CONTEXT and isinstance(value, str)}


def trailing(request_id: str, clock: CallClock, caller: Caller | None) -> Metadata:
    """Returns the metadata that follows the answer of a call.

    A caller with a data scope gets no times: without the noise of a network they tell what others have.
    """
    if caller is not None and caller.data_scope is not None:
        return ((REQUEST_ID, request_id),)
    return ((REQUEST_ID, request_id), (SERVER_TIMING, clock.server_timing()))


def _is_visible(text: str) -> bool:
    return text != "" and all("!" <= character <= "~" for character in text)
