"""Reads of request messages run to their end, also if the call ends before."""

import asyncio
from typing import cast

import pytest
from pegcount.server.unread_calls import Context, UnreadCalls


class _Reading:
    """The read of a call, whose message arrives when it is told."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.is_over = asyncio.Event()
        self.has_ended = False

    async def read(self) -> bytes:
        self.has_begun.set()
        await self.is_over.wait()
        self.has_ended = True
        return b"message"


def test_the_read_of_a_call_that_was_reset_ends_with_the_call() -> None:
    """gRPC loses memory with each read that is cancelled."""
    asyncio.run(_reset_call())


async def _reset_call() -> None:
    reading = _Reading()
    calls = UnreadCalls(seconds_max=60.0, count_max=10, retry_seconds=lambda: 1.0)
    call = asyncio.ensure_future(calls.read(cast(Context, reading)))
    await reading.has_begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not reading.has_ended
    reading.is_over.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert reading.has_ended
