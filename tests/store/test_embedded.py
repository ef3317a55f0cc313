"""The embedded store: what is acknowledged stays, once, through seals, reopening and kills."""

import contextlib
import itertools
import random
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.config import Config
from pegcount.errors import DataDamagedError, NotFoundError
from pegcount.model import Between, CodeDeckEntry, OneOf, Present, StoreInfo
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2

from store.holding import DAY_S, SETUP_S, Reopening, active, finished, names, rows, write

Record = records_pb2.SessionRecord
END = records_pb2.SESSION_EVENT_END
UPDATE = records_pb2.SESSION_EVENT_UPDATE


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Reopening]:
    with Reopening(tmp_path / "store", Config()) as reopening:
        yield reopening


def files(directory: Path) -> list[str]:
    """Segments, snapshots, and whatever else stands beside them."""
    found = [*directory.glob("segments/*/*"), *directory.glob("active/*")]
    return sorted(path.relative_to(directory).as_posix() for path in found)


STEPS: dict[str, Callable[[Reopening], None]] = {
    "-": lambda _: None,
    "reopen": Reopening.reopen,
    "seal": Reopening.seal,
    "seal and reopen": Reopening.seal_and_reopen,
}

BATCHES: list[list[Record]] = [
    [finished("f1", agent_id="7"), finished("f2", SETUP_S - DAY_S), active("a1"), active("a2", agent_id="9")],
    [
        finished("f1", revision=1, folder="later"),
        Record(
            session_id="a1",
            setup_time=Timestamp(seconds=SETUP_S),
            event=END,
            end_time=Timestamp(seconds=SETUP_S + 5),
        ),
        active("a3"),
        finished("f2", SETUP_S - DAY_S),
    ],
    [
        finished("f1", agent_id="7"),
        finished("f2", SETUP_S - DAY_S, revision=-1, orig_clients_name="of an older version"),
        Record(
            session_id="a2",
            setup_time=Timestamp(seconds=SETUP_S),
            event=UPDATE,
            answer_time=Timestamp(seconds=SETUP_S + 3),
        ),
    ],
]


@pytest.mark.parametrize("steps", list(itertools.product(STEPS, repeat=3)), ids=", ".join)
def test_what_was_written_is_there_whatever_comes_between(steps: tuple[str, ...], held: Reopening) -> None:
    outcomes = []
    for step, records in zip(steps, BATCHES, strict=True):
        outcomes.append(write(held.store, *records))
        STEPS[step](held)
    assert outcomes == [(4, 0, 0), (1, 2, 1), (0, 2, 1)]
    fields = ("session_id", "session_setup_time", "session_start_time", "orig_clients_name")
    found = {
        row.session_id: (row.session_setup_time, row.session_start_time, row.orig_clients_name, row.quantity)
        for row in rows(held.store, *fields)
    }
    assert found == {
        "f1": ("2026-03-29T08:00:00Z", "2026-03-29T08:00:10Z", "", 1),
        "f2": ("2026-03-28T08:00:00Z", "2026-03-28T08:00:10Z", "of an older version", 1),
        "a1": ("2026-03-29T08:00:00Z", "", "", 1),
        "a2": ("2026-03-29T08:00:00Z", "2026-03-29T08:00:03Z", "", 1),
        "a3": ("2026-03-29T08:00:00Z", "", "", 1),
    }
    assert names(held.store, [Present("end_time", wanted=False)]) == ["a2", "a3"]
    assert names(held.store, [OneOf("agent_id", ("7", "9"))]) == ["a2", "f1"]
    assert names(held.store, [OneOf("folder", ("later",))]) == ["f1"]
    assert held.store.info().records == 5
    assert held.store.first_setup_us() == (SETUP_S - DAY_S) * 1_000_000


def test_a_seal_leaves_only_active_sessions_in_memory(held: Reopening) -> None:
    write(held.store, finished("f1"), finished("f2", SETUP_S + DAY_S), active("a1"))
    assert (held.store.info().unsealed_records, held.store.info().segments) == (3, 0)
    held.seal()
    expected = [
        "active/00000001.arrow",
        "segments/2026-03-29/00000001.arrow",
        "segments/2026-03-30/00000001.arrow",
    ]
    for _ in range(2):
        size = sum((held.directory / name).stat().st_size for name in expected[1:])
        range_us = (SETUP_S * 1_000_000, (SETUP_S + DAY_S) * 1_000_000)
        assert held.store.info() == StoreInfo(3, 1, 2, size, *range_us)
        assert files(held.directory) == expected
        held.reopen()
    with contextlib.closing(sqlite3.connect(held.directory / "catalog.db")) as catalog:
        assert catalog.execute("SELECT count(*) FROM journal").fetchone() == (0,)


