"""Builds the shim that makes file system calls fail, and reads what it logged."""

import errno
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("shim.c")
_SYNCS = ("fsync", "fdatasync", "sync_file_range", "syncfs")
_FLUSHES_OF_A_ROLLBACK = 2


@dataclass(frozen=True)
class Fault:
    """Which call fails and how; `at` 0 is none. `lasting`: those after it too, until there is space again."""

    at: int = 0
    error: int = errno.EIO
    lasting: bool = False

    def __str__(self) -> str:
        what = "and all later ones fail" if self.lasting else "fails"
        return f"call {self.at} {what} with {errno.errorcode[self.error]}"


@dataclass(frozen=True)
class Call:
    """A line of the log. `descriptor` tells opens of one file apart; 0 is none. `error` 0 is success."""

    number: int
    name: str
    file: str
    descriptor: int
    error: int

    @property
    def is_sync(self) -> bool:
        return self.name in _SYNCS


def build(folder: Path) -> Path:
    """Compiles the shim into a folder; skips, and says why, where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("NOT TESTED: there is no C compiler")
    library = folder / "shim.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [compiler, *flags, "-o", str(library), str(_SOURCE), "-ldl", "-pthread"], check=True, timeout=60
    )
    return library


def settings(directory: Path, log: Path, fault: Fault) -> dict[str, str]:
    """What the environment tells a process with the shim, so that calls below `directory` count and fail.

    A lasting fault ends when `full_of(log)` is removed.
    """
    variables = {
        "PEGCOUNT_SHIM_DIRECTORY": str(directory),
        "PEGCOUNT_SHIM_LOG": str(log),
        "PEGCOUNT_SHIM_FAIL_AT": str(fault.at),
        "PEGCOUNT_SHIM_ERRNO": str(fault.error),
    }
    if fault.lasting:
        full_of(log).touch()
        variables["PEGCOUNT_SHIM_WHILE"] = str(full_of(log))
    return variables


def without_flushes(library: Path, directory: Path) -> dict[str, str]:
    """What makes a process believe that it flushes."""
    return {
        "LD_PRELOAD": str(library),
        "PEGCOUNT_SHIM_DIRECTORY": str(directory),
        "PEGCOUNT_SHIM_NO_SYNC": "1",
    }


def full_of(log: Path) -> Path:
    """The file that stands for a full disk."""
    return log.with_suffix(".full")


def calls_in(log: Path) -> list[Call]:
    """The log, oldest first; what a test wrote between the calls is not among them."""
    calls = []
    for line in log.read_text().splitlines():
        number, name, *file, descriptor, error = line.split(" ")
        calls.append(Call(int(number), name, " ".join(file), int(descriptor), int(error)))
    return calls


def retried_flushes(calls: list[Call]) -> list[Call]:
    """Flushes of a descriptor after one of it failed; the kernel may tell such a caller that all is well.

    SQLite takes a transaction back over the descriptors that it has, which flushes each once or twice
    more. That much is left out for the catalogue, whose file is written anew before the next transaction.
    """
    failed: set[int] = set()
    retried: list[Call] = []
    of_sqlite: Counter[int] = Counter()
    for call in calls:
        if call.is_sync and call.descriptor in failed:
            of_sqlite[call.descriptor] += call.file.startswith("catalog.db")
            if not 0 < of_sqlite[call.descriptor] <= _FLUSHES_OF_A_ROLLBACK:
                retried.append(call)
        if call.is_sync and call.error:
            failed.add(call.descriptor)
    return retried
