"""The embedded store: acknowledged records survive flushes and reopening, each exactly once."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import seeds
from decks import deck_of
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.errors import NotFoundError, PegcountError, StoreReadOnlyError
from pegcount.model import Between, Measure, OneOf, Present, Scan, StoreInfo
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2

from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    NOW_US,
    SETUP_S,
    StoreHarness,
    active,
    file_size_limit,
    finished,
    rows,
    session_ids,
    write,
)

Record = records_pb2.SessionRecord
END = records_pb2.SESSION_EVENT_END
UPDATE = records_pb2.SESSION_EVENT_UPDATE


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        yield harness


STEPS: dict[str, Callable[[StoreHarness], None]] = {
    "-": lambda _: None,
    "reopen": StoreHarness.reopen,
    "flush": StoreHarness.flush,
    "flush and reopen": StoreHarness.flush_and_reopen,
    "flush without active snapshot": StoreHarness.flush_without_active_snapshot,
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
def test_records_survive_any_sequence_of_flushes_and_reopens(
    steps: tuple[str, ...], harness: StoreHarness
) -> None:
    outcomes = []
    for step, records in zip(steps, BATCHES, strict=True):
        outcomes.append(write(harness.store, *records))
        STEPS[step](harness)
    assert outcomes == [(4, 0, 0), (1, 2, 1), (0, 2, 1)]
    fields = ("session_id", "session_setup_time", "session_start_time", "orig_clients_name")
    found = {
        row.session_id: (row.session_setup_time, row.session_start_time, row.orig_clients_name, row.quantity)
        for row in rows(harness.store, *fields)
    }
    assert found == {
        "f1": ("2026-03-29T08:00:00Z", "2026-03-29T08:00:10Z", "", 1),
        "f2": ("2026-03-28T08:00:00Z", "2026-03-28T08:00:10Z", "of an older version", 1),
        "a1": ("2026-03-29T08:00:00Z", "", "", 1),
        "a2": ("2026-03-29T08:00:00Z", "2026-03-29T08:00:03Z", "", 1),
        "a3": ("2026-03-29T08:00:00Z", "", "", 1),
    }
    assert session_ids(harness.store, [Present("end_time", wanted=False)]) == ["a2", "a3"]
    assert session_ids(harness.store, [OneOf("agent_id", ("7", "9"))]) == ["a2", "f1"]
    assert session_ids(harness.store, [OneOf("folder", ("later",))]) == ["f1"]
    assert harness.store.info().records == 5
    assert harness.store.first_day() == (SETUP_S - DAY_S) // DAY_S
    info = harness.store.info()
    assert (info.first_setup_us, info.last_setup_us) == ((SETUP_S - DAY_S) * 1_000_000, SETUP_S * 1_000_000)


def test_a_flush_leaves_only_active_sessions_in_memory(harness: StoreHarness) -> None:
    write(harness.store, finished("f1"), finished("f2", SETUP_S + DAY_S), active("a1"))
    assert (harness.store.info().unsealed_records, harness.store.info().segments) == (3, 0)
    harness.flush()
    copied, first, second = known = harness.files()
    assert [Path(name).parent.as_posix() for name in known] == [
        "active",
        "segments/2026-03-29",
        "segments/2026-03-30",
    ]
    for _ in range(2):
        size = sum((harness.directory / name).stat().st_size for name in (first, second))
        range_us = (SETUP_S * 1_000_000, (SETUP_S + DAY_S) * 1_000_000)
        assert harness.store.info() == StoreInfo(3, 1, 1, 2, size, *range_us)
        assert harness.files() == known
        harness.reopen()
    assert copied in known


def test_flushing_an_empty_store_writes_no_files(harness: StoreHarness) -> None:
    for _ in range(3):
        harness.flush_and_reopen()
        assert (harness.store.info(), harness.files()) == (StoreInfo(0, 0, 0, 0, 0, None, None), [])


def test_the_active_snapshot_is_removed_after_all_sessions_end(harness: StoreHarness) -> None:
    write(harness.store, active("a1"))
    harness.flush_and_reopen()
    assert [Path(name).parent.name for name in harness.files()] == ["active"]
    write(harness.store, finished("a1"))
    harness.flush_and_reopen()
    assert [Path(name).parent.name for name in harness.files()] == ["2026-03-29"]
    assert session_ids(harness.store) == ["a1"]


@pytest.mark.parametrize("step", STEPS)
def test_active_sessions_retain_their_last_received_time(step: str, harness: StoreHarness) -> None:
    write(harness.store, active("a1"), active("a2"))
    harness.now_us += 1
    write(harness.store, active("a2", revision=1, folder="x"), active("a1"))
    STEPS[step](harness)
    # A duplicate does not count as a sign of life, since it may be a replay.
    assert session_ids(harness.store, [Between("received_time", NOW_US, NOW_US)]) == ["a1"]
    assert session_ids(harness.store, [Between("received_time", NOW_US + 1, NOW_US + 1)]) == ["a2"]


@pytest.mark.parametrize("steps", list(itertools.product(STEPS, repeat=2)), ids=", ".join)
def test_tombstones_survive_flushes_and_reopens(steps: tuple[str, str], harness: StoreHarness) -> None:
    records = [finished(f"f{i}") for i in range(130)]
    write(harness.store, *records)
    harness.flush()
    replaced = [finished(f"f{i}", revision=1, folder="new") for i in (0, 63, 64, 129)]
    assert write(harness.store, *replaced) == (0, 4, 0)
    STEPS[steps[0]](harness)
    assert write(harness.store, finished("f1", revision=1, folder="new")) == (0, 1, 0)
    STEPS[steps[1]](harness)
    assert sorted(session_ids(harness.store)) == sorted(record.session_id for record in records)
    assert session_ids(harness.store, [OneOf("folder", ("new",))]) == ["f0", "f1", "f129", "f63", "f64"]
    assert harness.store.info().records == 130
    assert write(harness.store, *records, *replaced) == (0, 0, 134)


@pytest.mark.parametrize("room", [0, 4_096, 20_000])
def test_writes_resume_after_a_full_disk_is_cleared(room: int, harness: StoreHarness) -> None:
    """Simulates the full disk with a file size limit, which applies to the journal, SQLite and segments
    alike."""
    write(harness.store, finished("first"))
    acknowledged, refused = ["first"], 0
    chance = seeds.chance("full disk", room)
    with file_size_limit(harness.journal()[0].stat().st_size + room):
        for i in range(8):
            records = [finished(f"{i}/{j}", agent_id=f"{chance.random()}") for j in range(60)]
            try:
                write(harness.store, *records)
                acknowledged += [record.session_id for record in records]
            except StoreReadOnlyError:
                refused += 1
                assert harness.store.write_fault is not None
        with contextlib.suppress(OSError, PegcountError):
            harness.flush()
    assert refused
    assert sorted(session_ids(harness.store)) == sorted(acknowledged)
    assert write(harness.store, finished("last")) == (1, 0, 0)
    harness.flush_and_reopen()
    assert sorted(session_ids(harness.store)) == sorted([*acknowledged, "last"])


def test_code_decks_survive_flushes_and_reopens(harness: StoreHarness) -> None:
    entries = [("49", "Germany", "DE"), ("4930", "Berlin", "")]
    harness.store.put_code_deck(2, deck_of(*entries[:1]))
    harness.store.put_code_deck(1, deck_of(*entries[:1]))
    harness.store.put_code_deck(1, deck_of(*entries))
    write(harness.store, finished("f1", orig_dst_party_id="+4930123"), finished("f2", orig_dst_party_id="1"))
    for step in STEPS.values():
        step(harness)
        assert harness.store.code_decks() == {1: 2, 2: 1}
        assert rate_codes(harness.store, 1) == {"4930", ""}
        assert rate_codes(harness.store, 2) == {"49", ""}
        with pytest.raises(NotFoundError):
            rate_codes(harness.store, 3)


def rate_codes(store: EmbeddedStore, deck: int) -> set[str]:
    """Returns the rate codes that a code deck assigns to all records, "" for unmatched ones."""
    return {row.orig_rates_code for row in rows(store, "orig_rates_code", code_deck=deck)}


def test_an_empty_range_at_midnight_can_be_scanned(harness: StoreHarness) -> None:
    """Regression: for an empty range the core once built a range of days that ended before it began."""
    midnight_us = SETUP_S // DAY_S * DAY_S * 1_000_000
    write(harness.store, finished("f1"), finished("f2", midnight_us // 1_000_000))
    for step in STEPS.values():
        step(harness)
        for start_us in (midnight_us, midnight_us - 1, midnight_us + 1):
            edges = np.array([start_us, start_us], dtype=np.int64)
            scan = Scan(edges, (), (), Measure("sessions"), None)
            assert harness.store.partials(scan, 10, core.CancelToken(None)) is not None
