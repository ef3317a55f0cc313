"""Compares the latency of honest callers when the server is idle and when it is under attack."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import TypeVar

from load.caller import KINDS, Caller, Figures
from load.pinned_server import PinnedServer

P99_TIMES_MAX = 2.0
HEALTH_P99_MS_MAX = 50.0
ROUND_COUNT = 3
IDLE_SECONDS = 5.0
_QUIET_SECONDS_MAX = 20.0
_CALL_COUNT_MIN = 100

Result = TypeVar("Result")
Round = Mapping[str, Figures]


class Comparison:
    """Alternating rounds without and with an attack; noise of the machine hits both alike."""

    def __init__(self, server: PinnedServer) -> None:
        self._server = server
        self.idle: list[Round] = []
        self.attacked: list[Round] = []

    def run(self, caller: Caller, attack: Callable[[], Result], rounds: int = ROUND_COUNT) -> list[Result]:
        """Runs the rounds; each attack ends before `attack` returns."""
        results = []
        for _ in range(rounds):
            # What an attack leaves behind must not slow down the round that it is compared with.
            self._server.wait_until_quiet(_QUIET_SECONDS_MAX)
            self.idle.append(caller.measure(IDLE_SECONDS))
            caller.begin()
            results.append(attack())
            self.attacked.append(caller.end())
        return results

    def table(self) -> str:
        """Returns a line of medians for each kind of call."""
        heading = f"{'':<10}{'calls':>7}{'idle p50':>10}{'p99':>8}{'max ms':>8}{'attacked p50':>14}{'p99':>9}"
        return "\n".join([f"{heading}{'max ms':>9}{'p99 times':>11}  statuses", *self._lines()])

    def check_statuses(self) -> None:
        """Asserts that calls went on and none failed."""
        for kind in KINDS:
            statuses = self.statuses(kind)
            assert set(statuses) == {"OK"}, (kind, statuses)
            assert all(one[kind].count >= _CALL_COUNT_MIN for one in self.attacked), kind

    def check(self, p99_times_max: float = P99_TIMES_MAX) -> None:
        """Asserts that no call failed, and the limits of the latency."""
        self.check_statuses()
        for kind in KINDS:
            assert self.times(kind) < p99_times_max, (kind, self.times(kind))
        assert _p99_ms(self.attacked, "health") < HEALTH_P99_MS_MAX

    def times(self, kind: str) -> float:
        """Returns the p99 under attack in relation to the p99 without."""
        return _p99_ms(self.attacked, kind) / _p99_ms(self.idle, kind)

    def statuses(self, kind: str) -> Counter[str]:
        found = Counter[str]()
        for one in [*self.idle, *self.attacked]:
            found.update(one[kind].statuses)
        return found

    def _lines(self) -> Iterator[str]:
        for kind in KINDS:
            count = sum(one[kind].count for one in self.attacked)
            idle, attacked = (_latencies(rounds, kind) for rounds in (self.idle, self.attacked))
            statuses = ", ".join(f"{count:,} {name}" for name, count in sorted(self.statuses(kind).items()))
            yield (
                f"{kind:<10}{count:>7,}{idle[0]:>10.2f}{idle[1]:>8.2f}{idle[2]:>8.1f}{attacked[0]:>14.2f}"
                f"{attacked[1]:>9.2f}{attacked[2]:>9.1f}{self.times(kind):>11.2f}  {statuses}"
            )


def _latencies(rounds: Sequence[Round], kind: str) -> tuple[float, float, float]:
    """Returns the medians of p50, p99 and maximum."""
    p50_ms = median(one[kind].p50_ms for one in rounds)
    return p50_ms, _p99_ms(rounds, kind), median(one[kind].max_ms for one in rounds)


def _p99_ms(rounds: Sequence[Round], kind: str) -> float:
    return median(one[kind].p99_ms for one in rounds)
