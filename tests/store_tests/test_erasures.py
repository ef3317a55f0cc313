"""Erasures: once one is answered, no file of the directory has the number, also after a crash."""

import errno
import logging
import os
import threading
from contextlib import closing
from pathlib import Path

import pytest
from pegcount.config import Config
from pegcount.core import CancelToken, party_digest
from pegcount.errors import CancelledError, DataDamagedError, DeadlineError, StoreReadOnlyError
from pegcount.model import Deletion
from pegcount.privacy import ErasureOutcome
from pegcount.store import EmbeddedStore
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_rows import put_row
from pegcount.store.check import check
from pegcount.store.readers import reading
from pegcount.store.scrubbing import ERASURE_KEY
from pegcount.store.snapshot import back_up, open_snapshot

from store_tests.empty_store import harness
from store_tests.erased_store import assert_complete, erase, numbers, write_everywhere
from store_tests.party_files import FORMS, NUMBER, OTHER, files_with
from store_tests.steps import copies_at_each_change, intercept_steps
from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    NO_LIMIT,
    SETUP_S,
    StoreHarness,
    active,
    batch,
    finished,
    rows,
    session_ids,
    write,
)

__all__ = ["harness"]


def test_no_file_has_the_number_when_an_erasure_is_answered(harness: StoreHarness) -> None:
    count = write_everywhere(harness)
    parts = {name.split("/")[0] for name in files_with(harness.directory)}
    assert parts == {"active", "journal", "segments"}
    ids = session_ids(harness.store)
    assert harness.store.count_parties([NUMBER], NO_LIMIT) >= count
    assert erase(harness.store).records >= count
    assert_complete(harness.store, harness.directory)
    write(
        harness.store, finished("late", orig_src_party_id=FORMS[0]), active("later", orig_dst_party_id=NUMBER)
    )
    assert_complete(harness.store, harness.directory)
    harness.flush()
    harness.maintain()
    for _ in range(2):
        assert_complete(harness.store, harness.directory)
        assert session_ids(harness.store) == sorted([*ids, "late", "later"])
        harness.reopen()


def test_the_catalogue_forgets_what_was_scrubbed_from_segments_that_are_gone(harness: StoreHarness) -> None:
    erase(harness.store)
    write_everywhere(harness)
    for _ in range(2):
        harness.flush()
        harness.maintain()
    harness.store.delete(Deletion(from_us=SETUP_S * 1_000_000), NO_LIMIT)
    harness.maintain()
    harness.store.close()
    with closing(Catalog(harness.directory)) as catalog:
        held = {segment.file.name for segment in catalog.segments()}
        assert held
        assert {row[0] for row in catalog.rows("scrubbed", "name")} == held
    harness.store = harness.open()


def test_segments_without_the_number_are_not_rewritten(harness: StoreHarness) -> None:
    write(harness.store, finished("other", SETUP_S - DAY_S, orig_src_party_id=OTHER))
    write(harness.store, finished("a", orig_src_party_id=NUMBER))
    harness.flush()
    untouched, rewritten = harness.segment("2026-03-28"), harness.segment()
    erase(harness.store)
    assert harness.segment("2026-03-28") == untouched
    assert not rewritten.exists()
    # What was looked at once is not looked at again, nor is what was written since then.
    seen: list[str] = []
    with intercept_steps(harness, seen.append):
        harness.maintain()
    assert "before count_scrubbed_rows" not in seen


def test_a_crash_at_any_step_leaves_the_erasure_finished_or_not_begun(
    harness: StoreHarness, tmp_path: Path
) -> None:
    write_everywhere(harness)
    ids = session_ids(harness.store)
    with copies_at_each_change(harness, tmp_path) as copies:
        erase(harness.store)
    assert len(copies) > 10
    begun = False
    for path in copies:
        with closing(EmbeddedStore(path, MANUAL_MAINTENANCE)) as store:
            assert begun <= bool(store.erasures()), path.name
            begun = bool(store.erasures())
            assert session_ids(store) == ids, path.name
            if begun:
                # Before anything is finished, reports and later writes are held to it.
                write(store, finished("late", orig_src_party_id=NUMBER))
                assert rows(store, "orig_src_party_id", predicates=[])
                store.maintain()
                assert_complete(store, path)
            else:
                assert numbers(store) >= set(FORMS), path.name
        assert check(path, MANUAL_MAINTENANCE).problems == [], path.name
    assert begun


