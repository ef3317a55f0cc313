"""The files of a data directory: damage is told with the file's name, and leftovers go."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pegcount import calendar, core
from pegcount.errors import DataDamagedError
from pegcount.model import Measure, OneOf, Predicate, Present, Scan
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2

from store_tests.store_fixtures import (
    BY_HAND,
    DAY_S,
    SETUP_S,
    Reopening,
    active,
    finished,
    names,
    rows,
    write,
)

FIELDS = [field.name for field in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields]
MANY = 30_000
"""Records whose columns do not fit one page that is checked as a whole."""
ANY_FIELD = [name for name in FIELDS if name not in ("quantity", "duration", "level")]
NEXT_DAY = "2026-03-30"


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Reopening]:
    with Reopening(tmp_path / "store", BY_HAND) as reopening:
        yield reopening


def count_of_day(store: EmbeddedStore, number: int, *predicates: Predicate) -> int:
    """Sessions of one UTC day, counted from that of most tests, as a report on that day finds them."""
    edges = (np.array([0, 1], dtype=np.int64) + SETUP_S // DAY_S + number) * DAY_S * 1_000_000
    scan = Scan(edges, predicates, (), Measure("sessions"), None)
    partials = store.partials(scan, 10, core.CancelToken(None))
    utc = calendar.zone("UTC")
    assert utc is not None
    body = core.usage_response(
        partials,
        edges=edges,
        warmup_bin_count=0,
        sma_period=None,
        now_us=0,
        zone=utc,
    )
    return reports_pb2.QueryAsrUsageResponse.FromString(body).totals.session_count


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def damage_column(path: Path, text: str) -> None:
    """Changes a text that a record of the file has."""
    at = path.read_bytes().index(text.encode())
    flip(path, at)


def told_of(path: Path, raised: pytest.ExceptionInfo[DataDamagedError]) -> None:
    assert raised.value.metadata == {"file": str(path)}
    assert str(path) in str(raised.value)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_in_header(path: Path) -> None:
    flip(path, -30)


DAMAGES = [cut, lengthen, empty, Path.unlink, flip_in_header]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_segment_that_cannot_be_opened_is_told_by_each_report_of_its_day(
    damage: Callable[[Path], None], held: Reopening
) -> None:
    write(held.store, finished("f1"), finished("f2", SETUP_S + DAY_S), active("a1"))
    held.flush()
    before, path = held.store.info(), held.segment()
    held.store.close()
    damage(path)
    for _ in range(2):
        held.reopen()
        with pytest.raises(DataDamagedError) as raised:
            count_of_day(held.store, 0)
        told_of(path, raised)
        assert count_of_day(held.store, 1) == 1
        assert names(held.store, [Present("end_time", wanted=False)]) == ["a1"]
        assert (held.store.info().records, held.store.info().segments) == (before.records, before.segments)
        held.maintain()
        held.flush()
    assert path.exists() == (damage is not Path.unlink)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_copy_of_the_active_sessions_that_cannot_be_opened_keeps_the_store_from_opening(
    damage: Callable[[Path], None], held: Reopening
) -> None:
    """Every report depends on it."""
    write(held.store, finished("f1"), active("a1"))
    held.flush()
    (path,) = held.directory.glob("active/*")
    held.store.close()
    damage(path)
    check_does_not_open(held, path)


def test_a_damaged_copy_of_the_active_sessions_is_found(held: Reopening) -> None:
    """They are read as the store opens."""
    write(held.store, active("a1", folder="a long name"))
    held.flush()
    (path,) = held.directory.glob("active/*")
    damage_column(path, "a long name")
    check_does_not_open(held, path)


def check_does_not_open(held: Reopening, path: Path) -> None:
    """Checks that the store does not open and names the file, and that the directory is free again."""
    beside = held.files()
    for _ in range(2):
        with pytest.raises(DataDamagedError) as raised:
            held.reopen()
        told_of(path, raised)
    assert held.files() == beside


@pytest.mark.parametrize("folder", ["segments/2026-03-29", "active"])
def test_a_flipped_bit_anywhere_is_told_or_changes_nothing(folder: str, held: Reopening) -> None:
    """Between the columns lie bytes that nothing is read from."""
    write(held.store, *(finished(f"f{i}", SETUP_S + i, folder=f"{i}") for i in range(9)), active("a1"))
    held.flush_and_reopen()
    (path,) = (held.directory / folder).iterdir()
    before, content, told = every_field(held.store), path.read_bytes(), list[str]()
    for at in range(0, len(content), len(content) // 83):
        flip(path, at)
        try:
            held.reopen()
            assert every_field(held.store) == before
        except DataDamagedError as error:
            told.append(error.metadata["file"])
        path.write_bytes(content)
    assert set(told) == {str(path)}
    assert len(told) > 20


def every_field(store: EmbeddedStore) -> list[reports_pb2.ActiveSessionRow]:
    return rows(store, *ANY_FIELD)


def test_a_damaged_column_is_told_by_each_report_that_needs_its_day(held: Reopening) -> None:
    many = [finished(f"f{number:05}") for number in range(MANY)]
    write(held.store, *many, finished("f", SETUP_S + DAY_S), active("a1"))
    held.flush()
    path = held.segment()
    damage_column(path, f"f{MANY // 2:05}")
    held.reopen()
    # Not read yet, so not known yet.
    assert (count_of_day(held.store, 0), count_of_day(held.store, 1)) == (MANY + 1, 1)
    for predicate in (OneOf("session_id", ("f00000",)), OneOf("folder", ("sales",))):
        with pytest.raises(DataDamagedError) as raised:
            count_of_day(held.store, 0, predicate)
        told_of(path, raised)
        assert count_of_day(held.store, 1, predicate) == 0
    with pytest.raises(DataDamagedError) as raised:
        names(held.store)
    told_of(path, raised)
    assert count_of_day(held.store, 1) == 1


def test_what_is_received_for_a_damaged_day_is_kept(held: Reopening) -> None:
    good = received_for_a_damaged_day(held)
    held.flush()
    with pytest.raises(DataDamagedError):
        names(held.store)
    # The file alone comes back: what was sealed for its keys meanwhile could not be compared with it.
    damaged = min(held.directory.glob("segments/2026-03-29/*"))
    held.store.close()
    damaged.write_bytes(good)
    held.reopen()
    with pytest.raises(DataDamagedError, match="while it could not be read"):
        names(held.store)
    assert count_of_day(held.store, 1) == 1


def test_damage_is_not_forgotten_once_records_were_taken_beside_it(held: Reopening) -> None:
    received_for_a_damaged_day(held)
    held.flush_and_reopen()
    try:
        assert sorted(names(held.store)) == ["f1", "f2", "f3"]
    except DataDamagedError:
        return


def received_for_a_damaged_day(held: Reopening) -> bytes:
    """Damages a segment and writes a new version of one of its records; gives the segment as it was."""
    write(held.store, finished("f1", folder="a long name"), finished("f2", SETUP_S + DAY_S))
    held.flush()
    good = held.segment().read_bytes()
    damage_column(held.segment(), "a long name")
    held.reopen()
    outcome = write(held.store, finished("f1", revision=1, folder="new"), finished("f3"))
    assert sum(outcome) == 2
    return good


def test_what_a_crash_left_behind_is_removed(held: Reopening) -> None:
    write(held.store, finished("f1"), active("a1"))
    held.flush()
    known = held.files()
    (held.directory / "segments" / NEXT_DAY).mkdir()
    for name in (
        "segments/2026-03-29/00009999.arrow",
        "segments/2026-03-29/00009999.tmp",
        f"segments/{NEXT_DAY}/00009999.tmp",
        "active/00009999.arrow",
        "active/00009999.tmp",
    ):
        (held.directory / name).write_bytes(b"half a file")
    held.reopen()
    assert held.files() == known
    assert sorted(names(held.store)) == ["a1", "f1"]
