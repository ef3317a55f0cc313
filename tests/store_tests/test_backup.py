"""What the copies of a backup share with the originals, and backups for which the disk has no room."""

import errno
import fcntl
import gc
import itertools
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faults.image import mounted_image, needs_mounts, tmpfs
from pegcount.auth import Credentials
from pegcount.errors import NoSpaceError, StoreOpenError
from pegcount.model import NewCredential
from pegcount.store import EmbeddedStore, file_copy
from pegcount.store.file_copy import free_bytes
from pegcount.store.snapshot import back_up

from store_tests.store_fixtures import (
    MANUAL_MAINTENANCE,
    StoreHarness,
    active,
    file_size_limit,
    finished,
    session_ids,
    write,
)
from store_tests.test_snapshot import write_mixed_records

_RECORD_COUNT = 20_000
_SHARED_BYTES_MIN = 2**20


def content_of(directory: Path) -> dict[str, bytes]:
    found = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def truncated(path: Path) -> None:
    os.truncate(path, 0)


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)


@pytest.mark.parametrize("spoil", [truncated, overwritten])
def test_spoiling_a_backup_leaves_the_original_intact(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        expected = write_mixed_records(harness)
        before = content_of(harness.directory)
        made = back_up(harness.directory, tmp_path / "backup")
        assert {path.stat().st_nlink for path in made} == {1}
        for path in made:
            spoil(path)
        assert content_of(harness.directory) == before
        harness.reopen()
        assert sorted(session_ids(harness.store)) == expected


def test_a_backup_does_not_wait_for_ever_for_another_program(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(MANUAL_MAINTENANCE, lock_wait_seconds_max=0.3, lock_wait_log_seconds=0.1)
    with StoreHarness(tmp_path / "data", config) as harness:
        write(harness.store, finished("a"))
        with (harness.directory / "readers").open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(StoreOpenError, match=r"another program holds .*/readers; gave up after"):
                back_up(harness.directory, tmp_path / "backup", config=config)
        assert "waiting for another program, which holds" in caplog.text
        back_up(harness.directory, tmp_path / "backup", config=config)


def test_files_of_a_backup_belong_to_their_owner_alone(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write_mixed_records(harness)
        made = back_up(harness.directory, tmp_path / "deep/backup")
    modes = {path.relative_to(tmp_path / "deep/backup").parts[0]: path.stat().st_mode for path in made}
    assert {name: oct(mode & 0o777) for name, mode in modes.items()} == {
        "catalog.db": "0o600",
        "journal": "0o600",
        "segments": "0o400",
        "active": "0o400",
        "decks": "0o400",
    }
    folders = [tmp_path / "deep/backup", *(path for path in (tmp_path / "deep/backup").rglob("*"))]
    assert {oct(path.stat().st_mode & 0o777) for path in folders if path.is_dir()} == {"0o700"}


def test_a_backup_says_how_much_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_copy, "clone", lambda old, new: False)
    progress = list[tuple[int, int]]()
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write_mixed_records(harness)
        back_up(harness.directory, tmp_path / "backup", lambda done, total: progress.append((done, total)))
        size = sum(len(content) for name, content in content_of(tmp_path / "backup").items())
    assert progress == sorted(progress)
    assert {total for _, total in progress} == {size}
    assert progress[-1][0] == size - (tmp_path / "backup/catalog.db").stat().st_size


def test_a_journal_file_that_grows_while_its_bytes_are_copied_can_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header of a journal file says how long the file is at least."""
    monkeypatch.setattr(file_copy, "clone", lambda old, new: False)
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("before"))
        written = itertools.count()

        def then_write(call: Callable[..., Any]) -> Callable[..., Any]:
            def called(*arguments: Any) -> Any:
                result = call(*arguments)
                write(harness.store, finished(f"during {next(written)}"))
                return result

            return called

        with monkeypatch.context() as patch:
            for name in ("fstat", "pread"):
                patch.setattr(os, name, then_write(getattr(os, name)))
            back_up(harness.directory, tmp_path / "backup")
    assert next(written) > 1
    with closing(EmbeddedStore(tmp_path / "backup", MANUAL_MAINTENANCE)) as store:
        assert "before" in session_ids(store)


def test_a_backup_shares_its_blocks_where_the_file_system_clones_files(tmp_path: Path) -> None:
    needs_mounts(tmp_path, "losetup")
    with mounted_image(tmp_path / "image", tmp_path / "mounted", "mkfs.xfs", "xfsprogs", 320) as mount_point:
        taken, size = bytes_taken_and_copied(mount_point)
        # Unmaps the segments, so that the image can be unmounted.
        gc.collect()
    print(f"a backup of {size:,} bytes takes {taken:,} bytes, {taken / size:.1%}")
    assert size > _SHARED_BYTES_MIN
    assert taken < size / 4


def bytes_taken_and_copied(mount_point: Path) -> tuple[int, int]:
    """Makes a backup of a store on the same file system, then truncates it and opens the original."""
    with StoreHarness(mount_point / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, *(finished(f"{number:032}") for number in range(_RECORD_COUNT)))
        write(harness.store, active("still active"))
        harness.flush()
        os.sync()
        before = free_bytes(mount_point)
        made = back_up(harness.directory, mount_point / "backup")
        os.sync()
        taken, size = before - free_bytes(mount_point), sum(path.stat().st_size for path in made)
        for path in made:
            truncated(path)
        harness.reopen()
        assert len(session_ids(harness.store)) == _RECORD_COUNT + 1
    return taken, size


def left_empty(target: Path) -> bool:
    return target.is_dir() and not any(target.iterdir())


def left_missing(target: Path) -> bool:
    return not target.parent.exists()


@pytest.mark.parametrize(("name", "is_clean"), [("backup", left_empty), ("deep/backup", left_missing)])
@pytest.mark.parametrize("limit", [100, 1_000, 5_000])
def test_a_backup_that_may_not_write_on_leaves_nothing(
    name: str, is_clean: Callable[[Path], bool], limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_copy, "clone", lambda old, new: False)
    (tmp_path / "backup").mkdir()
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        expected = write_mixed_records(harness)
        with file_size_limit(limit), pytest.raises(NoSpaceError, match=r"needs [\d,]+ bytes, of which"):
            back_up(harness.directory, tmp_path / name)
        assert is_clean(tmp_path / name)
        back_up(harness.directory, tmp_path / name)
    with closing(EmbeddedStore(tmp_path / name, MANUAL_MAINTENANCE)) as store:
        assert sorted(session_ids(store)) == expected


@pytest.mark.parametrize("is_checked", [True, False])
def test_a_backup_to_a_full_disk_leaves_nothing(
    is_checked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_mounts(tmp_path)
    if not is_checked:
        # As if others had filled the disk after the check.
        monkeypatch.setattr(file_copy, "free_bytes", lambda path: 2**60)
    with (
        StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness,
        tmpfs(tmp_path / "small", 1) as disk,
    ):
        write(harness.store, *(finished(f"{number:032}") for number in range(_RECORD_COUNT)))
        harness.flush()
        with pytest.raises(
            NoSpaceError, match=r"backup needs 1,\d{3},\d{3} bytes, of which 1,048,576 are free"
        ):
            back_up(harness.directory, disk / "deep/backup")
        assert left_empty(disk)


def test_a_file_that_the_file_system_cannot_clone_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot_clone(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(fcntl, "ioctl", cannot_clone)
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        expected = write_mixed_records(harness)
        back_up(harness.directory, tmp_path / "backup")
    with closing(EmbeddedStore(tmp_path / "backup", MANUAL_MAINTENANCE)) as store:
        assert sorted(session_ids(store)) == expected


def test_a_backup_has_the_credentials_and_none_of_their_keys(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        credentials = Credentials(harness.config, harness.store, lambda: harness.now_us)
        issued = credentials.create(lambda _: NewCredential("operator", (4,), None, ()))
        back_up(harness.directory, tmp_path / "backup")
        held = harness.store.credentials()
    secret = issued.key.text.removeprefix(issued.key.prefix).encode()
    assert not any(secret in content for content in content_of(tmp_path / "backup").values())
    with closing(EmbeddedStore(tmp_path / "backup", MANUAL_MAINTENANCE)) as restored:
        assert restored.credentials() == held == [issued.row]
