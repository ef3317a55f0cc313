"""A bounded queue whose items a thread of its own processes, so that no caller waits for them."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

_GATHER_SECONDS = 0.01
"""Seconds that the thread waits for further items: waking it for each one would cost more than the item."""
_TICK_SECONDS = 1.0
_BATCH_COUNT_MAX = 512


class Backlog(Generic[_Item]):
    """A bounded queue, and the thread that takes its items. Any thread may add items.

    The thread is a daemon: while it is blocked, the process can still end.
    """

    def __init__(
        self,
        name: str,
        take: Callable[[Sequence[_Item]], None],
        count_max: int,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        """The thread calls `take` with the items in their order, and `tick` at least once a second.

        Items beyond `count_max` are dropped, and so are those with which `take` fails.
        """
        self._take = take
        self._tick = tick
        self._count_max = count_max
        self._items: deque[_Item] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._drop_lock = threading.Lock()
        self._dropped_count = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def dropped_count(self) -> int:
        """Number of items dropped since the backlog was made."""
        return self._dropped_count

    def add(self, item: _Item) -> None:
        """Adds an item without waiting, or drops and counts it."""
        if len(self._items) >= self._count_max:
            self._note_dropped(1)
            return
        self._items.append(item)
        if not self._wake.is_set():
            self._wake.set()

    def close(self, seconds_max: float) -> bool:
        """Ends the thread once it has taken all items; returns whether it has ended within `seconds_max`."""
        self._closing.set()
        self._wake.set()
        self._thread.join(seconds_max)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(_TICK_SECONDS)
            self._wake.clear()
            self._closing.wait(_GATHER_SECONDS)
            self._take_all()
            self._tick()
        self._tick()
        self._take_all()

    def _take_all(self) -> None:
        while self._items:
            items = [self._items.popleft() for _ in range(min(len(self._items), _BATCH_COUNT_MAX))]
            try:
                self._take(items)
            except Exception:
                # The thread must go on. `dropped_count` shows the fault; the log may be what has failed.
                self._note_dropped(len(items))

    def _note_dropped(self, count: int) -> None:
        with self._drop_lock:
            self._dropped_count += count
