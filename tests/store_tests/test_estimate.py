"""Estimates: about the rows that a scan would read, without reading any."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from decks import deck_of
from pegcount import core
from pegcount.config import Config, Tuning
from pegcount.model import InNetwork, Measure, OneOf, Predicate, Present, Scan

from store_tests.store_fixtures import DAY_S, SETUP_S, StoreHarness, active, finished, session_ids, write

ACCOUNT_ROWS = 2
"""The estimated rows of one account in a segment."""
TWO_ROW_ACCOUNTS = Config(maintenance_seconds=3_600.0, tuning=Tuning(account_row_count_estimate=ACCOUNT_ROWS))


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    with StoreHarness(tmp_path / "store", TWO_ROW_ACCOUNTS) as harness:
        yield harness


def estimate(
    harness: StoreHarness, *predicates: Predicate, days: tuple[int, ...] | None = None
) -> int | None:
    """Estimates a scan whose edges are whole days after the day of `SETUP_S`; None is all time."""
    edges = None
    if days is not None:
        edges = (np.array(days, dtype=np.int64) + SETUP_S // DAY_S) * DAY_S * 1_000_000
    return harness.store.estimate(Scan(edges, predicates, ("folder",), Measure("calls")))


def write_three_days(harness: StoreHarness) -> None:
    """Writes three finished records of day 0, one of day 2, and an active session of day 0."""
    finished_rows = [finished(f"f{i}", account_id="a") for i in range(3)]
    write(harness.store, *finished_rows, finished("f3", SETUP_S + 2 * DAY_S), active("a1"))


def test_rows_in_memory_and_in_segments_of_the_range(harness: StoreHarness) -> None:
    assert estimate(harness) == 0
    write_three_days(harness)
    assert [estimate(harness), estimate(harness, days=(0, 1)), estimate(harness, days=(3, 4))] == [5, 5, 0]
    harness.flush()
    for _ in range(2):
        assert [estimate(harness), estimate(harness, days=(0, 1))] == [5, 4]
        assert [estimate(harness, days=(day, day + 1)) for day in (-1, 1, 2, 3)] == [0, 0, 1, 0]
        assert [estimate(harness, days=days) for days in ((0, 1, 2, 3), (0,), ())] == [5, 0, 0]
        harness.reopen()


def test_only_sessions_that_may_match_count(harness: StoreHarness) -> None:
    write_three_days(harness)
    for _ in range(2):
        assert estimate(harness, Present("end_time", wanted=False), OneOf("kind", (1,))) == 1
        assert estimate(harness, InNetwork("folder", "10.0.0.0/8"), Present("end_time", wanted=True)) == 4
        harness.flush()


def test_rows_of_an_account(harness: StoreHarness) -> None:
    write_three_days(harness)
    harness.flush()
    of_account = OneOf("account_id", ("a",))
    assert estimate(harness, of_account, days=(0, 1)) == ACCOUNT_ROWS + 1
    assert estimate(harness, OneOf("account_id", ("a", "b")), days=(0, 1)) == 4
    harness.reopen()
    assert estimate(harness, of_account, days=(0, 1)) == 4, "the rows may have to be read from disk"
    assert session_ids(harness.store, [of_account]) == ["f0", "f1", "f2"]
    assert estimate(harness, of_account, days=(0, 1)) == ACCOUNT_ROWS + 1


def test_rows_of_several_accounts_and_of_none(harness: StoreHarness) -> None:
    rows = [finished(f"{account}{i}", account_id=account) for account in ("a", "b", "c") for i in range(3)]
    write(harness.store, *rows, finished("x1"), finished("x2"))
    harness.flush()
    a_and_b = OneOf("account_id", ("a", "b", "a"))
    assert estimate(harness, a_and_b) == 2 * ACCOUNT_ROWS
    without_account = Present("account_id", wanted=False)
    # Most records of a store may be without an account.
    assert [estimate(harness, without_account), estimate(harness, OneOf("account_id", ("a",), True))] == [
        11,
        11,
    ]
    harness.reopen()
    assert session_ids(harness.store, [OneOf("account_id", ("a", "none"))]) == ["a0", "a1", "a2"]
    assert estimate(harness, a_and_b) == 11, "the rows of b may have to be read from disk"
    assert session_ids(harness.store, [a_and_b]) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert estimate(harness, a_and_b) == 2 * ACCOUNT_ROWS
    assert session_ids(harness.store, [without_account]) == ["x1", "x2"]
    b_or_none = OneOf("account_id", ("b",), or_absent=True)
    assert session_ids(harness.store, [b_or_none]) == ["b0", "b1", "b2", "x1", "x2"]
    assert session_ids(harness.store, [a_and_b, b_or_none]) == ["b0", "b1", "b2"]


def test_a_damaged_day_is_unknown(harness: StoreHarness) -> None:
    write_three_days(harness)
    harness.flush()
    path = harness.segment()
    path.write_bytes(path.read_bytes()[:-1])
    harness.reopen()
    assert (estimate(harness), estimate(harness, days=(0, 1)), estimate(harness, days=(2, 3))) == (
        None,
        None,
        1,
    )
    assert estimate(harness, Present("end_time", wanted=False)) == 1


def test_a_code_deck_that_is_not_in_memory_is_unknown(harness: StoreHarness) -> None:
    write(harness.store, finished("f1"))
    harness.store.put_code_deck(1, deck_of(("49", "Germany", "DE")))
    scan = Scan(None, (), ("orig_rates_code",), Measure("sessions"), 1)
    assert harness.store.estimate(scan) == 1
    harness.reopen()
    assert harness.store.estimate(scan) is None
    harness.store.partials(scan, 10, core.CancelToken(None))
    assert harness.store.estimate(scan) == 1
