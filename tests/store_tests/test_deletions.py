"""Deletions: the records leave every report for good, all of them or none, and later ones are rejected."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.errors import (
    CancelledError,
    DataDamagedError,
    DeletionLimitError,
    NotFoundError,
    StoreReadOnlyError,
)
from pegcount.model import Deletion, DeletionOutcome
from pegcount.store import EmbeddedStore
from pegcount.store.catalog_rows import stored_digest
from pegcount.store.check import check
from pegcount.store.snapshot import back_up
from pegcount.v1 import records_pb2

from store_tests.empty_store import harness
from store_tests.steps import intercept_steps
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

DELETED = records_pb2.REJECT_REASON_DELETED
US = 1_000_000


def delete(store: EmbeddedStore, **what: Any) -> DeletionOutcome:
    return store.delete(Deletion(**what), NO_LIMIT)


def rejected(store: EmbeddedStore, *records: records_pb2.SessionRecord) -> list[int]:
    """Writes a batch, and returns the indexes of the records that are rejected as deleted."""
    outcome = store.write(batch(*records))
    assert {each.reason for each in outcome.rejected} <= {DELETED}
    return [each.index for each in outcome.rejected]


def write_everywhere(harness: StoreHarness) -> None:
    """Has records of two sources in segments of three days, in memory, and active."""
    for name in ("segment", "memory"):
        for day in range(3):
            for source in ("a", "b"):
                write(harness.store, finished(f"{name} {day}", SETUP_S - day * DAY_S, source=source))
                write(harness.store, active(f"active {name} {day}", SETUP_S - day * DAY_S, source=source))
        if name == "segment":
            harness.flush()


def counts(store: EmbeddedStore) -> dict[str, int]:
    """Returns the number of records of each source, after a look at the other ways to count them."""
    found = {row.session_id: row.quantity for row in rows(store, "session_id")}
    assert store.info().records == sum(found.values())
    return {
        source: sum(store.count_matching(Deletion(source, session_ids=(name,)), NO_LIMIT) for name in found)
        for source in ("a", "b")
    }


@pytest.mark.parametrize("is_reopened", [False, True])
def test_records_are_deleted_wherever_they_are(harness: StoreHarness, is_reopened: bool) -> None:
    write_everywhere(harness)
    assert counts(harness.store) == {"a": 12, "b": 12}
    assert harness.store.count_matching(Deletion("a"), NO_LIMIT) == 12
    assert delete(harness.store, source="a") == DeletionOutcome(12, 1)
    if is_reopened:
        harness.reopen()
    assert counts(harness.store) == {"a": 0, "b": 12}
    late = [finished(f"active memory {day}", SETUP_S - day * DAY_S, source="a") for day in range(3)]
    assert rejected(harness.store, *late, finished("new", source="a"), finished("new", source="b")) == [
        0,
        1,
        2,
        3,
    ]
    assert counts(harness.store) == {"a": 0, "b": 13}
    harness.maintain()
    harness.flush_and_reopen()
    assert counts(harness.store) == {"a": 0, "b": 13}


def test_a_deletion_covers_what_satisfies_all_that_is_set(harness: StoreHarness) -> None:
    write_everywhere(harness)
    yesterday = (SETUP_S - DAY_S) * US
    assert (
        delete(harness.store, from_us=yesterday, to_us=yesterday + 1, session_ids=("segment 1", "x")).deleted
        == 2
    )
    assert delete(harness.store, from_us=yesterday + 1, to_us=SETUP_S * US).deleted == 0
    assert delete(harness.store, to_us=yesterday, source="b").deleted == 4
    assert delete(harness.store, session_ids=("segment 0", "active memory 0")).deleted == 4
    assert counts(harness.store) == {"a": 9, "b": 5}
    assert delete(harness.store).deleted == 14
    assert session_ids(harness.store) == []
    assert harness.store.first_day() is None
    assert rejected(harness.store, finished("other", source="c")) == [0]


def test_a_record_is_looked_for_by_what_was_merged(harness: StoreHarness) -> None:
    """The one with the higher revision says when the call was set up."""
    write(harness.store, finished("moved", SETUP_S - 100, revision=1))
    write(harness.store, finished("moved", SETUP_S, revision=2))
    assert delete(harness.store, to_us=SETUP_S * US).deleted == 0
    assert delete(harness.store, to_us=SETUP_S * US + 1, once=True).deleted == 1
    # A version from outside the rule begins a new record, and nothing of the old one comes back.
    assert write(harness.store, active("moved", SETUP_S + 5)) == (1, 0, 0)
    harness.reopen()
    assert [row.session_start_time for row in rows(harness.store, "session_start_time")] == [""]


def test_many_session_ids_are_found_in_large_segments(harness: StoreHarness) -> None:
    names = [f"call {number}" for number in range(2_000)]
    write(harness.store, *(finished(name, source="a") for name in names))
    write(harness.store, *(finished(name, source="b") for name in names))
    harness.flush()
    assert delete(harness.store, source="a", session_ids=tuple(names[:10])).deleted == 10
    assert delete(harness.store, source="a", session_ids=tuple(names[5:1_000])).deleted == 990
    assert delete(harness.store, session_ids=tuple(names[990:1_010])).deleted == 30
    assert sorted(session_ids(harness.store)) == sorted([*names[1_010:], *names[:990], *names[1_010:]])
    assert rejected(harness.store, *(finished(name, source="b") for name in names)) == list(range(990, 1_010))


def test_a_rule_rejects_until_it_is_lifted(harness: StoreHarness) -> None:
    write(harness.store, finished("one"))
    rule_id = delete(harness.store, session_ids=("one",)).rule_id
    assert rule_id == 1
    outcome = harness.store.write(batch(finished("one"), finished("two")))
    assert [(each.index, each.reason) for each in outcome.rejected] == [(0, DELETED)]
    assert outcome.rejected[0].description.startswith("rule 1 of a deletion covers the record; LiftDeletion")
    harness.store.lift_deletion(1, NO_LIMIT)
    assert session_ids(harness.store) == ["two"]
    assert write(harness.store, finished("one")) == (1, 0, 0)
    with pytest.raises(NotFoundError, match="no deletion has the number 1"):
        harness.store.lift_deletion(1, NO_LIMIT)
    harness.reopen()
    assert harness.store.deletions() == []
    assert delete(harness.store, source="x").rule_id == 2


def test_a_deletion_of_once_keeps_no_rule(harness: StoreHarness) -> None:
    write(harness.store, finished("one"), active("two"))
    assert delete(harness.store, once=True) == DeletionOutcome(2, None)
    assert harness.store.deletions() == []
    assert write(harness.store, finished("one"), active("two")) == (2, 0, 0)
    harness.reopen_after_kill()
    assert sorted(session_ids(harness.store)) == ["one", "two"]


def test_rules_are_listed_without_their_ids(harness: StoreHarness) -> None:
    write(harness.store, finished("one"))
    delete(harness.store, session_ids=("one", "x"), source="", from_us=5, to_us=SETUP_S * US + 1)
    delete(harness.store, source="other")
    for _ in range(2):
        first, second = harness.store.deletions()
        assert (first.rule_id, first.source, first.from_us, first.to_us) == (1, "", 5, SETUP_S * US + 1)
        assert (first.session_id_count, first.session_ids, first.deleted) == (2, (), 1)
        assert first.create_us == harness.now_us
        assert (second.rule_id, second.source, second.session_id_count, second.deleted) == (
            2,
            "other",
            None,
            0,
        )
        assert harness.store.deletion(1).session_ids == ("one", "x")
        harness.reopen()
    with pytest.raises(NotFoundError):
        harness.store.deletion(3)


def test_limits_of_the_rules_name_the_way_out(tmp_path: Path) -> None:
    config = Config(maintenance_seconds=3_600.0, deletion_count_max=2, deletion_session_id_total_max=3)
    with StoreHarness(tmp_path / "data", config) as harness:
        delete(harness.store, session_ids=("a", "b"))
        with pytest.raises(
            DeletionLimitError, match=r"4 session ids in all rules; 3 are allowed .*LiftDeletion"
        ):
            delete(harness.store, session_ids=("c", "d"))
        delete(harness.store, source="x")
        with pytest.raises(DeletionLimitError, match=r"3 rules; 2 are allowed .*LiftDeletion"):
            delete(harness.store, source="y")
        assert delete(harness.store, source="y", once=True).rule_id is None
        harness.store.lift_deletion(1, NO_LIMIT)
        assert delete(harness.store, source="y").rule_id == 3


def test_a_damaged_segment_in_the_range_ends_a_deletion_before_it_changes_anything(
    harness: StoreHarness,
) -> None:
    for day in range(2):
        write(
            harness.store,
            finished(f"day {day}", SETUP_S - day * DAY_S),
            active(f"live {day}", SETUP_S - day * DAY_S),
        )
        harness.flush()
    harness.store.close()
    path = harness.segment()
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-9])
    harness.store = harness.open()
    with pytest.raises(DataDamagedError, match=rf"segments/2026-03-29/{path.name}"):
        delete(harness.store)
    assert harness.store.deletions() == []
    assert write(harness.store, active("live 1", SETUP_S - DAY_S)) == (0, 0, 1)
    assert delete(harness.store, to_us=(SETUP_S - DAY_S) * US + 1).deleted == 2


def test_no_batch_is_lost_after_a_deletion_that_failed_and_is_durable(
    harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(harness.store, active("a", orig_clients_name="client"))
    ended = active("a", end_time=Timestamp(seconds=SETUP_S + 70))
    catalog, aside = harness.directory / "catalog.db", harness.directory / "aside.db"

    def digest(db: sqlite3.Connection) -> int | None:
        # Within the transaction: it is committed to the file, of which then nobody knows where it is.
        if catalog.exists():
            catalog.rename(aside)
        return stored_digest(db)

    with monkeypatch.context() as patched:
        patched.setattr("pegcount.store.catalog.stored_digest", digest)
        with pytest.raises(StoreReadOnlyError):
            delete(harness.store)
    aside.rename(catalog)
    assert harness.store.write_fault is not None
    harness.maintain()
    assert write(harness.store, ended) == (0, 1, 0)
    harness.reopen_after_kill()
    assert harness.store.deletions() == []
    assert [row.orig_clients_name for row in rows(harness.store, "orig_clients_name")] == ["client"]


def test_a_cancelled_deletion_changes_nothing(harness: StoreHarness) -> None:
    write_everywhere(harness)
    token = CancelToken(None)
    cancelled = {"before find_deleted": False, "after write_active_snapshot": False}
    for step in cancelled:
        token = CancelToken(None)

        def cancel(at: str, step: str = step, token: CancelToken = token) -> None:
            if at == step:
                cancelled[step] = True
                token.cancel()

        with intercept_steps(harness, cancel), pytest.raises(CancelledError):
            harness.store.delete(Deletion("a"), token)
    assert all(cancelled.values())
    assert counts(harness.store) == {"a": 12, "b": 12}
    assert rejected(harness.store, finished("new", source="a")) == []
    harness.reopen()
    assert counts(harness.store) == {"a": 13, "b": 12}


@pytest.mark.parametrize("once", [False, True])
def test_a_crash_at_any_step_leaves_all_or_nothing(harness: StoreHarness, tmp_path: Path, once: bool) -> None:
    write_everywhere(harness)
    write(
        harness.store,
        finished("segment 0", source="b", revision=9),
        active("segment 1", SETUP_S - DAY_S, source="b", revision=9),
    )
    copies: list[Path] = []

    def copy(step: str) -> None:
        copies.append(Path(shutil.copytree(harness.directory, tmp_path / f"{len(copies)} {step}")))

    with intercept_steps(harness, copy):
        delete(harness.store, source="a", once=once)
    steps = [path.name.partition(" ")[2] for path in copies]
    begin, end = steps.index("before commit_segments"), steps.index("after commit_segments")
    for number, path in enumerate(copies):
        with closing(EmbeddedStore(path, MANUAL_MAINTENANCE)) as store:
            found = counts(store)
            is_deleted = found["a"] == 0
            assert found == {"a": 0 if is_deleted else 12, "b": 12}, path.name
            assert is_deleted or number < end, path.name
            assert not is_deleted or number > begin, path.name
            is_rejected = rejected(store, finished("new", source="a")) == [0]
            assert is_rejected == (is_deleted and not once), path.name
        assert check(path, MANUAL_MAINTENANCE).problems == []


def test_versions_that_come_during_a_deletion_bring_nothing_back(harness: StoreHarness) -> None:
    """At each step, other ones of the deleted records get a version from outside the range."""
    begin = SETUP_S + 1_000
    write(harness.store, *(finished(f"flushed {number}", begin) for number in range(60)))
    write(harness.store, finished("other", SETUP_S))
    harness.flush()
    write(harness.store, *(finished(f"memory {number}", begin) for number in range(60)))
    write(harness.store, *(active(f"active {number}", begin) for number in range(60)))
    write(harness.store, active("kept", SETUP_S))
    at_work: list[str] = []
    is_nested: list[str] = []

    def send(step: str) -> None:
        if (
            is_nested
            or step == "before use_deletions"
            or step.endswith(("commit_group", "wait_for_response"))
        ):
            return
        is_nested.append(step)
        number = len(at_work)
        names = [f"{kind} {number}" for kind in ("flushed", "memory", "active")]
        late = [finished(name, SETUP_S - 5 - number) for name in names]
        outcome = harness.store.write(
            batch(*late, finished("kept", SETUP_S), active(f"new {number}", SETUP_S))
        )
        if [each.index for each in outcome.rejected] == [0, 1, 2]:
            at_work.append(step)
        is_nested.clear()

    with intercept_steps(harness, send):
        outcome = delete(harness.store, from_us=begin * US, to_us=(begin + 1) * US, once=True)
    assert len(at_work) > 6
    assert outcome.deleted == 180
    for _ in range(2):
        found = [name for name in session_ids(harness.store) if not name.startswith("new ")]
        late = [name for name in found if name not in ("kept", "other")]
        # Those that came after its end begin new records.
        assert len(late) <= 3
        assert [name for name in found if name in ("kept", "other")] == ["kept", "other"]
        harness.reopen_after_kill()


def test_a_backup_has_the_rules_and_a_check_reads_them(harness: StoreHarness, tmp_path: Path) -> None:
    write_everywhere(harness)
    delete(harness.store, source="a", session_ids=("segment 1", "memory 1"))
    back_up(harness.directory, tmp_path / "backup")
    harness.store.close()
    assert check(harness.directory, MANUAL_MAINTENANCE).records == 22
    harness.directory = tmp_path / "backup"
    assert check(harness.directory, MANUAL_MAINTENANCE).records == 22
    harness.store = harness.open()
    assert rejected(harness.store, finished("segment 1", SETUP_S, source="a")) == [0]
    assert counts(harness.store) == {"a": 10, "b": 12}


def test_a_compaction_drops_deleted_rows_from_the_disk(harness: StoreHarness) -> None:
    write(harness.store, *(finished(f"gone {number}") for number in range(30)))
    write(harness.store, *(finished(f"kept {number}") for number in range(30)))
    harness.flush()
    delete(harness.store, session_ids=tuple(f"gone {number}" for number in range(30)))
    harness.maintain()
    assert b"gone 7" not in harness.segment().read_bytes()
    assert len(session_ids(harness.store)) == 30
    delete(harness.store)
    harness.maintain()
    assert harness.files() == []
