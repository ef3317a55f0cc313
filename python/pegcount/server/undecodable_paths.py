"""Keeps a call whose path is not UTF-8 from stopping the server.

gRPC's server for asyncio decodes the path of each call in the task that accepts all calls, and ends if that
fails: one HEADERS frame of one client would stop it. It offers no place to decode or to catch the error in,
so decoding puts a replacement character for each invalid byte, and the call ends as one of an unknown method.
"""

import asyncio
import codecs


def accept_undecodable_paths() -> None:
    """Replaces the error handler of strict decoding, for code that runs on an event loop only."""
    codecs.register_error("strict", _decode_path)


def _decode_path(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError) and _is_in_event_loop():
        return "\N{REPLACEMENT CHARACTER}", error.end
    raise error


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
