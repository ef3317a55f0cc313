"""What the text of `pegcount.store.interface` says of audit entries, asked of each store."""

from dataclasses import replace

import pytest
from pegcount.privacy import AuditEntry

from conformance.test_contract import NOW_US, Place, place

__all__ = ["place"]

FULL = AuditEntry(
    time_us=NOW_US,
    method="EraseParties",
    caller_id="cr_full",
    caller_name='Zoë "report" \n 報告',
    request='{"parties": ["+155*****"]}',
    outcome="STORE_READ_ONLY",
    request_id="r-1",
)
PLAIN = AuditEntry(time_us=0, method="SetRetention", caller_id=None, caller_name=None, request="{}")


def held(place: Place, before_id: int | None = None, limit: int = 10) -> list[AuditEntry]:
    return list(place.store.audit_entries(before_id, limit))


def numbers(place: Place, before_id: int | None = None, limit: int = 10) -> list[int]:
    return [entry.entry_id for entry in held(place, before_id, limit)]


def test_a_new_store_has_none(place: Place) -> None:
    assert held(place) == []
    place.reopen()
    assert held(place) == []


def test_entries_are_held_with_all_that_they_have_the_newest_first(place: Place) -> None:
    assert [place.store.append_audit(replace(entry, entry_id=7)) for entry in (FULL, PLAIN)] == [1, 2]
    expected = [replace(PLAIN, entry_id=2), replace(FULL, entry_id=1)]
    assert held(place) == expected
    place.reopen()
    assert held(place) == expected


def test_the_outcome_of_an_entry_is_set(place: Place) -> None:
    for _ in range(2):
        place.store.append_audit(PLAIN)
    place.store.set_audit_outcome(1, "OK")
    place.reopen()
    assert [entry.outcome for entry in held(place)] == [None, "OK"]
    assert held(place)[1].request == PLAIN.request
    place.store.set_audit_outcome(2, "OK", '{"rule_id": 7}')
    place.reopen()
    assert held(place)[0] == replace(PLAIN, entry_id=2, outcome="OK", request='{"rule_id": 7}')


@pytest.mark.parametrize(
    ("before_id", "limit", "expected"),
    [(None, 2, [4, 3]), (4, 2, [3, 2]), (2, 9, [1]), (1, 9, []), (99, 1, [4]), (None, 0, [])],
)
def test_entries_are_listed_in_pages(
    before_id: int | None, limit: int, expected: list[int], place: Place
) -> None:
    for _ in range(4):
        place.store.append_audit(PLAIN)
    assert numbers(place, before_id, limit) == expected


def test_of_more_entries_than_allowed_the_oldest_go(place: Place) -> None:
    place.reopen(audit_entry_count_max=3)
    for _ in range(5):
        place.store.append_audit(PLAIN)
    assert numbers(place) == [5, 4, 3]
    place.store.set_audit_outcome(1, "OK")
    place.reopen(audit_entry_count_max=1)
    assert numbers(place) == [5, 4, 3]
    assert place.store.append_audit(FULL) == 6
    place.reopen()
    assert held(place) == [replace(FULL, entry_id=6)]
