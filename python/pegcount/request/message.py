"""Parses serialized requests."""

from typing import Any

from google.protobuf.message import DecodeError

from pegcount.errors import MalformedMessageError, RequestTooLargeError


def check_size(data: bytes, bytes_max: int) -> None:
    """Raises RequestTooLargeError for more than `bytes_max` bytes."""
    if len(data) > bytes_max:
        raise RequestTooLargeError(len(data), bytes_max)


def parse(message_class: Any, data: bytes, bytes_max: int) -> Any:
    """Returns the message of a protobuf class.

    Raises RequestTooLargeError for more than `bytes_max` bytes, which it does not look at, and
    MalformedMessageError if they are not a valid message.
    """
    check_size(data, bytes_max)
    try:
        return message_class.FromString(data)
    except DecodeError as error:
        raise MalformedMessageError(f"the request is no valid message: {error}") from error
