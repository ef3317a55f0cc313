"""What the text of `pegcount.store.interface` says of deletions, asked of each store."""

from typing import Any

import pytest
from pegcount.errors import CancelledError, DeletionLimitError, NotFoundError
from pegcount.model import Deletion, DeletionOutcome

from conformance.test_contract import DAY_US, NOW_US, SETUP_US, Place, place, record, token

__all__ = ["place"]


def delete(place: Place, **what: Any) -> DeletionOutcome:
    deletion = Deletion(**what)
    expected = place.store.count_matching(deletion, token())
    outcome = place.store.delete(deletion, token())
    assert outcome.deleted == expected
    assert place.store.count_matching(deletion, token()) == 0
    return outcome


def names(place: Place) -> list[str]:
    return [cell[1] for cell in place.cells(keys=["session_id"])]


def write_five(place: Place) -> None:
    place.write(record("a1", end=9, source="a"), record("a2", 1, end=9, source="a"))
    place.write(record("b1", end=9, source="b"), record("1", -DAY_US, end=9), record("2"))


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("what", "left"),
    [
        ({}, []),
        ({"source": "a"}, ["1", "2", "b1"]),
        ({"source": ""}, ["a1", "a2", "b1"]),
        ({"from_us": SETUP_US}, ["1"]),
        ({"from_us": SETUP_US, "to_us": SETUP_US + 1}, ["1", "a2"]),
        ({"to_us": SETUP_US}, ["2", "a1", "a2", "b1"]),
        ({"session_ids": ("a1", "b1", "2", "x")}, ["1", "a2"]),
        ({"session_ids": ("a1", "b1"), "source": "b"}, ["1", "2", "a1", "a2"]),
        ({"session_ids": ("a1", "a2"), "source": "a", "to_us": SETUP_US + 1}, ["1", "2", "a2", "b1"]),
    ],
)
def test_records_that_satisfy_all_that_is_set_are_deleted_and_rejected(
    place: Place, what: dict[str, Any], left: list[str]
) -> None:
    write_five(place)
    assert delete(place, **what) == DeletionOutcome(5 - len(left), 1)
    place.reopen()
    assert names(place) == left
    write_five(place)
    assert names(place) == left
    place.store.lift_deletion(1, token())
    write_five(place)
    assert names(place) == ["1", "2", "a1", "a2", "b1"]


def test_rejected_records_have_the_reason_deleted(place: Place) -> None:
    delete(place, session_ids=("a1",))
    assert place.write(record("a1"), record("a2")) == (1, 0, 0, ["DELETED"])


def test_a_record_is_compared_by_what_was_merged(place: Place) -> None:
    place.write(record("one", revision=2), record("one", -9, revision=1))
    assert delete(place, to_us=SETUP_US).deleted == 0
    assert delete(place, from_us=SETUP_US).deleted == 1
    assert place.write(record("one", revision=2))[3] == ["DELETED"]


def test_a_version_from_outside_the_rule_begins_a_new_record(place: Place) -> None:
    place.write(record("one", account_id="x"))
    assert delete(place, from_us=SETUP_US).deleted == 1
    place.store.lift_deletion(1, token())
    assert place.write(record("one", -1)) == (1, 0, 0, [])
    assert place.cells(keys=["account_id"]) == [(0, "", (1, 0, 0))]


def test_a_deletion_of_once_keeps_no_rule(place: Place) -> None:
    write_five(place)
    assert delete(place, once=True) == DeletionOutcome(5, None)
    assert list(place.store.deletions()) == []
    write_five(place)
    assert len(names(place)) == 5


def test_rules_are_listed_by_number_and_numbers_are_never_used_again(place: Place) -> None:
    delete(place, source="a", from_us=3, to_us=4)
    delete(place, session_ids=("x", "y"))
    place.store.lift_deletion(1, token())
    place.reopen()
    (rule,) = place.store.deletions()
    assert (rule.rule_id, rule.source, rule.from_us, rule.to_us) == (2, None, None, None)
    assert (rule.session_id_count, rule.session_ids, rule.create_us, rule.deleted) == (2, (), NOW_US, 0)
    assert set(place.store.deletion(2).session_ids) == {"x", "y"}
    place.store.lift_deletion(2, token())
    assert delete(place, source="b", from_us=3, to_us=4).rule_id == 3
    rule = place.store.deletion(3)
    assert (rule.source, rule.from_us, rule.to_us, rule.session_id_count) == ("b", 3, 4, None)


def test_a_rule_that_does_not_exist_is_not_found(place: Place) -> None:
    for ask in (place.store.deletion, lambda rule_id: place.store.lift_deletion(rule_id, token())):
        with pytest.raises(NotFoundError) as raised:
            ask(7)
        assert (raised.value.reason, raised.value.metadata) == ("DELETION_NOT_FOUND", {"rule_id": "7"})


def test_rules_are_limited(place: Place) -> None:
    place.reopen(deletion_count_max=2, deletion_session_id_total_max=3)
    delete(place, session_ids=("a", "b"))
    with pytest.raises(DeletionLimitError, match="LiftDeletion") as raised:
        delete(place, session_ids=("c", "d"))
    assert raised.value.metadata == {"field": "session_ids", "asked": "4", "allowed": "3"}
    delete(place, session_ids=("c",))
    with pytest.raises(DeletionLimitError, match="LiftDeletion") as raised:
        delete(place, source="x")
    assert raised.value.metadata == {"field": "once", "asked": "3", "allowed": "2"}
    assert delete(place, session_ids=("c", "d"), once=True).rule_id is None


def test_a_cancelled_deletion_changes_nothing(place: Place) -> None:
    write_five(place)
    cancelled = token()
    cancelled.cancel()
    with pytest.raises(CancelledError):
        place.store.delete(Deletion(), cancelled)
    assert len(names(place)) == 5
    assert list(place.store.deletions()) == []
