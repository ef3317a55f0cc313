"""Locking and creation of a data directory."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from pegcount.config import Config
from pegcount.errors import DataDamagedError, StoreOpenError
from pegcount.store import EmbeddedStore

from store_tests.store_fixtures import finished, session_ids, write

ADVICE = "`pegcount serve --create` and `pegcount import` make a new one"
WRITER = Path(__file__).parent / "writer.py"


def open_store(directory: Path, create: bool = False) -> EmbeddedStore:
    return EmbeddedStore(directory, Config(), create=create)


def check_refused(directory: Path, why: str, create: bool = False) -> None:
    with pytest.raises(StoreOpenError) as raised:
        open_store(directory, create)
    assert str(raised.value) == why


def test_a_directory_in_use_by_another_process_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, str(WRITER), str(tmp_path), "0", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        check_refused(tmp_path, f"data directory {tmp_path} is in use by process {other.pid}")
        other.kill()
    # The kernel releases the lock when its owner dies.
    open_store(tmp_path).close()


def test_a_directory_in_use_by_this_process_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path, create=True)
    check_refused(tmp_path, f"data directory {tmp_path} is in use by process {os.getpid()}")
    store.close()
    open_store(tmp_path).close()


def test_a_store_that_is_closed_twice_does_not_release_another_one(tmp_path: Path) -> None:
    """The second one gets the file descriptors of the first."""
    first = open_store(tmp_path / "first", create=True)
    first.close()
    second = open_store(tmp_path / "second", create=True)
    first.close()
    check_refused(
        tmp_path / "second", f"data directory {tmp_path / 'second'} is in use by process {os.getpid()}"
    )
    second.close()


def test_a_closed_store_is_free_although_a_child_process_has_its_descriptors(tmp_path: Path) -> None:
    """Each child has them between its start and its program; copies are like them."""
    store = open_store(tmp_path, create=True)
    copies = [os.dup(each) for each in _descriptors_below(tmp_path)]
    store.close()
    try:
        open_store(tmp_path).close()
    finally:
        for copy in copies:
            os.close(copy)


def _descriptors_below(directory: Path) -> list[int]:
    descriptors = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            if link.readlink().is_relative_to(directory):
                descriptors.append(int(link.name))
    assert descriptors
    return descriptors


def test_a_failed_open_releases_the_lock(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"no database" * 100)
    for _ in range(2):
        why = "file is not a database; restore a backup (`pegcount backup` makes them)"
        check_refused(tmp_path, f"{tmp_path / 'catalog.db'} cannot be opened: {why}")


def test_a_directory_is_created_only_on_request(tmp_path: Path) -> None:
    directory = tmp_path / "far" / "away"
    check_refused(directory, f"data directory {directory} does not exist; {ADVICE}")
    assert list(tmp_path.iterdir()) == []
    store = open_store(directory, create=True)
    write(store, finished("f1"))
    store.close()
    reopened_store = open_store(directory)
    assert session_ids(reopened_store) == ["f1"]
    reopened_store.close()


def test_an_empty_directory_becomes_a_store_on_request(tmp_path: Path) -> None:
    """It may be the mount point of a volume that is not mounted; such a server would answer zeros."""
    (tmp_path / "lost+found").mkdir()
    check_refused(tmp_path, f"data directory {tmp_path} has no records; is its volume mounted? {ADVICE}")
    assert [path.name for path in tmp_path.iterdir()] == ["lost+found"]
    store = open_store(tmp_path, create=True)
    assert store.info().records == 0
    assert store.first_day() is None
    store.close()


@pytest.mark.parametrize("folder", ["segments/x/12.arrow", "decks/5.json.zlib", "home/x"])
def test_a_directory_of_something_else_is_refused_and_left_as_it_is(folder: str, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    (foreign / folder).parent.mkdir(parents=True)
    (foreign / folder).write_text("mine")
    (foreign / "page.html").write_text("x")
    foreign.chmod(0o755)
    before = [(path, path.stat().st_mode) for path in sorted(foreign.rglob("*"))]
    for create in (True, False):
        with pytest.raises(StoreOpenError):
            open_store(foreign, create)
    assert [(path, path.stat().st_mode) for path in sorted(foreign.rglob("*"))] == before
    assert foreign.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("folders", "named"),
    [
        (["segments"], "segments/ is"),
        (["active"], "active/ is"),
        (["journal"], "journal/ is"),
        (["decks"], "decks/ is"),
        (["journal", "segments"], "segments/ and journal/ are"),
        (["active", "journal", "segments"], "segments/, active/ and journal/ are"),
    ],
)
def test_a_directory_that_lost_its_catalogue_is_refused_and_left_as_it_is(
    folders: list[str], named: str, tmp_path: Path
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir()
    catalog, restore = tmp_path / "catalog.db", "restore a backup (`pegcount backup` makes them)"
    for create in (True, False):
        check_refused(tmp_path, f"{catalog} is missing or empty, but {named} there: {restore}", create)
    assert sorted(path.name for path in tmp_path.iterdir()) == folders


def test_a_changed_row_of_the_catalogue_is_told_with_the_next_step(tmp_path: Path) -> None:
    open_store(tmp_path, create=True).close()
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as db, db:
        db.execute("UPDATE settings SET value = value + 1")
    with pytest.raises(DataDamagedError) as raised:
        open_store(tmp_path)
    assert str(raised.value).startswith("catalog.db: ")
    assert str(raised.value).endswith("; restore a backup (`pegcount backup` makes them)")


@pytest.mark.parametrize("names", [["lock"], ["lock", "catalog.db"]])
def test_a_creation_that_was_interrupted_can_be_repeated(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()
    open_store(tmp_path, create=True).close()


def test_a_file_is_refused_as_data_directory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    for create in (False, True):
        check_refused(path, f"data directory {path} is not a directory", create)


def test_a_directory_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    directory = tmp_path / "file" / "store"
    with pytest.raises(StoreOpenError, match="cannot be created: Not a directory"):
        open_store(directory, create=True)
