"""The files of a data directory: damage is reported with the file's name, and leftovers are removed."""

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
    DAY_S,
    MANUAL_MAINTENANCE,
    SETUP_S,
    StoreHarness,
    active,
    finished,
    rows,
    session_ids,
    write,
)

FIELDS = [field.name for field in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields]
MULTI_PAGE_ROWS = 30_000
"""Enough records for each column to span several checksummed pages."""
GROUP_FIELDS = [name for name in FIELDS if name not in ("quantity", "duration", "level")]
NEXT_DAY = "2026-03-30"


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        yield harness


def count_of_day(store: EmbeddedStore, number: int, *predicates: Predicate) -> int:
    """Counts the sessions of one UTC day, `number` days after the day of `SETUP_S`, through a report."""
    edges = (np.array([0, 1], dtype=np.int64) + SETUP_S // DAY_S + number) * DAY_S * 1_000_000
    scan = Scan(edges, predicates, (), Measure("sessions"), None)
    partials = store.partials(scan, 10, core.CancelToken(None))
    utc = calendar.zone("UTC")
    assert utc is not None
    body = core.usage_response(
        partials,
        header=b"",
        limits=core.AnswerLimits(core.CancelToken(None), 2**30, 2**30),
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
    """Flips a bit within a text value of the segment."""
    at = path.read_bytes().index(text.encode())
    flip(path, at)


def check_names_file(path: Path, raised: pytest.ExceptionInfo[DataDamagedError]) -> None:
    (name,) = raised.value.metadata.values()
    assert path.as_posix().endswith(f"/{name}")
    assert name in str(raised.value)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_in_header(path: Path) -> None:
    flip(path, -30)


DAMAGES = [truncate, lengthen, empty, Path.unlink, flip_in_header]


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_unreadable_segment_fails_each_report_of_its_day(
    damage: Callable[[Path], None], harness: StoreHarness
) -> None:
    write(harness.store, finished("f1"), finished("f2", SETUP_S + DAY_S), active("a1"))
    harness.flush()
    before, path = harness.store.info(), harness.segment()
    harness.store.close()
    damage(path)
    for _ in range(2):
        harness.reopen()
        with pytest.raises(DataDamagedError) as raised:
            count_of_day(harness.store, 0)
        check_names_file(path, raised)
        assert count_of_day(harness.store, 1) == 1
        assert session_ids(harness.store, [Present("end_time", wanted=False)]) == ["a1"]
        assert (harness.store.info().records, harness.store.info().segments) == (
            before.records,
            before.segments,
        )
        harness.maintain()
        harness.flush()
    assert path.exists() == (damage is not Path.unlink)


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_unreadable_active_snapshot_prevents_opening(
    damage: Callable[[Path], None], harness: StoreHarness
) -> None:
    """Every report depends on the active sessions."""
    write(harness.store, finished("f1"), active("a1"))
    harness.flush()
    (path,) = harness.directory.glob("active/*")
    harness.store.close()
    damage(path)
    check_does_not_open(harness, path)


def test_a_damaged_active_snapshot_prevents_opening(harness: StoreHarness) -> None:
    """The store reads the active snapshot while it opens."""
    write(harness.store, active("a1", folder="a long name"))
    harness.flush()
    (path,) = harness.directory.glob("active/*")
    damage_column(path, "a long name")
    check_does_not_open(harness, path)


def check_does_not_open(harness: StoreHarness, path: Path) -> None:
    """Asserts that opening fails, names the file, changes no file, and fails alike a second time."""
    files_before = harness.files()
    for _ in range(2):
        with pytest.raises(DataDamagedError) as raised:
            harness.reopen()
        check_names_file(path, raised)
    assert harness.files() == files_before


@pytest.mark.parametrize("folder", ["segments/2026-03-29", "active"])
def test_a_flipped_bit_is_detected_or_harmless(folder: str, harness: StoreHarness) -> None:
    """Padding between the columns is never read, so a flip there changes no answer."""
    write(harness.store, *(finished(f"f{i}", SETUP_S + i, folder=f"{i}") for i in range(9)), active("a1"))
    harness.flush_and_reopen()
    (path,) = (harness.directory / folder).iterdir()
    before, content, named_files = all_field_values(harness.store), path.read_bytes(), list[str]()
    for at in range(0, len(content), len(content) // 83):
        flip(path, at)
        try:
            harness.reopen()
            assert all_field_values(harness.store) == before
        except DataDamagedError as error:
            named_files.append(error.metadata["file"])
        path.write_bytes(content)
    assert set(named_files) == {f"{folder}/{path.name}"}
    assert len(named_files) > 20


def all_field_values(store: EmbeddedStore) -> list[reports_pb2.ActiveSessionRow]:
    return rows(store, *GROUP_FIELDS)


def test_a_damaged_column_fails_each_report_that_reads_it(harness: StoreHarness) -> None:
    many = [finished(f"f{number:05}") for number in range(MULTI_PAGE_ROWS)]
    write(harness.store, *many, finished("f", SETUP_S + DAY_S), active("a1"))
    harness.flush()
    path = harness.segment()
    damage_column(path, f"f{MULTI_PAGE_ROWS // 2:05}")
    harness.reopen()
    # Only page 0 has been read, and so checked, up to now.
    assert (count_of_day(harness.store, 0), count_of_day(harness.store, 1)) == (MULTI_PAGE_ROWS + 1, 1)
    for predicate in (OneOf("session_id", ("f00000",)), OneOf("folder", ("sales",))):
        with pytest.raises(DataDamagedError) as raised:
            count_of_day(harness.store, 0, predicate)
        check_names_file(path, raised)
        assert count_of_day(harness.store, 1, predicate) == 0
    with pytest.raises(DataDamagedError) as raised:
        session_ids(harness.store)
    check_names_file(path, raised)
    assert count_of_day(harness.store, 1) == 1


def test_records_received_for_a_damaged_day_are_stored(harness: StoreHarness) -> None:
    good = write_to_a_damaged_day(harness)
    harness.flush()
    with pytest.raises(DataDamagedError):
        session_ids(harness.store)
    # Only the file is restored: records flushed meanwhile were never compared with the keys in it.
    damaged = min(harness.directory.glob("segments/2026-03-29/*"))
    harness.store.close()
    damaged.write_bytes(good)
    harness.reopen()
    with pytest.raises(DataDamagedError, match="while it could not be read"):
        session_ids(harness.store)
    assert count_of_day(harness.store, 1) == 1


def test_damage_is_still_reported_after_new_records_arrive(harness: StoreHarness) -> None:
    write_to_a_damaged_day(harness)
    harness.flush_and_reopen()
    with pytest.raises(DataDamagedError, match="while it could not be read"):
        session_ids(harness.store)


def write_to_a_damaged_day(harness: StoreHarness) -> bytes:
    """Damages a segment, writes a new version of one of its records, and returns the undamaged bytes."""
    write(harness.store, finished("f1", folder="a long name"), finished("f2", SETUP_S + DAY_S))
    harness.flush()
    good = harness.segment().read_bytes()
    damage_column(harness.segment(), "a long name")
    harness.reopen()
    outcome = write(harness.store, finished("f1", revision=1, folder="new"), finished("f3"))
    assert sum(outcome) == 2
    return good


def test_files_left_by_a_crash_are_removed(harness: StoreHarness) -> None:
    write(harness.store, finished("f1"), active("a1"))
    harness.flush()
    known = harness.files()
    (harness.directory / "segments" / NEXT_DAY).mkdir()
    for name in (
        "segments/2026-03-29/00009999.arrow",
        "segments/2026-03-29/00009999.tmp",
        f"segments/{NEXT_DAY}/00009999.tmp",
        "active/00009999.arrow",
        "active/00009999.tmp",
    ):
        (harness.directory / name).write_bytes(b"half a file")
    harness.reopen()
    assert harness.files() == known
    assert sorted(session_ids(harness.store)) == ["a1", "f1"]
