"""Only the owner may read a data directory, whatever the umask, and an older directory is tightened."""

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness, active, finished, session_ids, write

WRITE = """
import os, sys
from pathlib import Path
from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness, active, finished, write

os.umask(int(sys.argv[2], 8))
with StoreHarness(Path(sys.argv[1]), MANUAL_MAINTENANCE) as harness:
    write(harness.store, finished("f1"), active("a1"))
    harness.flush()
    write(harness.store, finished("f2"))
"""


def modes(directory: Path) -> dict[str, int]:
    """Returns the permissions of each file and directory by its relative path, with numbers left out."""
    found = {}
    for path in [directory, *directory.rglob("*")]:
        name = path.relative_to(directory).as_posix()
        found[name] = stat.S_IMODE(path.stat().st_mode)
    return found


def expected_mode(path: Path) -> int:
    if path.is_dir():
        return 0o700
    return 0o400 if path.suffix == ".arrow" else 0o600


@pytest.mark.parametrize("umask", ["077", "022", "000"])
def test_only_the_owner_may_read_the_files_of_a_store(umask: str, tmp_path: Path) -> None:
    directory = tmp_path / "store"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", WRITE, directory, umask], check=True, env=environment)
    found = modes(directory)
    assert {name.split("/")[0] for name in found} == {
        ".",
        "active",
        "catalog.db",
        "catalog.db-journal",
        "journal",
        "lock",
        "readers",
        "segments",
    }
    assert found == {name: expected_mode(directory / name) for name in found}


def test_an_older_directory_is_tightened_with_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("f1"), active("a1"))
        harness.flush()
        harness.store.close()
        tight = modes(harness.directory)
        for name in tight:
            path = harness.directory / name
            path.chmod(0o755 if path.is_dir() else 0o644)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            harness.reopen()
            harness.reopen()
        said = [record.message for record in caplog.records if "only the owner" in record.message]
        assert said == [
            f"{harness.directory}: only the owner may read {len(tight)} files and directories from now on"
        ]
        assert modes(harness.directory) == {**modes(harness.directory), **tight}
        assert sorted(session_ids(harness.store)) == ["a1", "f1"]


def test_a_mode_that_cannot_be_changed_is_logged_and_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("f1"))
        harness.store.close()
        harness.directory.chmod(0o755)

        def refuse(path: Path, mode: int) -> None:
            raise PermissionError(1, "Operation not permitted", str(path))

        monkeypatch.setattr(Path, "chmod", refuse)
        caplog.clear()
        harness.reopen()
        assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
            f"{harness.directory}: the modes of 1 files and directories could not be changed: "
            f"[Errno 1] Operation not permitted: '{harness.directory}'"
        ]
        assert session_ids(harness.store) == ["f1"]
