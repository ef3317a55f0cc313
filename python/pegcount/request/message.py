"""Parses serialized requests."""

from typing import Any

from google.protobuf.message import DecodeError

from pegcount.errors import MalformedMessageError


def parse(message_class: Any, data: bytes) -> Any:
    """Returns the message of a protobuf class; raises MalformedMessageError for any other bytes."""
    try:
        return message_class.FromString(data)
    except DecodeError as error:
        raise MalformedMessageError(f"the request is no valid message: {error}") from error
