"""A number in all parts of a store, and what is left of it once it is erased."""

from pathlib import Path

from pegcount.privacy import ErasureOutcome
from pegcount.store import EmbeddedStore

from store_tests.party_files import FORMS, NUMBER, OTHER, files_with
from store_tests.store_fixtures import (
    DAY_S,
    NO_LIMIT,
    SETUP_S,
    StoreHarness,
    active,
    finished,
    rows,
    write,
)


def erase(store: EmbeddedStore, *parties: str) -> ErasureOutcome:
    return store.erase(parties or [NUMBER], NO_LIMIT)


def write_everywhere(harness: StoreHarness) -> int:
    """Writes the number into segments of two days, replaced rows of them, memory and journal.

    Returns how many records have it.
    """
    for number, form in enumerate(FORMS):
        setup_s = SETUP_S - number % 2 * DAY_S
        write(harness.store, finished(f"replaced {number}", setup_s, orig_src_party_id=form, revision=1))
        write(harness.store, finished(f"segment {number}", setup_s, term_dst_party_id=form))
        write(harness.store, active(f"snapshot {number}", setup_s, orig_dst_party_id=form))
    write(harness.store, finished("other", orig_src_party_id=OTHER))
    harness.flush()
    for number, form in enumerate(FORMS):
        setup_s = SETUP_S - number % 2 * DAY_S
        write(harness.store, finished(f"replaced {number}", setup_s, orig_src_party_id=OTHER, revision=2))
        write(harness.store, finished(f"memory {number}", setup_s, term_src_party_id=form))
        write(harness.store, active(f"live {number}", setup_s, orig_src_party_id=form))
    return 4 * len(FORMS)


def numbers(store: EmbeddedStore) -> set[str]:
    """The numbers that any field of a party has."""
    fields = ("orig_src_party_id", "orig_dst_party_id", "term_src_party_id", "term_dst_party_id")
    return {getattr(row, name) for name in fields for row in rows(store, name)} - {""}


def assert_complete(store: EmbeddedStore, directory: Path) -> None:
    assert files_with(directory) == {}
    assert all(each.is_complete for each in store.erasures())
    assert numbers(store) == {OTHER}
