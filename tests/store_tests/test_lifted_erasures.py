"""A lifted erasure was complete, also if its call had ended early, or a crash had."""

import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
from pegcount.core import CancelToken
from pegcount.errors import CancelledError, DataDamagedError, NotFoundError
from pegcount.store import EmbeddedStore

from store_tests.empty_store import harness
from store_tests.erased_store import assert_complete, erase, write_everywhere
from store_tests.party_files import NUMBER, files_with
from store_tests.steps import copies_at_each_change, intercept_steps
from store_tests.store_fixtures import (
    MANUAL_MAINTENANCE,
    NO_LIMIT,
    StoreHarness,
)

__all__ = ["harness"]


def cancelled_erasure(harness: StoreHarness) -> None:
    """Leaves an erasure in force whose call ended before any segment was rewritten."""
    write_everywhere(harness)
    token = CancelToken(None)

    def cancel(at: str) -> None:
        if at == "before count_scrubbed_rows":
            token.cancel()

    with intercept_steps(harness, cancel), pytest.raises(CancelledError) as raised:
        harness.store.erase([NUMBER], token)
    assert raised.value.metadata == {"erasure_id": "1"}
    assert any(name.startswith("segments/") for name in files_with(harness.directory))


def test_a_lift_completes_the_erasure_first(harness: StoreHarness) -> None:
    cancelled_erasure(harness)
    harness.reopen_after_kill()
    harness.store.lift_erasure(1, NO_LIMIT)
    assert harness.store.erasures() == []
    assert_complete(harness.store, harness.directory)
    harness.reopen()
    assert_complete(harness.store, harness.directory)


def test_a_lift_that_cannot_complete_the_erasure_leaves_it_in_force(harness: StoreHarness) -> None:
    cancelled_erasure(harness)
    damaged = harness.directory / max(files_with(harness.directory))
    content = damaged.read_bytes()
    damaged.chmod(0o600)
    damaged.write_bytes(content[:-9])
    harness.reopen()
    with pytest.raises(DataDamagedError, match="erasure 1 is still being applied") as raised:
        harness.store.lift_erasure(1, NO_LIMIT)
    assert damaged.name in str(raised.value)
    assert raised.value.metadata["erasure_id"] == "1"
    assert [each.is_complete for each in harness.store.erasures()] == [False]
    damaged.write_bytes(content)
    harness.reopen()
    harness.store.lift_erasure(1, NO_LIMIT)
    assert_complete(harness.store, harness.directory)


def test_a_crash_at_any_step_of_a_lift_loses_no_part_of_the_erasure(
    harness: StoreHarness, tmp_path: Path
) -> None:
    cancelled_erasure(harness)
    with copies_at_each_change(harness, tmp_path) as copies:
        harness.store.lift_erasure(1, NO_LIMIT)
    assert len(copies) > 5
    for path in copies:
        with closing(EmbeddedStore(path, MANUAL_MAINTENANCE)) as store:
            store.maintain()
            assert_complete(store, path)


def test_a_lift_while_the_erasure_is_applied_leaves_no_number(harness: StoreHarness) -> None:
    write_everywhere(harness)
    lifts: list[threading.Thread] = []

    def lift(step: str) -> None:
        if step == "before count_scrubbed_rows" and not lifts:
            # It waits until the erasure lets others write.
            lifts.append(threading.Thread(target=harness.store.lift_erasure, args=(1, NO_LIMIT)))
            lifts[0].start()

    with intercept_steps(harness, lift), suppress(NotFoundError):
        erase(harness.store)
    assert files_with(harness.directory) == {}
    lifts[0].join()
    assert harness.store.erasures() == []
    assert_complete(harness.store, harness.directory)


def test_an_erasure_that_was_lifted_before_it_is_answered_says_so(harness: StoreHarness) -> None:
    write_everywhere(harness)
    is_lifting: list[bool] = []

    def lift(step: str) -> None:
        if step == "before rows" and not is_lifting:
            is_lifting.append(True)
            if [each.is_complete for each in harness.store.erasures()] == [True]:
                harness.store.lift_erasure(1, NO_LIMIT)
            else:
                is_lifting.clear()

    with intercept_steps(harness, lift), pytest.raises(NotFoundError, match="was lifted before") as raised:
        erase(harness.store)
    assert raised.value.reason == "ERASURE_NOT_FOUND"
    assert_complete(harness.store, harness.directory)
