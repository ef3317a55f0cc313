"""Segments that another program truncates, changes or removes while the store is open.

On code that does not expect it, the process ends by SIGBUS, so each test has a process of its own.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pegcount.config import Tuning

from store_tests.store_fixtures import DAY_S, MANUAL_MAINTENANCE, SETUP_S, StoreHarness, finished, write

PROGRAM = """
import os, shutil, sys
from dataclasses import replace as changed
from pathlib import Path
import pytest
from pegcount import core
from pegcount.config import Tuning
from pegcount.errors import DataDamagedError
from pegcount.model import OneOf
from store_tests.store_fixtures import (
    MANUAL_MAINTENANCE, SETUP_S, DAY_S, StoreHarness, finished, session_ids, write
)
from store_tests.test_files import count_of_day

COUNT = 20_000


def half(path):
    os.truncate(path, path.stat().st_size // 2 + 77)

def within_the_last_page(path):
    os.truncate(path, path.stat().st_size - 1)

def regrow(path):
    size = path.stat().st_size
    os.truncate(path, 0)
    os.truncate(path, size)

def overwrite(path):
    with open(path, "r+b") as file:
        file.write(b"\\xff" * path.stat().st_size)

def replace(path):
    shutil.copy(path, path.with_suffix(".other"))
    os.replace(path.with_suffix(".other"), path)

def truncate(path):
    os.truncate(path, 0)

damage = {"truncate": truncate, "half": half, "last page": within_the_last_page, "regrow": regrow,
          "overwrite": overwrite, "replace": replace, "remove": Path.unlink}[sys.argv[2]]

def check_damaged(act):
    with pytest.raises(DataDamagedError) as raised:
        act()
    assert raised.value.metadata == {"file": str(path.relative_to(harness.directory))}, raised.value

tuning = Tuning(watched_directory_count_max=int(sys.argv[3]))
with StoreHarness(Path(sys.argv[1]), changed(MANUAL_MAINTENANCE, tuning=tuning)) as harness:
    write(harness.store, *(finished(f"f{i}", SETUP_S + i % 600, folder=f"{i % 50}") for i in range(COUNT)))
    write(harness.store, finished("next", SETUP_S + DAY_S))
    harness.flush()
    write(harness.store, finished("known", SETUP_S))
    path = harness.segment()
    good = path.read_bytes()
    folder = OneOf("folder", ("7",))
    assert count_of_day(harness.store, 0, folder) == COUNT // 50
    assert len(session_ids(harness.store)) == COUNT + 2
    write(harness.store, finished("f1", SETUP_S + 1, folder="1"))
"""

READS = """
    damage(path)
    check_damaged(lambda: session_ids(harness.store))
    check_damaged(lambda: count_of_day(harness.store, 0, folder))
    check_damaged(lambda: count_of_day(harness.store, 0))
    assert count_of_day(harness.store, 1) == 1
    harness.maintain()
    harness.flush()
    assert count_of_day(harness.store, 1) == 1
"""

WRITES = """
    damage(path)
    write(harness.store, finished("f1", SETUP_S + 1, folder="new", revision=1), finished("f2", SETUP_S + 2))
    harness.flush()
    check_damaged(lambda: session_ids(harness.store))
    harness.store.close()
    path.unlink(missing_ok=True)
    path.write_bytes(good)
    harness.reopen()
    with pytest.raises(DataDamagedError, match="while it could not be read"):
        session_ids(harness.store)
    assert count_of_day(harness.store, 1) == 1
"""

COMPACTS = """
    write(harness.store, *(finished(f"g{i}", SETUP_S + i % 600) for i in range(COUNT)))
    harness.flush()
    write(harness.store, *(finished(f"h{i}", SETUP_S + i % 600) for i in range(COUNT)))
    harness.flush()
    assert len(session_ids(harness.store)) == 3 * COUNT + 2
    path = min(harness.directory.glob("segments/2026-03-29/*"))
    before = set(harness.files())
    damage(path)
    try:
        harness.maintain()
    except DataDamagedError:
        harness.maintain()
    removed = {str(path.relative_to(harness.directory))} if sys.argv[2] == "remove" else set()
    assert set(harness.files()) == before - removed
    check_damaged(lambda: session_ids(harness.store))
"""

DAMAGES = ["truncate", "half", "last page", "regrow", "overwrite", "replace", "remove"]


def run(program: str, directory: Path, damage: str, watched_directory_count_max: int = 10) -> str:
    """Runs a program in a process of its own, and returns its log."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program, directory, damage, str(watched_directory_count_max)],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-3_000:])
    return done.stderr


@pytest.mark.parametrize("watched_directory_count_max", [0, 10])
@pytest.mark.parametrize("damage", DAMAGES)
def test_reports_of_the_day_fail_and_the_log_names_the_file_once(
    damage: str, watched_directory_count_max: int, tmp_path: Path
) -> None:
    log = run(PROGRAM + READS, tmp_path / "store", damage, watched_directory_count_max)
    assert log.count("reports of its day fail") == 1
    assert "segments/2026-03-29/" in log


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_comes_back_counts_no_record_twice(damage: str, tmp_path: Path) -> None:
    run(PROGRAM + WRITES, tmp_path / "store", damage)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_compaction_removes_no_source_of_which_it_read_zeros(damage: str, tmp_path: Path) -> None:
    run(PROGRAM + COMPACTS, tmp_path / "store", damage)


def test_the_log_says_once_that_directories_cannot_be_watched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(MANUAL_MAINTENANCE, tuning=Tuning(watched_directory_count_max=1))
    with StoreHarness(tmp_path / "store", config) as harness:
        write(harness.store, *(finished(f"f{day}", SETUP_S - day * DAY_S) for day in range(3)))
        harness.flush()
        harness.maintain()
        harness.maintain()
    assert caplog.text.count("its changes cannot be watched (watched_directory_count_max is 1)") == 1
