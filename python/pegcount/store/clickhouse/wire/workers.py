"""Threads that wait for servers, kept for the next request."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

_IDLE_SECONDS_MAX: Final = 30.0
_Task = Callable[[], None]


class Workers:
    """As many threads as there are tasks at once. Thread-safe.

    A task may hang for long, for example while a name is looked up, so a pool of a fixed size could run out
    of threads. The threads are kept as a new one takes 4 ms in one of ten cases on a busy host, a kept one
    40 us. They are daemons: the end of the process waits for none of them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[_Task | None]] = []
        self._is_closed = False

    def run(self, task: _Task) -> None:
        """Runs a task in a thread; returns at once. The task raises nothing."""
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = SimpleQueue()
            threading.Thread(target=self._work, args=(inbox,), name="clickhouse", daemon=True).start()
        inbox.put(task)

    def close(self) -> None:
        """Ends the threads without a task, and from now on each one after its task."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for inbox in idle:
            inbox.put(None)

    def _work(self, inbox: "SimpleQueue[_Task | None]") -> None:
        task = inbox.get()
        while task is not None:
            task()
            # Whatever a task has, such as an answer of a shard, goes with it, not with the thread.
            task = None
            task = self._next_task(inbox)

    def _next_task(self, inbox: "SimpleQueue[_Task | None]") -> _Task | None:
        with self._lock:
            if self._is_closed:
                return None
            self._idle.append(inbox)
        try:
            return inbox.get(timeout=_IDLE_SECONDS_MAX)
        except Empty:
            with self._lock:
                if inbox in self._idle:
                    self._idle.remove(inbox)
                    return None
            # Somebody took it at this very moment, and puts a task into it.
            return inbox.get()
