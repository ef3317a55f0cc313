"""Pegcount in a process of its own, where no peer and no loading has used memory before."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from peers import memory, questions, timing
from peers.pegcount_engine import Pegcount

GROWTH = 5
"""How many times the smaller count the larger one is."""
SECONDS_MAX = 3_600


@dataclass(frozen=True, slots=True)
class IsolatedRun:
    """What such a process found; bytes are of memory that no file is mapped to, beyond what was there."""

    open_seconds: float
    first_ms: float
    """The first of all questions, asked for the first time."""
    open_bytes: int
    asked_bytes: int
    """After the rounds."""

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def measure(directory: Path, names: Sequence[str], round_count: int) -> IsolatedRun:
    """Opens the store, which is loaded already, and asks it."""
    before, began = memory.anonymous_bytes(), time.perf_counter()
    pegcount = Pegcount(directory)
    open_seconds, opened = time.perf_counter() - began, memory.anonymous_bytes()
    began = time.perf_counter()
    pegcount.ask(names[0])
    first_ms = (time.perf_counter() - began) * 1_000
    timing.run([pegcount], names, round_count)
    asked = memory.anonymous_bytes()
    pegcount.close()
    return IsolatedRun(open_seconds, first_ms, opened - before, asked - before)


def run(bench: Path, record_count: int, arguments: Sequence[str]) -> IsolatedRun:
    """What the process of one count finds."""
    command = [sys.executable, str(bench), "--isolated", "--records", str(record_count), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=SECONDS_MAX)
    return IsolatedRun(**json.loads(done.stdout))


def growth_lines(
    counts: Sequence[int], found: Sequence[IsolatedRun], medians: Sequence[Mapping[str, float]]
) -> list[str]:
    """Both counts side by side, and how many times as much the larger takes."""
    table = [f"{'ours':<60}{counts[0]:>14,}{counts[1]:>14,}{'ratio':>9}"]
    (few, many), (few_ms, many_ms) = found, medians
    pairs = {
        f"{name} {questions.DESCRIPTIONS[name]}, ms": (one, many_ms[name]) for name, one in few_ms.items()
    }
    pairs["time to open, ms"] = (few.open_seconds * 1_000, many.open_seconds * 1_000)
    pairs["memory beyond mapped files, MB"] = (few.asked_bytes / 1e6, many.asked_bytes / 1e6)
    for text, (one, other) in pairs.items():
        table.append(f"{text:<60}{one:>14.2f}{other:>14.2f}{other / one:>7.2f} x")
    return table