def test_records_that_arrive_during_an_erasure_lose_the_number_or_are_erased(harness: StoreHarness) -> None:
    write_everywhere(harness)
    sent: list[str] = []
    is_nested: list[bool] = []

    def send(step: str) -> None:
        if is_nested or step.endswith(("commit_group", "wait_for_response", "submit")):
            return
        is_nested.append(True)
        name = f"during {len(sent)}"
        sent.append(name)
        update = active(f"live {len(sent) % len(FORMS)}", SETUP_S - len(sent) % 2 * DAY_S)
        update.orig_src_party_id = FORMS[len(sent) % len(FORMS)]
        harness.store.write(batch(update, finished(name, term_src_party_id=NUMBER)))
        is_nested.clear()

    with intercept_steps(harness, send):
        erase(harness.store)
    assert len(sent) > 10
    harness.flush()
    harness.maintain()
    assert_complete(harness.store, harness.directory)
    assert set(sent) <= set(session_ids(harness.store))


def test_writers_go_on_while_numbers_are_erased(harness: StoreHarness) -> None:
    write_everywhere(harness)
    is_over = threading.Event()
    written: list[str] = []

    def write_on() -> None:
        while not is_over.is_set():
            name = f"during {len(written)}"
            write(harness.store, finished(name, orig_src_party_id=FORMS[len(written) % len(FORMS)]))
            written.append(name)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for _ in range(5):
            erase(harness.store)
    finally:
        is_over.set()
        writer.join()
    assert_complete(harness.store, harness.directory)
    assert set(written) <= set(session_ids(harness.store))


def test_two_erasures_at_the_same_time_are_both_complete(harness: StoreHarness) -> None:
    write_everywhere(harness)
    outcomes: list[ErasureOutcome] = []
    threads = [
        threading.Thread(target=lambda party=party: outcomes.append(erase(harness.store, party)))
        for party in (NUMBER, OTHER)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.erasure_id for outcome in outcomes) == [1, 2]
    harness.maintain()
    assert files_with(harness.directory, [*FORMS, OTHER]) == {}
    assert [each.is_complete for each in harness.store.erasures()] == [True, True]


def test_a_read_only_store_promises_nothing(harness: StoreHarness) -> None:
    write_everywhere(harness)
    (harness.directory / "lock").unlink()
    with pytest.raises(StoreReadOnlyError) as raised:
        erase(harness.store)
    assert "erasure_id" not in raised.value.metadata
    assert harness.store.erasures() == []
    harness.maintain()
    assert erase(harness.store).erasure_id == 1


@pytest.mark.parametrize("step", ["before write_flush", "before compact", "before scrub_memory"])
def test_an_erasure_that_cannot_write_is_in_force_and_completed_later(
    harness: StoreHarness, step: str
) -> None:
    write_everywhere(harness)

    def fail(at: str) -> None:
        if at == step:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(harness.directory))

    with intercept_steps(harness, fail), pytest.raises(StoreReadOnlyError) as raised:
        erase(harness.store)
    assert str(harness.directory) not in str(raised.value)
    assert "erasure 1 is in force for all writes, but not complete" in str(raised.value)
    assert NUMBER not in str(raised.value)
    assert raised.value.metadata["erasure_id"] == "1"
    [erasure] = harness.store.erasures()
    assert not erasure.is_complete
    write(harness.store, finished("late", orig_src_party_id=NUMBER))
    harness.maintain()
    assert_complete(harness.store, harness.directory)


@pytest.mark.parametrize(
    ("step", "is_begun"), [("before count_parties", False), ("before count_scrubbed_rows", True)]
)
def test_a_cancelled_erasure_did_not_begin_or_goes_on(
    harness: StoreHarness, step: str, is_begun: bool
) -> None:
    write_everywhere(harness)
    token = CancelToken(None)

    def cancel(at: str) -> None:
        if at == step:
            token.cancel()

    with intercept_steps(harness, cancel), pytest.raises(CancelledError) as raised:
        harness.store.erase([NUMBER], token)
    assert ("erasure 1 is in force" in str(raised.value)) == is_begun
    assert raised.value.metadata == ({"erasure_id": "1"} if is_begun else {})
    assert len(harness.store.erasures()) == is_begun
    if is_begun:
        harness.maintain()
        assert_complete(harness.store, harness.directory)


def test_a_deadline_is_told_apart(harness: StoreHarness) -> None:
    write_everywhere(harness)
    with pytest.raises(DeadlineError):
        harness.store.erase([NUMBER], CancelToken(0))
    assert harness.store.erasures() == []


def test_a_backup_in_progress_keeps_files_until_its_end(
    harness: StoreHarness, caplog: pytest.LogCaptureFixture
) -> None:
    write_everywhere(harness)
    with reading(harness.directory):
        erase(harness.store)
        assert "a backup or an export in progress keeps files" in caplog.text
        assert files_with(harness.directory) != {}
        assert numbers(harness.store) == {OTHER}
    harness.maintain()
    assert_complete(harness.store, harness.directory)


