"""A bounded queue that is fair to connections: each has its turn; the busiest one gives way."""

from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

_Call = TypeVar("_Call")


class FairQueue(Generic[_Call]):
    """Waiting calls. One call of each connection is taken in turn (round robin), its oldest first."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._count = 0
        self._waiting: OrderedDict[Hashable, deque[_Call]] = OrderedDict()
        # Number of connections by the number of calls with which they wait: to find the busiest connection
        # for each refused call would make refusals dear just when there are many.
        self._connections_by_count: Counter[int] = Counter()
        self._most = 0

    def __len__(self) -> int:
        """Returns the number of waiting calls."""
        return self._count

    def refuses(self, connection: Hashable) -> bool:
        """Returns whether `add` would refuse the next call of a connection."""
        return self._count >= self._count_max and len(self._waiting.get(connection, ())) + 1 >= self._most

    def add(self, connection: Hashable, call: _Call) -> _Call | None:
        """Adds a call; returns the call that must be refused if the queue is full, else None.

        That is the newest call of the connection that waits with the most calls, counting the new one, and
        the new one itself among equals.
        """
        if self.refuses(connection):
            return call
        refused = self._take_newest_of_busiest() if self._count >= self._count_max else None
        calls = self._waiting.setdefault(connection, deque())
        calls.append(call)
        self._note(len(calls) - 1, len(calls))
        return refused

    def pop(self) -> _Call | None:
        """Takes the oldest call of the connection whose turn it is; None if no call waits."""
        if not self._waiting:
            return None
        connection, calls = next(iter(self._waiting.items()))
        call = calls.popleft()
        self._after_removal(connection, calls)
        if calls:
            self._waiting.move_to_end(connection)
        return call

    def remove(self, connection: Hashable, call: _Call) -> bool:
        """Removes a call; returns whether it waited."""
        calls = self._waiting.get(connection)
        if calls is None or call not in calls:
            return False
        calls.remove(call)
        self._after_removal(connection, calls)
        return True

    def _take_newest_of_busiest(self) -> _Call:
        connection, calls = next(entry for entry in self._waiting.items() if len(entry[1]) == self._most)
        call = calls.pop()
        self._after_removal(connection, calls)
        return call

    def _after_removal(self, connection: Hashable, calls: deque[_Call]) -> None:
        self._note(len(calls) + 1, len(calls))
        if not calls:
            del self._waiting[connection]

    def _note(self, before: int, after: int) -> None:
        """Notes that a connection, which waited with `before` calls, waits with `after`."""
        self._count += after - before
        self._connections_by_count[before] -= 1
        self._connections_by_count[after] += 1
        self._most = max(self._most, after)
        # A call leaves alone, so the most falls by one at a time.
        if self._most and not self._connections_by_count[self._most]:
            self._most -= 1
