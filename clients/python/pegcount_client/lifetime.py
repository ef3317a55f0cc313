"""Whether a client is closed, and the error of whoever uses one that is."""

from dataclasses import dataclass
from typing import Any

import grpc

from pegcount_client.errors import PegcountError


@dataclass(slots=True)
class Lifetime:
    """The life of one client."""

    is_closed: bool = False

    def require_open(self) -> None:
        """Raises PegcountError if the client is closed."""
        if self.is_closed:
            raise closed_client()


def closed_client() -> PegcountError:
    """Returns the error of calls through a closed client, and of those that its closing ended."""
    return PegcountError(
        "this client is closed, which also ended its calls; next step: make a new client",
        code=grpc.StatusCode.CANCELLED,
    )


class UnregisteredCalls(grpc.Channel):
    """Passes all calls to a channel, by the name of their method.

    Generated stubs register their methods, for speed. With interceptors, gRPC does so at each call, and ends
    the interpreter if the channel is closed by then.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def unary_unary(self, method: str, *coders: Any, _registered_method: bool | None = None) -> Any:
        """Returns what calls a method by its name."""
        return self._channel.unary_unary(method, *coders)

    def unary_stream(self, method: str, *coders: Any, _registered_method: bool | None = None) -> Any:
        """Returns what calls a method by its name."""
        return self._channel.unary_stream(method, *coders)

    def stream_unary(self, method: str, *coders: Any, _registered_method: bool | None = None) -> Any:
        """Returns what calls a method by its name."""
        return self._channel.stream_unary(method, *coders)

    def stream_stream(self, method: str, *coders: Any, _registered_method: bool | None = None) -> Any:
        """Returns what calls a method by its name."""
        return self._channel.stream_stream(method, *coders)

    def subscribe(self, callback: Any, try_to_connect: bool | None = False) -> None:
        """Calls back when the connection changes; see grpc.Channel."""
        self._channel.subscribe(callback, bool(try_to_connect))

    def unsubscribe(self, callback: Any) -> None:
        """Ends what `subscribe` began."""
        self._channel.unsubscribe(callback)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def __enter__(self) -> "UnregisteredCalls":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
