"""Both clients behind the interface of the blocking one, so that a test says what both do.

The asyncio client runs in an event loop of a thread of its own.
"""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias, cast

from pegcount_client import AsyncClient, Client
from waiting import wait_until

SECONDS_MAX = 60.0
"""Seconds after which a call of a test that does not end fails."""

ClientOf: TypeAlias = Callable[..., AbstractContextManager[Client]]


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Calls a function in the loop, and returns what it returns once that is awaited."""

        async def awaited() -> Any:
            result = function(*arguments, **named)
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(SECONDS_MAX)

    def close(self) -> None:
        """Ends the loop, and fails if tasks are left in it."""
        wait_until(lambda: self.call(_task_count) == 1, "the end of all tasks but the one that looks")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _task_count() -> int:
    return len(asyncio.all_tasks())


class Blocking:
    """Something of the asyncio client, whose methods return when they are done."""

    def __init__(self, inner: Any, loop: Loop) -> None:
        self._inner = inner
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return self._blocking(getattr(self._inner, name))

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        given = [each.inner() if isinstance(each, Blocking) else each for each in arguments]
        return self._blocking(self._loop.call(self._inner, *given, **named))

    def __enter__(self) -> Any:
        return self._blocking(self._loop.call(self._inner.__aenter__))

    def __exit__(self, *error: Any) -> Any:
        return self._loop.call(self._inner.__aexit__, *error)

    def inner(self) -> Any:
        return self._inner

    def _blocking(self, value: Any) -> Any:
        is_ours = type(value).__module__.startswith(("pegcount_client.async_", "pegcount.v1.", "grpc.aio"))
        is_data = hasattr(value, "DESCRIPTOR")
        return Blocking(value, self._loop) if callable(value) or (is_ours and not is_data) else value


@contextmanager
def async_client(address: str, **settings: Any) -> Iterator[Client]:
    loop = Loop()
    try:
        with Blocking(loop.call(AsyncClient, address, **settings), loop) as client:
            yield cast(Client, client)
    finally:
        loop.close()


CLIENTS: list[ClientOf] = [Client, async_client]
