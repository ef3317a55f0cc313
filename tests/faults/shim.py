"""Builds the shim that makes file system calls fail, and parses its log."""

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
    """The number of the failing call (0 for none) and its error. A `lasting` fault also fails all later calls
    until the disk has space again."""

    at: int = 0
    error: int = errno.EIO
    lasting: bool = False

    def __str__(self) -> str:
        effect = "and all later ones fail" if self.lasting else "fails"
        return f"call {self.at} {effect} with {errno.errorcode[self.error]}"


@dataclass(frozen=True)
class Call:
    """A line of the log. `descriptor` numbers each opened file description, 0 means none; `error` 0 is
    success."""

    number: int
    name: str
    file: str
    descriptor: int
    error: int

    @property
    def is_sync(self) -> bool:
        return self.name in _SYNCS


def build(folder: Path) -> Path:
    """Compiles the shim into a folder; skips the test, with a reason, if the C compiler is missing."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("NOT TESTED: the C compiler is missing")
    library = folder / "shim.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [compiler, *flags, "-o", str(library), str(_SOURCE), "-ldl", "-pthread"], check=True, timeout=60
    )
    return library


def settings(directory: Path, log: Path, fault: Fault) -> dict[str, str]:
    """Returns the environment that makes the shim count and fail calls below `directory`.

    A lasting fault ends when the file `full_disk_marker(log)` is removed.
    """
    variables = {
        "PEGCOUNT_SHIM_DIRECTORY": str(directory),
        "PEGCOUNT_SHIM_LOG": str(log),
        "PEGCOUNT_SHIM_FAIL_AT": str(fault.at),
        "PEGCOUNT_SHIM_ERRNO": str(fault.error),
    }
    if fault.lasting:
        full_disk_marker(log).touch()
        variables["PEGCOUNT_SHIM_WHILE"] = str(full_disk_marker(log))
    return variables


def without_flushes(library: Path, directory: Path) -> dict[str, str]:
    """Returns the environment that turns all flushes of a process into no-ops."""
    return {
        "LD_PRELOAD": str(library),
        "PEGCOUNT_SHIM_DIRECTORY": str(directory),
        "PEGCOUNT_SHIM_NO_SYNC": "1",
    }


def full_disk_marker(log: Path) -> Path:
    """Returns the file whose existence simulates a full disk."""
    return log.with_suffix(".full")


def calls_in(log: Path) -> list[Call]:
    """Parses the log, oldest call first, including the marks that a test wrote between the calls."""
    calls = []
    for line in log.read_text().splitlines():
        number, name, *file, descriptor, error = line.split(" ")
        calls.append(Call(int(number), name, " ".join(file), int(descriptor), int(error)))
    return calls


def retried_flushes(calls: list[Call]) -> list[Call]:
    """Returns the flushes of a descriptor after a failed one; Linux may report success for them.

    SQLite rolls a transaction back over its open descriptors, which flushes each once or twice more. These
    are tolerated for the catalogue, because its file is rewritten before the next transaction.
    """
    failed: set[int] = set()
    retried: list[Call] = []
    sqlite_retries: Counter[int] = Counter()
    for call in calls:
        if call.is_sync and call.descriptor in failed:
            sqlite_retries[call.descriptor] += call.file.startswith("catalog.db")
            if not 0 < sqlite_retries[call.descriptor] <= _FLUSHES_OF_A_ROLLBACK:
                retried.append(call)
        if call.is_sync and call.error:
            failed.add(call.descriptor)
    return retried
