"""Parses serialized requests."""

from typing import Any

from google.protobuf.message import DecodeError

from pegcount.errors import MalformedMessageError


def parse(message_class: Any, data: bytes, bytes_max: int | None = None) -> Any:
    """Returns the message of a protobuf class.

    Raises MalformedMessageError for any other bytes, and for more than `bytes_max` of them.
    """
    if bytes_max is not None and len(data) > bytes_max:
        raise MalformedMessageError(f"the request has {len(data)} bytes; {bytes_max} are allowed")
    try:
        return message_class.FromString(data)
    except DecodeError as error:
        raise MalformedMessageError(f"the request is no valid message: {error}") from error
