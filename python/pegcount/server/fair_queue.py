"""A bounded queue that is fair to callers: each has its turn; the busiest one gives way.

A caller is a credential, or a connection where nobody is authenticated; see `connections.turn_of`.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Call = TypeVar("_Call")


class FairQueue(Generic[_Call]):
    """Waiting calls. One call of each caller is taken in turn (round robin), its oldest first."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._count = 0
        self._waiting: OrderedDict[Hashable, deque[_Call]] = OrderedDict()
        # Number of callers by the number of calls with which they wait: to find the busiest caller
        # for each refused call would make refusals dear just when there are many.
        self._callers_by_count: Counter[int] = Counter()
        self._most = 0

    def __len__(self) -> int:
        """Returns the number of waiting calls."""
        return self._count

    def refuses(self, caller: Hashable) -> bool:
        """Returns whether `add` would refuse the next call of a caller."""
        return self._count >= self._count_max and len(self._waiting.get(caller, ())) + 1 >= self._most

    def add(self, caller: Hashable, call: _Call) -> _Call | None:
        """Adds a call; returns the call that must be refused if the queue is full, else None.

        That is the newest call of the caller that waits with the most calls, counting the new one, and
        the new one itself among equals.
        """
        if self.refuses(caller):
            return call
        refused = self._take_newest_of_busiest() if self._count >= self._count_max else None
        calls = self._waiting.setdefault(caller, deque())
        calls.append(call)
        self._note(len(calls) - 1, len(calls))
        return refused

    def pop(self, may_run: Callable[[Hashable], bool] = lambda _: True) -> _Call | None:
        """Takes the oldest call of the first caller in turn that may run; None if no such call waits."""
        found = next((entry for entry in self._waiting.items() if may_run(entry[0])), None)
        if found is None:
            return None
        caller, calls = found
        call = calls.popleft()
        self._after_removal(caller, calls)
        if calls:
            self._waiting.move_to_end(caller)
        return call

    def remove(self, caller: Hashable, call: _Call) -> bool:
        """Removes a call; returns whether it waited."""
        calls = self._waiting.get(caller)
        if calls is None or call not in calls:
            return False
        calls.remove(call)
        self._after_removal(caller, calls)
        return True

    def _take_newest_of_busiest(self) -> _Call:
        caller, calls = next(entry for entry in self._waiting.items() if len(entry[1]) == self._most)
        call = calls.pop()
        self._after_removal(caller, calls)
        return call

    def _after_removal(self, caller: Hashable, calls: deque[_Call]) -> None:
        self._note(len(calls) + 1, len(calls))
        if not calls:
            del self._waiting[caller]

    def _note(self, before: int, after: int) -> None:
        """Notes that a caller, which waited with `before` calls, waits with `after`."""
        self._count += after - before
        self._callers_by_count[before] -= 1
        self._callers_by_count[after] += 1
        self._most = max(self._most, after)
        # A call leaves alone, so the most falls by one at a time.
        if self._most and not self._callers_by_count[self._most]:
            self._most -= 1
