"""Rounds over subjects and questions, each answer compared with that of the first subject."""

import gc
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from peers import questions
from peers.answers import Answer

PEGCOUNT = "ours"

Times = dict[str, dict[str, list[float]]]
"""Milliseconds by question and subject."""


class Subject(Protocol):
    """One who can be asked all questions."""

    name: str

    def ask(self, name: str) -> Any:
        """What is timed: ends with the answer in the form in which its users get it."""

    def answer(self, name: str, asked: Any) -> Answer:
        """The same to compare; not timed."""


def run(subjects: Sequence[Subject], names: Sequence[str], count: int) -> Times:
    """Times of `count` rounds, after one that warms up. Each round begins with another subject."""
    times: Times = {name: {subject.name: [] for subject in subjects} for name in names}
    expected: dict[str, Answer] = {}
    for round_number in range(count + 1):
        first = round_number % len(subjects)
        for name in names:
            for subject in (*subjects[first:], *subjects[:first]):
                asked, milliseconds = _asked(subject, name)
                _compare(name, subject, subject.answer(name, asked), expected)
                if round_number > 0:
                    times[name][subject.name].append(milliseconds)
    return times


def medians_in_turn(
    subjects: Sequence[Subject], names: Sequence[str], count: int
) -> Sequence[Mapping[str, float]]:
    """Of each subject by question, where they hold different records: no answers are compared."""
    times: list[dict[str, list[float]]] = [{name: [] for name in names} for _ in subjects]
    for round_number in range(count + 1):
        for name in names:
            for number in range(len(subjects)):
                turn = (number + round_number) % len(subjects)
                _, milliseconds = _asked(subjects[turn], name)
                if round_number > 0:
                    times[turn][name].append(milliseconds)
    return [{name: statistics.median(found) for name, found in of_one.items()} for of_one in times]


def lines(times: Times, peers: Sequence[str]) -> list[str]:
    """A line for each question; of the tables of one peer, the better one is named and counts."""
    head = "".join(f"{peer:>27}" for peer in peers)
    table = [f"{'':<60}{'ours ms':>9}{'min':>9}{'max':>9}{head}{'ratio':>9}"]
    for name, of_one in times.items():
        ours = statistics.median(of_one[PEGCOUNT])
        best = {peer: _best(of_one, peer) for peer in peers}
        shown = "".join(f"{_shown(of_one, best[peer], peer):>27}" for peer in peers)
        text = f"{name} {questions.DESCRIPTIONS[name]:<57}{ours:>9.2f}{min(of_one[PEGCOUNT]):>9.2f}"
        text += f"{max(of_one[PEGCOUNT]):>9.2f}{shown}"
        if peers:
            fastest = min(statistics.median(of_one[subject]) for subject in best.values())
            text += f"{fastest / ours:>7.2f} x"
        table.append(text)
    return table


def medians(times: Times) -> dict[str, float]:
    """Of ours, by question."""
    return {name: statistics.median(of_one[PEGCOUNT]) for name, of_one in times.items()}


def _asked(subject: Subject, name: str) -> tuple[Any, float]:
    """The second time counts: the caches have what this subject needs, and not what the one before did."""
    gc.collect()
    subject.ask(name)
    began = time.perf_counter()
    asked = subject.ask(name)
    return asked, (time.perf_counter() - began) * 1_000


def _compare(name: str, subject: Subject, answer: Answer, expected: dict[str, Answer]) -> None:
    known = expected.setdefault(name, answer)
    assert len(answer), f"{name}: an answer that is empty compares nothing"
    assert np.array_equal(answer, known), f"{name}: {subject.name} answers otherwise"


def _best(of_one: Mapping[str, list[float]], peer: str) -> str:
    tables = [subject for subject in of_one if subject.startswith(peer)]
    return min(tables, key=lambda subject: statistics.median(of_one[subject]))


def _shown(of_one: Mapping[str, list[float]], subject: str, peer: str) -> str:
    """Median, slowest and fastest, and the first letter of what the table is sorted by."""
    times, order = of_one[subject], subject.removeprefix(peer).removeprefix(" by ")[:1]
    return f"{statistics.median(times):.1f} ({min(times):.1f}-{max(times):.1f}) {order:1}"
