"""Size, seed, progress and results of a run of fault tests.

    PEGCOUNT_SEED           determines everything random; by default drawn anew for each run
    PEGCOUNT_FAULT_KILLS    kills of a serving process
    PEGCOUNT_FAULT_CUTS     power cuts
    PEGCOUNT_FAULT_CALLS    failing file system calls, drawn at random; 0 means each call once
    PEGCOUNT_FAULT_FLIPS    flipped bytes
    PEGCOUNT_FAULT_JUMPS    jumps of the clock
    PEGCOUNT_FAULT_REMOVALS files removed under a serving process
    PEGCOUNT_FAULT_RECORDS  records sent over breaking connections
    PEGCOUNT_FAULT_UNIT     runs only this unit of a seed
    PEGCOUNT_FAULT_RESUME   1: saves completed units in .cache/faults and skips them in the next run

The defaults are small enough to test every change; `make test-faults` sets the long ones. A unit is
independent of other units, for example one data directory with its ten kills.
"""

import json
import os
import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import seeds

FOLDER = Path(__file__).parents[2] / ".cache" / "faults"
RESULTS = FOLDER / "results.jsonl"


@dataclass(frozen=True)
class Tally:
    """Results of some cycles. `lost`, `duplicated` and `partial` must be 0."""

    cycles: int = 0
    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    partial: int = 0
    recovery_seconds: list[float] = field(default_factory=list)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    @property
    def is_clean(self) -> bool:
        return (self.lost, self.duplicated, self.partial) == (0, 0, 0)


@dataclass(frozen=True)
class Row:
    """A row of the results table."""

    test: str
    seed: int
    cycles: int
    acknowledged: int
    lost: int
    duplicated: int
    partial: int
    recovery_median_seconds: float | None
    recovery_max_seconds: float | None
    minutes: float


@dataclass(frozen=True)
class Unit:
    """One unit: its number, the seed of its randomness, and an empty directory."""

    number: int
    seed: str
    directory: Path


class Campaign:
    """The units of one test. `all_count` is the number of cycles of a run with count 0, which means all."""

    def __init__(
        self, test: str, variable: str, default: int, cycles_per_unit: int = 1, all_count: int = 0
    ) -> None:
        self.cycle_count = int(os.environ.get(variable, default)) or all_count
        self.unit_count = -(-self.cycle_count // cycles_per_unit)
        self.test = test
        self.resumes = os.environ.get("PEGCOUNT_FAULT_RESUME") == "1"
        self._progress = FOLDER / f"{re.sub(r'[^a-zA-Z]+', '-', test)}.jsonl"
        self._done: dict[int, Tally] = {}
        self._seconds = 0.0
        self.seed = self._seed()
        print(
            f"{test}: PEGCOUNT_SEED={self.seed} {variable}={self.cycle_count}, {len(self._done)} units done"
        )

    def units(self) -> Iterator[int]:
        """Yields the numbers of the remaining units."""
        only = os.environ.get("PEGCOUNT_FAULT_UNIT")
        wanted = range(self.unit_count) if only is None else [int(only)]
        return (unit for unit in wanted if unit not in self._done)

    def run(self, directory: Path, run_unit: Callable[[Unit], Tally]) -> Row:
        """Runs the remaining units and returns the table row for all of them."""
        for number in self.units():
            unit_directory = directory / f"{self._progress.stem}-{number}"
            with self._replayable(number), _temporary_directory(unit_directory):
                started = time.monotonic()
                tally = run_unit(Unit(number, f"{self.seed}/{self.test}/{number}", unit_directory))
                assert tally.is_clean, tally
                self._finish(number, tally, time.monotonic() - started)
        return self._end()

    def _seed(self) -> int:
        saved_units = self._saved_units() if self.resumes else []
        if saved_units and not (seeds.IS_GIVEN and saved_units[0]["seed"] != seeds.SEED):
            self._done = {line["unit"]: Tally(**line["tally"]) for line in saved_units}
            self._seconds = sum(line["seconds"] for line in saved_units)
            return int(saved_units[0]["seed"])
        if self.resumes:
            self._progress.unlink(missing_ok=True)
        return seeds.SEED

    def _saved_units(self) -> list[dict[str, Any]]:
        lines = self._progress.read_text().splitlines() if self._progress.exists() else []
        return [json.loads(line) for line in lines]

    def _finish(self, unit: int, tally: Tally, seconds: float) -> None:
        self._done[unit] = tally
        self._seconds += seconds
        if self.resumes:
            _append(
                self._progress, {"seed": self.seed, "unit": unit, "seconds": seconds, "tally": asdict(tally)}
            )

    def _end(self) -> Row:
        total = sum(self._done.values(), Tally())
        seconds = total.recovery_seconds
        counts = {name: value for name, value in vars(total).items() if name != "recovery_seconds"}
        row = Row(
            test=self.test,
            seed=self.seed,
            recovery_median_seconds=round(statistics.median(seconds), 3) if seconds else None,
            recovery_max_seconds=round(max(seconds), 3) if seconds else None,
            minutes=round(self._seconds / 60, 2),
            **counts,
        )
        if self.resumes:
            _append(RESULTS, {"date": time.strftime("%Y-%m-%d", time.gmtime()), **asdict(row)})
            self._progress.unlink(missing_ok=True)
        return row

    @contextmanager
    def _replayable(self, unit: int) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            error.add_note(f"to replay: PEGCOUNT_SEED={self.seed} PEGCOUNT_FAULT_UNIT={unit} ({self.test})")
            raise


def with_recovery(tally: Tally, seconds: float) -> Tally:
    """Adds the time that one start took."""
    return replace(tally, recovery_seconds=[*tally.recovery_seconds, seconds])


@contextmanager
def _temporary_directory(directory: Path) -> Iterator[None]:
    """Creates a directory and removes it if the unit succeeds, so that a long run does not fill the disk."""
    directory.mkdir(parents=True)
    yield
    shutil.rmtree(directory)


def _append(path: Path, line: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())