def test_a_seal_of_nothing_changes_nothing(held: Reopening) -> None:
    for _ in range(3):
        held.seal_and_reopen()
        assert (held.store.info(), files(held.directory)) == (StoreInfo(0, 0, 0, 0, None, None), [])


def test_a_snapshot_goes_when_its_sessions_have_ended(held: Reopening) -> None:
    write(held.store, active("a1"))
    held.seal_and_reopen()
    assert files(held.directory) == ["active/00000001.arrow"]
    write(held.store, finished("a1"))
    held.seal_and_reopen()
    assert files(held.directory) == ["segments/2026-03-29/00000002.arrow"]
    assert names(held.store) == ["a1"]


def test_a_full_memory_is_sealed_by_itself(tmp_path: Path) -> None:
    with Reopening(tmp_path, Config(seal_row_count=3)) as held:
        write(held.store, finished("f1"), finished("f2"), active("a1"), active("a2"))
        assert held.store.info().segments == 0
        write(held.store, finished("f3"))
        assert (held.store.info().segments, held.store.info().unsealed_records) == (1, 2)
        held.reopen()
        assert names(held.store) == ["a1", "a2", "f1", "f2", "f3"]


@pytest.mark.parametrize("step", STEPS)
def test_active_sessions_keep_when_they_were_last_heard_of(step: str, held: Reopening) -> None:
    before_us = time.time_ns() // 1_000
    write(held.store, active("a1"), active("a2"))
    between_us = time.time_ns() // 1_000
    write(held.store, active("a2", revision=1, folder="x"), active("a1"))
    after_us = time.time_ns() // 1_000
    STEPS[step](held)
    assert names(held.store, [Between("received_time", before_us, after_us)]) == ["a1", "a2"]
    # A record without effect is no sign of life: it may be a replay.
    assert names(held.store, [Between("received_time", before_us, between_us)]) == ["a1"]
    assert names(held.store, [Between("received_time", after_us + 1, 2**63 - 1)]) == []


@pytest.mark.parametrize("steps", list(itertools.product(STEPS, repeat=2)), ids=", ".join)
def test_replaced_rows_of_segments_stay_replaced(steps: tuple[str, str], held: Reopening) -> None:
    records = [finished(f"f{i}") for i in range(130)]
    write(held.store, *records)
    held.seal()
    replaced = [finished(f"f{i}", revision=1, folder="new") for i in (0, 63, 64, 129)]
    assert write(held.store, *replaced) == (0, 4, 0)
    STEPS[steps[0]](held)
    assert write(held.store, finished("f1", revision=1, folder="new")) == (0, 1, 0)
    STEPS[steps[1]](held)
    assert sorted(names(held.store)) == sorted(record.session_id for record in records)
    assert names(held.store, [OneOf("folder", ("new",))]) == ["f0", "f1", "f129", "f63", "f64"]
    assert held.store.info().records == 130
    assert write(held.store, *records, *replaced) == (0, 0, 134)


@pytest.mark.parametrize("at", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999999])
@pytest.mark.parametrize("folder", ["segments/2026-03-29", "active"])
def test_one_wrong_bit_in_a_segment_is_found(folder: str, at: float, held: Reopening) -> None:
    write(held.store, finished("f1"), active("a1"))
    held.seal()
    path = held.directory / folder / "00000001.arrow"
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 0x10
    path.write_bytes(content)
    check_damaged(held, path)


@pytest.mark.parametrize("folder", ["segments/2026-03-29", "active"])
@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "missing"])
def test_a_segment_of_another_length_is_found(folder: str, damage: str, held: Reopening) -> None:
    write(held.store, finished("f1"), active("a1"))
    held.seal()
    path = held.directory / folder / "00000001.arrow"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": content[:-1], "longer": content + b"\0", "empty": b""}[damage])
    check_damaged(held, path)


def check_damaged(held: Reopening, path: Path) -> None:
    """Checks that the store does not open and names the file, and that the directory is free again."""
    beside = files(held.directory)
    for _ in range(2):
        with pytest.raises(DataDamagedError) as raised:
            held.reopen()
        assert raised.value.metadata == {"file": str(path)}
        assert str(path) in str(raised.value)
    assert files(held.directory) == beside


def test_a_damaged_journal_row_is_found(held: Reopening) -> None:
    write(held.store, finished("f1"))
    write(held.store, finished("f2"))
    path = held.directory / "catalog.db"
    with contextlib.closing(sqlite3.connect(path)) as catalog, catalog:
        catalog.execute("UPDATE journal SET batch = x'00' WHERE id = 2")
    with pytest.raises(DataDamagedError, match="journal row 2 fails its checksum") as raised:
        held.reopen()
    assert raised.value.metadata == {"file": str(path)}


