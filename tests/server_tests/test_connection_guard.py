"""Connections that are left unread: found among the open files, without holding up the event loop."""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
from pegcount.config import Config
from pegcount.server.connection_guard import ConnectionGuard
from pegcount.server.connections import Connection, Connections
from pegcount.server.minute_log import MinuteLog
from pegcount.server.sockets import Endpoint, ListeningPort
from waiting import wait_until

CONFIG = Config(connection_look_seconds=60.0)


class Watched:
    """A listening port that a guard has looked at once, before any client came."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._held = ExitStack()
        self.port = ListeningPort(listening.getsockname()[1])
        self.connections = Connections(CONFIG)
        log = MinuteLog(logging.getLogger("guard"))
        unread_answers = mock.Mock()
        unread_answers.stalled.return_value = []
        self.guard = ConnectionGuard(CONFIG, self.connections, unread_answers, log)

    def connect(self) -> Connection:
        """Returns a new connection."""
        client = self._held.enter_context(socket.create_connection(self._listening.getsockname()))
        self._held.enter_context(self._listening.accept()[0])
        host, port = client.getsockname()
        return self.connections.of_peer(f"ipv4:{host}:{port}")

    def run(self, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs a test on an event loop beside the guard, which has looked already."""

        async def beside() -> None:
            watching = asyncio.create_task(self.guard.run(self.port))
            await until(lambda: self.looked)
            await asyncio.wait_for(test(), 20)
            watching.cancel()

        look = self.port.look
        self.looked = False

        def looks() -> Any:
            state = look()
            self.looked = True
            return state

        with mock.patch.object(self.port, "look", looks):
            asyncio.run(beside())

    def close(self) -> None:
        """Closes all connections."""
        self._held.close()
        self.port.close()


async def until(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_until, condition)


@pytest.fixture
def watched() -> Iterator[Watched]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Watched(listening)
        yield made
        made.close()


def test_a_new_connection_is_paused_and_read_again(watched: Watched) -> None:
    async def test() -> None:
        connection = watched.connect()
        watched.guard.pause(connection, 0.3)
        await until(lambda: connection.is_paused)
        await until(lambda: not connection.is_paused)

    watched.run(test)


def test_the_search_for_new_connections_holds_up_no_loop(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With thousands of connections it takes seconds."""
    may_end, threads, search = threading.Event(), list[threading.Thread](), watched.port.numbers

    def numbers() -> dict[Endpoint, int]:
        threads.append(threading.current_thread())
        assert may_end.wait(20)
        return search()

    monkeypatch.setattr(watched.port, "numbers", numbers)

    async def test() -> None:
        connections = [watched.connect() for _ in range(3)]
        for connection in connections * 2:
            watched.guard.pause(connection, 20.0)
        await until(lambda: threads)
        assert threads != [threading.main_thread()]
        may_end.set()
        await until(lambda: all(connection.is_paused for connection in connections))
        assert len(threads) == 1

    watched.run(test)


def test_slow_searches_come_seldom(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    spans, search = list[tuple[float, float]](), watched.port.numbers

    def numbers() -> dict[Endpoint, int]:
        begin_s = time.monotonic()
        while time.monotonic() < begin_s + 0.02:
            pass  # As long as the search takes with some hundred connections.
        spans.append((begin_s, time.monotonic()))
        return search()

    monkeypatch.setattr(watched.port, "numbers", numbers)

    async def test() -> None:
        for _ in range(3):
            connection = watched.connect()
            watched.guard.pause(connection, 20.0)
            await until(lambda paused=connection: paused.is_paused)  # type: ignore[misc]

    watched.run(test)
    for (begin_s, end_s), (next_s, _) in pairwise(spans):
        assert next_s - end_s > 10 * (end_s - begin_s)


def test_a_search_looks_into_new_sockets_only(watched: Watched) -> None:
    first = watched.connect()
    with mock.patch("pegcount.server.sockets.os.dup", wraps=os.dup) as dup:
        found = watched.port.numbers()
        assert list(found) == [first.endpoint]
        assert dup.call_count >= 1
        dup.reset_mock()
        assert watched.port.numbers() == found
        assert dup.call_count == 0
        second = watched.connect()
        assert set(watched.port.numbers()) == {first.endpoint, second.endpoint}
        # Both ends of a connection are open files of this process.
        assert dup.call_count == 2
