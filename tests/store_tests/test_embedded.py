"""The embedded store: what is acknowledged stays, once, through seals, reopening and kills."""

import contextlib
import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.errors import NotFoundError, PegcountError, StoreReadOnlyError
from pegcount.model import Between, CodeDeckEntry, Measure, OneOf, Present, Scan, StoreInfo
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2

from store_tests.store_fixtures import (
    BY_HAND,
    DAY_S,
    NOW_US,
    SETUP_S,
    Reopening,
    active,
    file_size_limit,
    finished,
    names,
    rows,
    write,
)

Record = records_pb2.SessionRecord
END = records_pb2.SESSION_EVENT_END
UPDATE = records_pb2.SESSION_EVENT_UPDATE


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Reopening]:
    with Reopening(tmp_path / "store", BY_HAND) as reopening:
        yield reopening


STEPS: dict[str, Callable[[Reopening], None]] = {
    "-": lambda _: None,
    "reopen": Reopening.reopen,
    "seal": Reopening.flush,
    "seal and reopen": Reopening.flush_and_reopen,
    "seal without the active": Reopening.flush_without_the_active_sessions,
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
    assert held.store.first_day() == (SETUP_S - DAY_S) // DAY_S
    info = held.store.info()
    assert (info.first_setup_us, info.last_setup_us) == ((SETUP_S - DAY_S) * 1_000_000, SETUP_S * 1_000_000)


def test_a_seal_leaves_only_active_sessions_in_memory(held: Reopening) -> None:
    write(held.store, finished("f1"), finished("f2", SETUP_S + DAY_S), active("a1"))
    assert (held.store.info().unsealed_records, held.store.info().segments) == (3, 0)
    held.flush()
    copied, first, second = known = held.files()
    assert [Path(name).parent.as_posix() for name in known] == [
        "active",
        "segments/2026-03-29",
        "segments/2026-03-30",
    ]
    for _ in range(2):
        size = sum((held.directory / name).stat().st_size for name in (first, second))
        range_us = (SETUP_S * 1_000_000, (SETUP_S + DAY_S) * 1_000_000)
        assert held.store.info() == StoreInfo(3, 1, 1, 2, size, *range_us)
        assert held.files() == known
        held.reopen()
    assert copied in known


def test_a_seal_of_nothing_changes_nothing(held: Reopening) -> None:
    for _ in range(3):
        held.flush_and_reopen()
        assert (held.store.info(), held.files()) == (StoreInfo(0, 0, 0, 0, 0, None, None), [])


def test_a_copy_of_the_active_sessions_goes_when_they_have_ended(held: Reopening) -> None:
    write(held.store, active("a1"))
    held.flush_and_reopen()
    assert [Path(name).parent.name for name in held.files()] == ["active"]
    write(held.store, finished("a1"))
    held.flush_and_reopen()
    assert [Path(name).parent.name for name in held.files()] == ["2026-03-29"]
    assert names(held.store) == ["a1"]


@pytest.mark.parametrize("step", STEPS)
def test_active_sessions_keep_when_they_were_last_heard_of(step: str, held: Reopening) -> None:
    write(held.store, active("a1"), active("a2"))
    held.now_us += 1
    write(held.store, active("a2", revision=1, folder="x"), active("a1"))
    STEPS[step](held)
    # A record without effect is no sign of life: it may be a replay.
    assert names(held.store, [Between("received_time", NOW_US, NOW_US)]) == ["a1"]
    assert names(held.store, [Between("received_time", NOW_US + 1, NOW_US + 1)]) == ["a2"]


@pytest.mark.parametrize("steps", list(itertools.product(STEPS, repeat=2)), ids=", ".join)
def test_replaced_rows_of_segments_stay_replaced(steps: tuple[str, str], held: Reopening) -> None:
    records = [finished(f"f{i}") for i in range(130)]
    write(held.store, *records)
    held.flush()
    replaced = [finished(f"f{i}", revision=1, folder="new") for i in (0, 63, 64, 129)]
    assert write(held.store, *replaced) == (0, 4, 0)
    STEPS[steps[0]](held)
    assert write(held.store, finished("f1", revision=1, folder="new")) == (0, 1, 0)
    STEPS[steps[1]](held)
    assert sorted(names(held.store)) == sorted(record.session_id for record in records)
    assert names(held.store, [OneOf("folder", ("new",))]) == ["f0", "f1", "f129", "f63", "f64"]
    assert held.store.info().records == 130
    assert write(held.store, *records, *replaced) == (0, 0, 134)


@pytest.mark.parametrize("room", [0, 4_096, 20_000])
def test_a_disk_that_fills_up_and_is_cleared(room: int, held: Reopening) -> None:
    """Stands for it: a limit on the size of files, which the journal, SQLite and segments meet alike."""
    write(held.store, finished("first"))
    acknowledged, refused = ["first"], 0
    with file_size_limit(held.journal()[0].stat().st_size + room):
        for i in range(8):
            records = [finished(f"{i}/{j}", agent_id=f"{random.random()}") for j in range(60)]
            try:
                write(held.store, *records)
                acknowledged += [record.session_id for record in records]
            except StoreReadOnlyError:
                refused += 1
                assert held.store.write_fault is not None
        with contextlib.suppress(OSError, PegcountError):
            held.flush()
    assert refused
    assert sorted(names(held.store)) == sorted(acknowledged)
    assert write(held.store, finished("last")) == (1, 0, 0)
    held.flush_and_reopen()
    assert sorted(names(held.store)) == sorted([*acknowledged, "last"])


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


def test_a_range_without_an_instant_at_the_start_of_a_day(held: Reopening) -> None:
    """It has no day, of which the core once made a range of days that ends before it begins."""
    midnight_us = SETUP_S // DAY_S * DAY_S * 1_000_000
    write(held.store, finished("f1"), finished("f2", midnight_us // 1_000_000))
    for step in STEPS.values():
        step(held)
        for start_us in (midnight_us, midnight_us - 1, midnight_us + 1):
            edges = np.array([start_us, start_us], dtype=np.int64)
            scan = Scan(edges, (), (), Measure("sessions"), None)
            assert held.store.partials(scan, 10, core.CancelToken(None)) is not None
