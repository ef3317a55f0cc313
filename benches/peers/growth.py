"""How the times of ours grow with the number of records: two counts, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from peers import questions

TIMES = 5
"""How many times the smaller count the larger one is."""
SECONDS_MAX = 3_600

Medians = Mapping[int, Mapping[str, float]]
"""Milliseconds by count and question."""


def as_json(medians: Mapping[str, float]) -> str:
    """What the process of one count prints."""
    return json.dumps(medians)


def measured(bench: Path, counts: Sequence[int], arguments: Sequence[str]) -> Medians:
    """Runs the bench for each count."""
    medians = {}
    for count in counts:
        command = [sys.executable, str(bench), "--medians", "--records", str(count), *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=SECONDS_MAX)
        medians[count] = json.loads(done.stdout)
    return medians


def lines(medians: Medians) -> list[str]:
    """Both counts side by side, and how many times as long the larger takes."""
    (few, of_few), (many, of_many) = medians.items()
    table = [f"{'ours, ms':<60}{few:>14,}{many:>14,}{'ratio':>9}"]
    for name, one in of_few.items():
        other = of_many[name]
        table.append(
            f"{name} {questions.DESCRIPTIONS[name]:<57}{one:>14.2f}{other:>14.2f}{other / one:>7.2f} x"
        )
    return table