def test_a_backup_and_an_export_are_held_to_the_erasure(harness: StoreHarness, tmp_path: Path) -> None:
    write_everywhere(harness)
    copies: list[Path] = []

    def copy(step: str) -> None:
        if step == "before count_scrubbed_rows" and not copies:
            copies.append(tmp_path / "backup")
            back_up(harness.directory, copies[0])
            piece = open_snapshot(harness.directory, MANUAL_MAINTENANCE).export(0, 2**62, None, 1_000)
            assert piece is not None
            assert not any(form.encode() in piece.stream for form in FORMS)

    with intercept_steps(harness, copy):
        erase(harness.store)
    [backup] = copies
    # It was made before the files were rewritten. Its owner completes the erasure, with the same key.
    assert files_with(backup) != {}
    with closing(EmbeddedStore(backup, MANUAL_MAINTENANCE)) as store:
        write(store, finished("late", orig_src_party_id=NUMBER))
        store.maintain()
        assert_complete(store, backup)


def test_a_damaged_segment_is_named_and_the_others_are_erased(
    harness: StoreHarness, caplog: pytest.LogCaptureFixture
) -> None:
    write_everywhere(harness)
    erase(harness.store, "+1 555 0100")
    harness.store.close()
    path = harness.segment()
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-9])
    harness.store = harness.open()
    with pytest.raises(DataDamagedError, match=path.name):
        erase(harness.store)
    assert len(harness.store.erasures()) == 1


def test_a_segment_that_is_damaged_meanwhile_keeps_the_erasure_incomplete(
    harness: StoreHarness, caplog: pytest.LogCaptureFixture
) -> None:
    write_everywhere(harness)
    damaged = harness.segment()

    def damage(step: str) -> None:
        if step == "before count_scrubbed_rows" and damaged.exists():
            damaged.chmod(0o600)
            damaged.write_bytes(damaged.read_bytes()[:-9])

    with intercept_steps(harness, damage), pytest.raises(DataDamagedError, match=damaged.name) as raised:
        erase(harness.store)
    assert "erasure 1 is in force" in str(raised.value)
    assert raised.value.metadata["erasure_id"] == "1"
    name = damaged.relative_to(harness.directory).as_posix()
    assert f"{name} is damaged: numbers of parties in it can be neither erased nor masked" in caplog.text
    assert {each.is_complete for each in harness.store.erasures()} == {False}
    # The other day is done, and what is left is in the damaged file alone.
    assert files_with(harness.directory).keys() <= {name}


def test_an_erasure_and_a_deletion_do_not_disturb_each_other(harness: StoreHarness) -> None:
    write_everywhere(harness)
    count = len(session_ids(harness.store))
    threads = [
        threading.Thread(target=lambda: erase(harness.store)),
        threading.Thread(
            target=lambda: harness.store.delete(Deletion(session_ids=("segment 0", "live 1")), NO_LIMIT)
        ),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    harness.maintain()
    assert_complete(harness.store, harness.directory)
    assert len(session_ids(harness.store)) == count - 2


def test_a_check_finds_a_number_that_should_be_erased(harness: StoreHarness) -> None:
    write(harness.store, finished("a", orig_src_party_id=NUMBER))
    harness.flush()
    harness.store.close()
    name = harness.segment().relative_to(harness.directory).as_posix()
    key = b"0123456789abcdef"
    with closing(Catalog(harness.directory)) as catalog, catalog.transaction() as db:
        put_row(db, "erasures", 1, party_digest(key, NUMBER), 1, 0, 1, 1)
        put_row(db, "settings", ERASURE_KEY, key)
    assert check(harness.directory, MANUAL_MAINTENANCE).problems == []
    with closing(Catalog(harness.directory)) as catalog, catalog.transaction() as db:
        put_row(db, "scrubbed", name, 1, None)
    [problem] = check(harness.directory, MANUAL_MAINTENANCE).problems
    assert f"{name}: 1 records have an erased number" in problem
    harness.store = harness.open()


def test_a_compaction_of_scrubbed_segments_is_not_scrubbed_again(tmp_path: Path) -> None:
    config = Config(maintenance_seconds=3_600.0, seal_row_count=1)
    with StoreHarness(tmp_path / "data", config) as harness:
        erase(harness.store)
        for number in range(5):
            write(harness.store, finished(f"a {number}", orig_src_party_id=FORMS[number]))
            harness.flush()
        seen: list[str] = []
        with intercept_steps(harness, seen.append):
            harness.maintain()
        assert "before compact" in seen
        assert "before count_scrubbed_rows" not in seen
        assert_nothing_waits(harness)


def assert_nothing_waits(harness: StoreHarness) -> None:
    assert files_with(harness.directory) == {}
    assert all(each.is_complete for each in harness.store.erasures())


def test_the_log_has_no_number(harness: StoreHarness, caplog: pytest.LogCaptureFixture) -> None:
    write_everywhere(harness)
    with caplog.at_level(logging.DEBUG):
        erase(harness.store)
        harness.store.lift_erasure(1, NO_LIMIT)
    assert "erasure 1 erased 1 numbers" in caplog.text
    assert "23125" not in caplog.text
