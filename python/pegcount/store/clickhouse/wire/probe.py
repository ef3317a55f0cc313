"""Tells a server that works for long from one that hangs."""

import http.client
import threading
import time
from functools import partial
from typing import Final

from pegcount.store.clickhouse.wire.connections import Connections
from pegcount.store.clickhouse.wire.shard_log import ShardLog
from pegcount.store.clickhouse.wire.workers import Workers

PING_SECONDS_MAX: Final = 2.0
"""Seconds that a server may take to answer a ping; a busy one answers within milliseconds."""
_PING_EVERY_SECONDS: Final = 1.0


class Probe:
    """Pings a server while somebody waits for it. Thread-safe."""

    def __init__(self, connections: Connections, workers: Workers, log: ShardLog) -> None:
        self._connections = connections
        self._workers = workers
        self._log = log
        self._lock = threading.Lock()
        self._is_pinging = False
        self._pinged_s = float("-inf")
        self._unanswered_s = float("-inf")

    def is_silent_since(self, start_s: float) -> bool:
        """Whether a ping of after `start_s` was left without an answer; begins another ping if one is due.

        `start_s` is a time of `time.monotonic`, at which a request began. Never waits.
        """
        with self._lock:
            if self._unanswered_s >= start_s:
                return True
            now_s = time.monotonic()
            is_due = now_s >= max(start_s, self._pinged_s) + _PING_EVERY_SECONDS
            if self._is_pinging or not is_due:
                return False
            self._is_pinging, self._pinged_s = True, now_s
        self._workers.run(partial(self._ping, now_s))
        return False

    def _ping(self, pinged_s: float) -> None:
        failure = self._failure_of_ping()
        if failure is not None:
            self._log.add("ping", f"does not answer a ping: {type(failure).__name__}: {failure}")
        with self._lock:
            self._is_pinging = False
            if failure is not None:
                self._unanswered_s = pinged_s

    def _failure_of_ping(self) -> Exception | None:
        try:
            connection = self._connections.connect()
        except OSError as error:
            return error
        try:
            connection.sock.settimeout(PING_SECONDS_MAX)
            connection.request("GET", "/ping")
            connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            return error
        finally:
            connection.close()
        return None