def test_what_a_crash_left_behind_is_removed(held: Reopening) -> None:
    write(held.store, finished("f1"), active("a1"))
    held.seal()
    known = files(held.directory)
    (held.directory / "segments" / "2026-03-30").mkdir()
    for name in (
        "segments/2026-03-29/00000002.arrow",
        "segments/2026-03-29/00000002.tmp",
        "segments/2026-03-30/00000002.tmp",
        "active/00000002.arrow",
        "active/00000002.tmp",
    ):
        (held.directory / name).write_bytes(b"half a file")
    held.reopen()
    assert files(held.directory) == known
    assert sorted(names(held.store)) == ["a1", "f1"]


class CrashError(Exception):
    """Stands for the end of the process."""


def crash(*_: object) -> None:
    raise CrashError


def test_a_crash_between_the_files_and_the_commit(held: Reopening, monkeypatch: pytest.MonkeyPatch) -> None:
    write(held.store, finished("f1"), active("a1"))
    held.seal()
    known = files(held.directory)
    write(held.store, finished("f2"), finished("a1"), finished("f1", revision=1, folder="new"), active("a2"))
    with monkeypatch.context() as patch:
        patch.setattr(held.store._catalog, "commit_seal", crash)
        with pytest.raises(CrashError):
            held.seal()
    assert len(files(held.directory)) == len(known) + 2
    held.reopen()
    assert files(held.directory) == known
    check_after_crash(held)


def test_a_seal_that_could_not_be_committed_is_made_again(
    held: Reopening, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(held.store, finished("f2"), finished("a1"), finished("f1", folder="new"), active("a2"))
    with monkeypatch.context() as patch:
        patch.setattr(held.store._catalog, "commit_seal", crash)
        with pytest.raises(CrashError):
            held.seal()
    check_after_crash(held)


class FailingAdopt:
    """The core's store, but that it cannot open what a seal wrote, as when files are too many."""

    def __init__(self, columns: core.Store) -> None:
        self._columns = columns

    def __getattr__(self, name: str) -> Any:
        return crash if name == "adopt" else getattr(self._columns, name)


def test_a_crash_right_after_the_commit(held: Reopening, monkeypatch: pytest.MonkeyPatch) -> None:
    write(held.store, finished("f1"), active("a1"))
    held.seal()
    write(held.store, finished("f2"), finished("a1"), finished("f1", revision=1, folder="new"), active("a2"))
    monkeypatch.setattr(held.store, "_columns", FailingAdopt(held.store._columns))
    with pytest.raises(CrashError):
        held.seal()
    held.reopen()
    check_after_crash(held)


def check_after_crash(held: Reopening) -> None:
    """Checks that each record is held once, now, after a seal and after opening again."""
    for step in ("-", "seal", "reopen", "seal and reopen"):
        STEPS[step](held)
        assert sorted(names(held.store)) == ["a1", "a2", "f1", "f2"]
        assert names(held.store, [OneOf("folder", ("new",))]) == ["f1"]
        assert names(held.store, [Present("end_time", wanted=False)]) == ["a2"]


@pytest.mark.parametrize("room", [0, 4_096, 20_000, 60_000])
def test_a_disk_that_fills_up_and_is_cleared(room: int, held: Reopening) -> None:
    """Stands for it: a limit on the size of files, which SQLite and the segments meet alike."""
    write(held.store, finished("first"))
    log = held.directory / "catalog.db-wal"
    acknowledged, refused = ["first"], 0
    with file_size_limit(log.stat().st_size + room):
        for i in range(8):
            records = [finished(f"{i}/{j}", agent_id=f"{random.random()}") for j in range(60)]
            try:
                write(held.store, *records)
                acknowledged += [record.session_id for record in records]
            except sqlite3.Error:
                refused += 1
        with pytest.raises((OSError, sqlite3.Error)):
            held.seal()
    assert refused
    assert sorted(names(held.store)) == sorted(acknowledged)
    assert write(held.store, finished("last")) == (1, 0, 0)
    held.seal_and_reopen()
    assert sorted(names(held.store)) == sorted([*acknowledged, "last"])


@contextlib.contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_code_decks_survive(held: Reopening) -> None:
    entries = [CodeDeckEntry("49", "Germany", "DE"), CodeDeckEntry("4930", "Berlin", "")]
    held.store.put_code_deck(2, entries[:1])
    held.store.put_code_deck(1, entries[:1])
    held.store.put_code_deck(1, entries)
    write(held.store, finished("f1", orig_dst_party_id="+4930123"), finished("f2", orig_dst_party_id="1"))
    for step in STEPS.values():
        step(held)
        assert held.store.code_decks() == {1: 2, 2: 1}
        assert rates(held.store, 1) == {"4930", ""}
        assert rates(held.store, 2) == {"49", ""}
        with pytest.raises(NotFoundError):
            rates(held.store, 3)


def rates(store: EmbeddedStore, deck: int) -> set[str]:
    """Rate codes of all records according to a code deck, "" where there is none."""
    return {row.orig_rates_code for row in rows(store, "orig_rates_code", code_deck=deck)}
