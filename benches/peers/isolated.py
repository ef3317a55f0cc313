"""Pegcount in a process of its own, whose memory contains neither peers nor the load."""

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
"""Ratio of the larger record count to the smaller one."""
SECONDS_MAX = 3_600


@dataclass(frozen=True, slots=True)
class IsolatedRun:
    """Results of such a process; bytes are the growth of anonymous memory."""

    open_seconds: float
    first_ms: float
    """Latency of the first query after opening."""
    open_bytes: int
    asked_bytes: int
    """Growth after the rounds."""

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def measure(directory: Path, names: Sequence[str], round_count: int) -> IsolatedRun:
    """Opens a loaded store and runs the questions."""
    before, start_time = memory.anonymous_bytes(), time.perf_counter()
    pegcount = Pegcount(directory)
    open_seconds, opened = time.perf_counter() - start_time, memory.anonymous_bytes()
    start_time = time.perf_counter()
    pegcount.ask(names[0])
    first_ms = (time.perf_counter() - start_time) * 1_000
    timing.run([pegcount], names, round_count)
    asked = memory.anonymous_bytes()
    pegcount.close()
    return IsolatedRun(open_seconds, first_ms, opened - before, asked - before)


def run(bench: Path, record_count: int, arguments: Sequence[str]) -> IsolatedRun:
    """Runs the bench in a new process and returns its results."""
    command = [sys.executable, str(bench), "--isolated", "--records", str(record_count), *arguments]
    process = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=SECONDS_MAX)
    return IsolatedRun(**json.loads(process.stdout))


def growth_lines(
    counts: Sequence[int], found: Sequence[IsolatedRun], medians: Sequence[Mapping[str, float]]
) -> list[str]:
    """Formats both record counts side by side, with the ratio of their results."""
    table = [f"{'ours':<60}{counts[0]:>14,}{counts[1]:>14,}{'ratio':>9}"]
    (few, many), (few_ms, many_ms) = found, medians
    pairs = {
        f"{name} {questions.DESCRIPTIONS[name]}, ms": (smaller, many_ms[name])
        for name, smaller in few_ms.items()
    }
    pairs["time to open, ms"] = (few.open_seconds * 1_000, many.open_seconds * 1_000)
    pairs["memory beyond mapped files, MB"] = (few.asked_bytes / 1e6, many.asked_bytes / 1e6)
    for text, (smaller, larger) in pairs.items():
        table.append(f"{text:<60}{smaller:>14.2f}{larger:>14.2f}{larger / smaller:>7.2f} x")
    return table
