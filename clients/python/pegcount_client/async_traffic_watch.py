"""`traffic_watch` for asyncio."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc
from pegcount.v1 import traffic_pb2

from pegcount_client.async_batch_sender import is_cancelled
from pegcount_client.lifetime import Lifetime
from pegcount_client.retry import Retries
from pegcount_client.traffic_watch import EndedStreamError, WatchState, wait_seconds

_Open: TypeAlias = Callable[[traffic_pb2.WatchTrafficRequest], Any]


class AsyncTrafficWatch(WatchState):
    """As `TrafficWatch`, to be used in an `async with` block, by one task."""

    def __init__(
        self,
        open_stream: _Open,
        request: traffic_pb2.WatchTrafficRequest,
        address: str,
        retries: Retries,
        lifetime: Lifetime,
    ) -> None:
        super().__init__(request)
        self._open_stream = open_stream
        self._address = address
        self._retries = retries
        self._lifetime = lifetime
        self._stream: Any = None
        self._is_closed = asyncio.Event()

    def __aiter__(self) -> "AsyncTrafficWatch":
        return self

    async def __anext__(self) -> WatchState:
        """Waits for the next message; returns this object, which has taken it."""
        while not self._is_closed.is_set():
            if self._stream is None:
                self._stream = self._open_stream(self._request)
                self.begin()
            try:
                message = await self._stream.read()
                if not isinstance(message, traffic_pb2.WatchTrafficResponse):
                    raise EndedStreamError
            except grpc.RpcError as error:
                await self._wait_after(error)
                continue
            except asyncio.CancelledError:
                # The end of a stream, or of its connection, cancels a read, as somebody cancels a task.
                if is_cancelled() or not self._is_over():
                    raise
                continue
            self._retries.answered()
            self.take(message)
            return self
        raise StopAsyncIteration

    async def close(self) -> None:
        """Ends the stream; another task may do so, which ends its iteration."""
        self._is_closed.set()
        if self._stream is not None:
            self._stream.cancel()

    async def __aenter__(self) -> "AsyncTrafficWatch":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _is_over(self) -> bool:
        if self._is_closed.is_set():
            return True
        self._lifetime.require_open()
        return False

    async def _wait_after(self, error: grpc.RpcError) -> None:
        self._stream = None
        if self._is_closed.is_set():
            return
        seconds = wait_seconds(error, self._address, self._lifetime, self._retries)
        try:
            async with asyncio.timeout(seconds):
                await self._is_closed.wait()
        except TimeoutError:
            return
