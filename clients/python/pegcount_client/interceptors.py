"""What the client adds to each call, also of its raw stubs: the key or the token, and a deadline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
from grpc import aio

from pegcount_client.credential import Credential
from pegcount_client.lifetime import Lifetime

_Continue: TypeAlias = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class CallDefaults:
    """What a call gets that does not say it itself."""

    credential: Credential
    timeout_seconds: float | None
    """Deadline of a call with one answer; streams have none."""
    lifetime: Lifetime = field(default_factory=Lifetime)
    """Whether the client of the calls is closed."""


@dataclass(frozen=True)
class _CallDetails(grpc.ClientCallDetails):
    """How a call is made; gRPC reads these names."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class AddDefaults(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds the defaults to calls of a channel of threads."""

    def __init__(self, defaults: CallDefaults) -> None:
        self._defaults = defaults

    def intercept_unary_unary(self, continuation: _Continue, client_call_details: Any, request: Any) -> Any:
        """Sends a call with the credential and a deadline."""
        return continuation(self._sent(client_call_details, self._defaults.timeout_seconds), request)

    def intercept_unary_stream(self, continuation: _Continue, client_call_details: Any, request: Any) -> Any:
        """Opens a stream of answers with the credential."""
        return continuation(self._sent(client_call_details, None), request)

    def intercept_stream_stream(
        self, continuation: _Continue, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Opens a stream with the credential."""
        return continuation(self._sent(client_call_details, None), request_iterator)

    def _sent(self, details: Any, timeout_seconds: float | None) -> _CallDetails:
        self._defaults.lifetime.require_open()
        return _CallDetails(
            method=details.method,
            timeout=timeout_seconds if details.timeout is None else details.timeout,
            metadata=[*(details.metadata or ()), *self._defaults.credential.metadata()],
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
            compression=details.compression,
        )


class _AddToUnary(aio.UnaryUnaryClientInterceptor):
    def __init__(self, defaults: CallDefaults) -> None:
        self._defaults = defaults

    async def intercept_unary_unary(
        self, continuation: _Continue, client_call_details: aio.ClientCallDetails, request: Any
    ) -> Any:
        """Sends a call with the credential and a deadline."""
        sent = await _sent_async(client_call_details, self._defaults, self._defaults.timeout_seconds)
        return await continuation(sent, request)


class _AddToAnswers(aio.UnaryStreamClientInterceptor):
    def __init__(self, defaults: CallDefaults) -> None:
        self._defaults = defaults

    async def intercept_unary_stream(
        self, continuation: _Continue, client_call_details: aio.ClientCallDetails, request: Any
    ) -> Any:
        """Opens a stream of answers with the credential."""
        sent = await _sent_async(client_call_details, self._defaults, None)
        return await continuation(sent, request)


class _AddToStream(aio.StreamStreamClientInterceptor):
    def __init__(self, defaults: CallDefaults) -> None:
        self._defaults = defaults

    async def intercept_stream_stream(
        self, continuation: _Continue, client_call_details: aio.ClientCallDetails, request_iterator: Any
    ) -> Any:
        """Opens a stream with the credential."""
        sent = await _sent_async(client_call_details, self._defaults, None)
        return await continuation(sent, request_iterator)


def async_interceptors(defaults: CallDefaults) -> Sequence[aio.ClientInterceptor]:
    """Returns what adds the defaults to calls of an asyncio channel, which wants an object for each kind."""
    return [_AddToUnary(defaults), _AddToAnswers(defaults), _AddToStream(defaults)]


async def _sent_async(
    details: aio.ClientCallDetails, defaults: CallDefaults, timeout_seconds: float | None
) -> aio.ClientCallDetails:
    defaults.lifetime.require_open()
    return aio.ClientCallDetails(
        method=details.method,
        timeout=timeout_seconds if details.timeout is None else details.timeout,
        metadata=aio.Metadata(*(details.metadata or ()), *await defaults.credential.async_metadata()),
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )
