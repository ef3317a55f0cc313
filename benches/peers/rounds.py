"""Rounds over contestants and questions, each answer compared with that of the first contestant."""

import gc
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from peers import questions
from peers.answers import Answer

OURS = "ours"

Times = dict[str, dict[str, list[float]]]
"""Milliseconds by question and contestant."""


class Contestant(Protocol):
    """One who can be asked all questions."""

    name: str

    def ask(self, name: str) -> Any:
        """What is timed: ends with the answer in the form in which its users get it."""

    def answer(self, name: str, asked: Any) -> Answer:
        """The same to compare; not timed."""


def run(contestants: Sequence[Contestant], names: Sequence[str], count: int) -> Times:
    """Times of `count` rounds, after one that warms up. Each round begins with another contestant."""
    times: Times = {name: {contestant.name: [] for contestant in contestants} for name in names}
    expected: dict[str, Answer] = {}
    for round_number in range(count + 1):
        first = round_number % len(contestants)
        for name in names:
            for contestant in (*contestants[first:], *contestants[:first]):
                asked, milliseconds = _asked(contestant, name)
                _compare(name, contestant, contestant.answer(name, asked), expected)
                if round_number > 0:
                    times[name][contestant.name].append(milliseconds)
    return times


def medians_in_turn(
    contestants: Sequence[Contestant], names: Sequence[str], count: int
) -> Sequence[Mapping[str, float]]:
    """Of each contestant by question, where they hold different records: no answers are compared."""
    times: list[dict[str, list[float]]] = [{name: [] for name in names} for _ in contestants]
    for round_number in range(count + 1):
        for name in names:
            for number in range(len(contestants)):
                turn = (number + round_number) % len(contestants)
                _, milliseconds = _asked(contestants[turn], name)
                if round_number > 0:
                    times[turn][name].append(milliseconds)
    return [{name: statistics.median(found) for name, found in of_one.items()} for of_one in times]


def lines(times: Times, peers: Sequence[str]) -> list[str]:
    """A line for each question; of the tables of one peer, the better one is named and counts."""
    head = "".join(f"{peer:>27}" for peer in peers)
    table = [f"{'':<60}{'ours ms':>9}{'min':>9}{'max':>9}{head}{'ratio':>9}"]
    for name, of_one in times.items():
        ours = statistics.median(of_one[OURS])
        best = {peer: _best(of_one, peer) for peer in peers}
        shown = "".join(f"{_shown(of_one, best[peer], peer):>27}" for peer in peers)
        text = f"{name} {questions.DESCRIPTIONS[name]:<57}{ours:>9.2f}{min(of_one[OURS]):>9.2f}"
        text += f"{max(of_one[OURS]):>9.2f}{shown}"
        if peers:
            fastest = min(statistics.median(of_one[contestant]) for contestant in best.values())
            text += f"{fastest / ours:>7.2f} x"
        table.append(text)
    return table


def medians(times: Times) -> dict[str, float]:
    """Of ours, by question."""
    return {name: statistics.median(of_one[OURS]) for name, of_one in times.items()}


def _asked(contestant: Contestant, name: str) -> tuple[Any, float]:
    """The second time counts: the caches have what this contestant needs, and not what the one before did."""
    gc.collect()
    contestant.ask(name)
    began = time.perf_counter()
    asked = contestant.ask(name)
    return asked, (time.perf_counter() - began) * 1_000


def _compare(name: str, contestant: Contestant, answer: Answer, expected: dict[str, Answer]) -> None:
    known = expected.setdefault(name, answer)
    assert len(answer), f"{name}: an answer that is empty compares nothing"
    assert np.array_equal(answer, known), f"{name}: {contestant.name} answers otherwise"


def _best(of_one: Mapping[str, list[float]], peer: str) -> str:
    tables = [contestant for contestant in of_one if contestant.startswith(peer)]
    return min(tables, key=lambda contestant: statistics.median(of_one[contestant]))


def _shown(of_one: Mapping[str, list[float]], contestant: str, peer: str) -> str:
    """Median, slowest and fastest, and the first letter of what the table is sorted by."""
    times, order = of_one[contestant], contestant.removeprefix(peer).removeprefix(" by ")[:1]
    return f"{statistics.median(times):.1f} ({min(times):.1f}-{max(times):.1f}) {order:1}"
