"""A channel whose answers must have each field once, as parsers that do not merge need it."""

from collections.abc import Callable
from typing import Any

import grpc
from strict_reader import require_each_field_once


class StrictChannel(grpc.Channel):
    """Passes all calls to a channel, and checks each answer that a message class parses."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def unary_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **options: Any
    ) -> Any:
        read = _strict(response_deserializer)
        return self._channel.unary_unary(method, request_serializer, read, **options)

    def unary_stream(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **options: Any
    ) -> Any:
        read = _strict(response_deserializer)
        return self._channel.unary_stream(method, request_serializer, read, **options)

    def stream_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **options: Any
    ) -> Any:
        read = _strict(response_deserializer)
        return self._channel.stream_unary(method, request_serializer, read, **options)

    def stream_stream(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **options: Any
    ) -> Any:
        read = _strict(response_deserializer)
        return self._channel.stream_stream(method, request_serializer, read, **options)

    def subscribe(self, callback: Callable[..., None], try_to_connect: bool = False) -> None:
        self._channel.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Callable[..., None]) -> None:
        self._channel.unsubscribe(callback)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> "StrictChannel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _strict(deserializer: Any) -> Any:
    """Returns a deserializer that checks the bytes first; one that is not `FromString` of a message stays."""
    message_class = getattr(deserializer, "__self__", None)
    if message_class is None:
        return deserializer

    def read(data: bytes) -> Any:
        require_each_field_once(data, message_class.DESCRIPTOR)
        return deserializer(data)

    return read
