"""A catalogue that is older than its directory: nothing is opened by it, and nothing is deleted."""

import shutil
from pathlib import Path

import pytest
from decks import deck_of
from pegcount.errors import DataDamagedError, StoreOpenError
from pegcount.store import EmbeddedStore
from pegcount.store.accepted_loss import move_aside

from store_tests.store_fixtures import (
    ACKNOWLEDGED,
    MANUAL_MAINTENANCE,
    StoreHarness,
    all_files,
    finished,
    session_ids,
    write,
)


@pytest.mark.parametrize("with_active", [True, False])
def test_an_older_catalogue_opens_no_newer_directory_and_deletes_nothing(
    with_active: bool, harness: StoreHarness
) -> None:
    harness.store.close()
    older = (harness.directory / "catalog.db").read_bytes()
    harness.store = harness.open()
    for session_id in ("second", "third"):
        write(harness.store, finished(session_id))
        harness.store.flush(with_active=with_active)
    harness.store.close()
    newer = (harness.directory / "catalog.db").read_bytes()
    (harness.directory / "catalog.db").write_bytes(older)
    before = all_files(harness.directory)
    with pytest.raises((StoreOpenError, DataDamagedError), match="--accept-loss-of"):
        harness.open()
    assert all_files(harness.directory) == before
    (harness.directory / "catalog.db").write_bytes(newer)
    harness.store = harness.open()
    assert sorted(session_ids(harness.store)) == sorted([*ACKNOWLEDGED, "second", "third"])


def test_an_older_copy_put_over_the_directory_opens_no_newer_one_and_deletes_nothing(
    harness: StoreHarness, tmp_path: Path
) -> None:
    """Whatever was added since: a segment, or a code deck. The copy has the journal files that it needs."""

    def add_segment(store: EmbeddedStore) -> None:
        write(store, finished("second"))
        store.flush()

    def add_deck(store: EmbeddedStore) -> None:
        store.put_code_deck(7, deck_of(("49", "Germany", "DE")))

    for number, add_file in enumerate([add_segment, add_deck]):
        harness.store.close()
        copy = shutil.copytree(harness.directory, tmp_path / f"copy {number}")
        harness.store = harness.open()
        add_file(harness.store)
        harness.store.close()
        newer = shutil.copytree(harness.directory, tmp_path / f"newer {number}")
        shutil.copytree(copy, harness.directory, dirs_exist_ok=True)
        before = all_files(harness.directory)
        with pytest.raises((StoreOpenError, DataDamagedError), match=r"is newer than catalog\.db"):
            harness.open()
        assert all_files(harness.directory) == before
        shutil.rmtree(harness.directory)
        newer.rename(harness.directory)
        harness.store = harness.open()
        assert "second" in session_ids(harness.store)


def test_newer_files_move_aside_when_their_loss_is_accepted(harness: StoreHarness) -> None:
    harness.store.close()
    older = (harness.directory / "catalog.db").read_bytes()
    harness.store = harness.open()
    for session_id in ("second", "third"):
        write(harness.store, finished(session_id))
        harness.flush_without_active_snapshot()
    harness.store.close()
    (harness.directory / "catalog.db").write_bytes(older)
    before = all_files(harness.directory)
    segments = sorted(harness.directory.glob("segments/*/*"))
    paths = [*segments[-2:], harness.journal()[-1]]
    newer = [path.relative_to(harness.directory).as_posix() for path in paths]
    harness.store = EmbeddedStore(harness.directory, MANUAL_MAINTENANCE, accepted_losses=newer)
    assert sorted(session_ids(harness.store)) == ACKNOWLEDGED
    assert all_files(harness.directory / "lost") == {name: before[name] for name in newer}


def test_a_file_moves_beside_those_of_its_name_that_moved_before(tmp_path: Path) -> None:
    """Numbers of files are given again after a loss was accepted."""
    contents = ["first", "second", "third"]
    for content in contents:
        path = tmp_path / "journal/00000006.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        move_aside(tmp_path, [path])
    moved = {path.name: path.read_text() for path in (tmp_path / "lost/journal").iterdir()}
    names = ["00000006.log", "00000006.log.1", "00000006.log.2"]
    assert moved == dict(zip(names, contents, strict=True))


def test_a_leftover_stays_while_a_segment_is_missing(harness: StoreHarness) -> None:
    """Beside an older catalogue, the leftover may be the compaction of the segment that it misses."""
    harness.store.close()
    segment = harness.segment()
    leftover, foreign = segment.with_name("00000077.arrow"), segment.with_name("notes.txt")
    leftover.write_bytes(b"x")
    foreign.write_bytes(b"x")
    hidden = segment.rename(harness.directory / "hidden")
    harness.store = harness.open()
    assert leftover.exists()
    harness.store.close()
    hidden.rename(segment)
    harness.store = harness.open()
    assert (leftover.exists(), foreign.exists()) == (False, True)
