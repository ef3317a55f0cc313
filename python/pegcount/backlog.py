"""Hands work to a thread, so that whoever has the work never waits."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

_GATHER_SECONDS = 0.01
"""Seconds for which the thread lets items gather: to wake it for each one would cost more than the item."""
_TICK_SECONDS = 1.0
_BATCH_COUNT_MAX = 512


class Backlog(Generic[_Item]):
    """A queue with an end, and the thread that takes its items. Any thread may add items.

    The thread is a daemon: one that is held up does not keep the process from ending.
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
        """Items that were dropped since the begin."""
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
        """Ends the thread once it has taken all items; returns whether it ended within `seconds_max`."""
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
                # The thread goes on; the number of what was dropped tells that something is wrong.
                self._note_dropped(len(items))

    def _note_dropped(self, count: int) -> None:
        with self._drop_lock:
            self._dropped_count += count
