"""What the log has of faults that keep a store from taking batches: their begin and their end, once each."""

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pegcount.errors import PegcountError, StoreReadOnlyError

from store_tests.store_fixtures import (
    MANUAL_MAINTENANCE,
    StoreHarness,
    batch,
    file_size_limit,
    finished,
    write,
)

WARNING, ERROR = logging.WARNING, logging.ERROR


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        yield harness


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """The lines of `write_faults`, with 0 for each duration."""
    return [
        (record.levelno, re.sub(r"after [0-9.]+ s", "after 0 s", record.getMessage()))
        for record in caplog.records
        if record.name == "pegcount.store.write_faults"
    ]


def test_a_journal_that_cannot_be_written_is_logged_at_its_begin_and_its_end(
    harness: StoreHarness, caplog: pytest.LogCaptureFixture
) -> None:
    write(harness.store, finished("f0"))
    with file_size_limit(harness.journal()[-1].stat().st_size):
        with pytest.raises(StoreReadOnlyError):
            harness.store.write(batch(finished("f1")))
        for _ in range(3):
            fault = harness.store.write_fault
            assert fault is not None
            assert [(level, text.partition(": ")[0]) for level, text in lines(caplog)] == [
                (ERROR, "no batch is acknowledged")
            ]
            with contextlib.suppress(PegcountError, OSError):
                harness.maintain()
    harness.maintain()
    assert lines(caplog)[1:] == [(WARNING, "batches are acknowledged again, after 0 s")]


def test_a_fault_that_one_run_of_maintenance_ends_is_logged_too(
    harness: StoreHarness, caplog: pytest.LogCaptureFixture
) -> None:
    write(harness.store, finished("f0"))
    with (
        file_size_limit(harness.journal()[-1].stat().st_size),
        pytest.raises(StoreReadOnlyError),
    ):
        harness.store.write(batch(finished("f1")))
    harness.maintain()
    assert [level for level, _ in lines(caplog)] == [ERROR, WARNING]


def test_flushes_that_fail_are_logged_at_the_first_and_when_one_succeeds(
    harness: StoreHarness, caplog: pytest.LogCaptureFixture
) -> None:
    (harness.directory / "segments").touch()
    write(harness.store, finished("f1"))
    for _ in range(3):
        with pytest.raises(OSError, match="Not a directory"):
            harness.flush()
    ((level, text),) = lines(caplog)
    assert level == ERROR
    assert text.startswith("flushes fail and will be tried again: ")
    (harness.directory / "segments").unlink()
    harness.flush()
    assert lines(caplog)[1:] == [(WARNING, "flushes succeed again, after 0 s")]
