"""Rounds over subjects and questions; compares each answer with that of the first subject."""

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
    """An engine that answers all questions."""

    name: str

    def ask(self, name: str) -> Any:
        """Answers a question in the engine's native result type; timed."""

    def answer(self, name: str, result: Any) -> Answer:
        """Converts a result of `ask` for comparison; not timed."""


def run(subjects: Sequence[Subject], names: Sequence[str], count: int) -> Times:
    """Times `count` rounds after a warm-up round. Each round starts with another subject."""
    times: Times = {name: {subject.name: [] for subject in subjects} for name in names}
    expected: dict[str, Answer] = {}
    for round_number in range(count + 1):
        first = round_number % len(subjects)
        for name in names:
            for subject in (*subjects[first:], *subjects[:first]):
                result, milliseconds = _ask_timed(subject, name)
                _compare(name, subject, subject.answer(name, result), expected)
                if round_number > 0:
                    times[name][subject.name].append(milliseconds)
    return times


def medians_in_turn(
    subjects: Sequence[Subject], names: Sequence[str], count: int
) -> Sequence[Mapping[str, float]]:
    """Returns the medians by question for each subject. Subjects have different records, so answers are not
    compared."""
    times: list[dict[str, list[float]]] = [{name: [] for name in names} for _ in subjects]
    for round_number in range(count + 1):
        for name in names:
            for number in range(len(subjects)):
                index = (number + round_number) % len(subjects)
                _, milliseconds = _ask_timed(subjects[index], name)
                if round_number > 0:
                    times[index][name].append(milliseconds)
    return [{name: statistics.median(found) for name, found in of_one.items()} for of_one in times]


def lines(times: Times, peers: Sequence[str]) -> list[str]:
    """Formats a line per question; of a peer's tables, the faster one counts and is named."""
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
    """Returns Pegcount's medians by question."""
    return {name: statistics.median(of_one[PEGCOUNT]) for name, of_one in times.items()}


def _ask_timed(subject: Subject, name: str) -> tuple[Any, float]:
    """Times the second of two runs, so that caches contain the data of this subject."""
    gc.collect()
    subject.ask(name)
    start_time = time.perf_counter()
    result = subject.ask(name)
    return result, (time.perf_counter() - start_time) * 1_000


def _compare(name: str, subject: Subject, answer: Answer, expected: dict[str, Answer]) -> None:
    reference = expected.setdefault(name, answer)
    assert len(answer), f"{name}: an answer that is empty compares nothing"
    assert np.array_equal(answer, reference), f"{name}: {subject.name} answers otherwise"


def _best(of_one: Mapping[str, list[float]], peer: str) -> str:
    tables = [subject for subject in of_one if subject.startswith(peer)]
    return min(tables, key=lambda subject: statistics.median(of_one[subject]))


def _shown(of_one: Mapping[str, list[float]], subject: str, peer: str) -> str:
    """Formats median, minimum and maximum, and the first letter of the sort order."""
    times, order = of_one[subject], subject.removeprefix(peer).removeprefix(" by ")[:1]
    return f"{statistics.median(times):.1f} ({min(times):.1f}-{max(times):.1f}) {order:1}"
