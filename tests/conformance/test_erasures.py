"""What the text of `pegcount.store.interface` says of erasures, asked of each store."""

from typing import Any

import pytest
from pegcount.core import CancelToken
from pegcount.errors import CancelledError, DeadlineError, ErasureLimitError, NotFoundError
from pegcount.model import Measure, OneOf
from pegcount.privacy import Erasure, ErasureOutcome
from store_tests.party_files import FORMS, NUMBER, OTHER

from conformance.test_contract import DAY_US, NOW_US, Place, place, record, token

__all__ = ["place"]

PARTY_FIELDS = (
    "orig_src_party_id",
    "orig_dst_party_id",
    "term_src_party_id",
    "term_dst_party_id",
    "src_prefix_routing",
    "dst_prefix_routing",
    "orig_accounts_ident",
    "term_accounts_ident",
)
CALLER = PARTY_FIELDS[0]


def erase(place: Place, *parties: str) -> ErasureOutcome:
    expected = place.store.count_parties(parties, token())
    outcome = place.store.erase(parties, token())
    assert outcome.records == expected
    assert place.store.count_parties(parties, token()) == 0
    return outcome


def callers(place: Place) -> list[tuple[str, str]]:
    """Session id and calling number of each record."""
    return [cell[1:3] for cell in place.cells(keys=["session_id", CALLER])]


def write_callers(place: Place, *numbers: str, **more: Any) -> None:
    for i, number in enumerate(numbers):
        place.write(record(f"c{i}", i, orig_src_party_id=number, **more))


def test_a_number_is_erased_in_all_forms_and_later_writes_are_held_to_that(place: Place) -> None:
    write_callers(place, *FORMS, OTHER)
    assert erase(place, NUMBER) == ErasureOutcome(len(FORMS), 1)
    expected = [(f"c{i}", "") for i in range(len(FORMS))] + [(f"c{len(FORMS)}", OTHER)]
    assert callers(place) == expected
    place.reopen()
    assert callers(place) == expected
    place.write(record("late", answer=1, orig_src_party_id=FORMS[1]))
    assert ("late", "") in callers(place)
    assert place.store.count_parties([NUMBER, OTHER], token()) == 1


@pytest.mark.sampled(3)
@pytest.mark.parametrize("field", PARTY_FIELDS)
def test_every_field_of_a_party_is_erased(place: Place, field: str) -> None:
    held: dict[str, Any] = {"a": {field: FORMS[0]}, "b": {field: OTHER}, "c": {field: FORMS[2]}}
    place.write(*(record(name, **given) for name, given in held.items()))
    assert erase(place, NUMBER).records == 2
    place.write(record("d", **held["a"]))
    assert [cell[1:3] for cell in place.cells(keys=["session_id", field])] == [
        ("a", ""),
        ("b", OTHER),
        ("c", ""),
        ("d", ""),
    ]


def test_ids_sources_and_accounts_stay(place: Place) -> None:
    ids: dict[str, Any] = {
        "account_id": FORMS[0],
        "source": FORMS[0],
        "orig_leg_id": FORMS[0],
        "agent_id": FORMS[0],
    }
    place.write(record(FORMS[0], **ids))
    assert erase(place, NUMBER).records == 0
    assert place.cells(keys=["session_id", *ids]) == [(0, *[FORMS[0]] * 5, (1, 0, 0))]


def test_figures_stay_and_what_comes_again_is_a_duplicate(place: Place) -> None:
    calls = [
        record(f"c{i}", i, answer=1, end=4_000 + i, orig_src_party_id=form) for i, form in enumerate(FORMS)
    ]
    for call in calls:
        place.write(call)
    before = place.cells(measure=Measure("calls"))
    erase(place, NUMBER)
    assert place.cells(measure=Measure("calls")) == before
    for call in calls:
        assert place.write(call) == (0, 0, 1, [])
    assert place.cells(measure=Measure("calls")) == before


def test_later_events_of_an_erased_record_join_it(place: Place) -> None:
    place.write(record("one", orig_src_party_id=FORMS[0], event=1))
    erase(place, NUMBER)
    update = record("one", answer=7, orig_src_party_id=FORMS[2], orig_dst_party_id=OTHER, event=2)
    assert place.write(update) == (0, 1, 0, [])
    assert place.cells(keys=["session_id", CALLER, "orig_dst_party_id"]) == [(0, "one", "", OTHER, (1, 0, 0))]


def test_a_number_of_a_version_that_others_hide_is_erased_too(place: Place) -> None:
    place.write(
        record("one", revision=1, orig_src_party_id=FORMS[0]),
        record("one", revision=2, orig_src_party_id=OTHER),
    )
    erase(place, NUMBER)
    place.store.erase([OTHER], token())
    assert callers(place) == [("one", "")]


def test_names_are_compared_without_regard_to_case(place: Place) -> None:
    write_callers(place, "sip:anna@example.com", "SIP:Anna@Example.com", "sip:anna@example.org")
    assert erase(place, "Sip:ANNA@example.com").records == 2
    assert callers(place) == [("c0", ""), ("c1", ""), ("c2", "sip:anna@example.org")]


def test_to_erase_again_counts_none_and_gets_a_number_of_its_own(place: Place) -> None:
    write_callers(place, FORMS[0])
    erase(place, *FORMS)
    assert erase(place, NUMBER) == ErasureOutcome(0, 2)
    place.now_us += DAY_US
    place.reopen()
    assert list(place.store.erasures()) == [
        Erasure(1, 1, NOW_US, 1, is_complete=True),
        Erasure(2, 1, NOW_US, 0, is_complete=True),
    ]


def test_a_lifted_erasure_holds_later_writes_no_more(place: Place) -> None:
    write_callers(place, FORMS[0])
    erase(place, NUMBER)
    erase(place, OTHER)
    place.store.lift_erasure(1, token())
    place.store.lift_erasure(2, token())
    place.reopen()
    assert list(place.store.erasures()) == []
    place.write(record("new", orig_src_party_id=FORMS[0]))
    assert callers(place) == [("c0", ""), ("new", FORMS[0])]
    assert erase(place, NUMBER) == ErasureOutcome(1, 3)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("milliseconds", range(0, 40, 2))
def test_an_erasure_whose_call_ended_is_complete_once_it_is_lifted(place: Place, milliseconds: int) -> None:
    write_callers(place, *FORMS)
    place.maintain()
    write_callers(place, *FORMS, revision=1)
    in_force = []
    try:
        in_force = [place.store.erase([NUMBER], CancelToken(milliseconds / 1_000)).erasure_id]
    except DeadlineError as error:
        in_force = [int(error.metadata["erasure_id"])] if "erasure_id" in error.metadata else []
    assert [each.erasure_id for each in place.store.erasures()] == in_force
    for erasure_id in in_force:
        place.store.lift_erasure(erasure_id, token())
    assert list(place.store.erasures()) == []
    place.maintain()
    place.reopen()
    assert place.store.count_parties([NUMBER], token()) == (0 if in_force else len(FORMS))
    assert {number for _, number in callers(place)} == ({""} if in_force else set(FORMS))


def test_a_lift_whose_call_ended_changes_nothing(place: Place) -> None:
    write_callers(place, FORMS[0])
    erase(place, NUMBER)
    cancelled = token()
    cancelled.cancel()
    with pytest.raises(CancelledError):
        place.store.lift_erasure(1, cancelled)
    assert [each.erasure_id for each in place.store.erasures()] == [1]


def test_an_erasure_that_does_not_exist_is_not_found(place: Place) -> None:
    with pytest.raises(NotFoundError) as raised:
        place.store.lift_erasure(7, token())
    assert (raised.value.reason, raised.value.metadata) == ("ERASURE_NOT_FOUND", {"erasure_id": "7"})


def test_erased_numbers_are_limited(place: Place) -> None:
    place.reopen(erased_party_total_max=3)
    erase(place, NUMBER, *FORMS, OTHER)
    with pytest.raises(ErasureLimitError, match="LiftErasure") as raised:
        place.store.erase(["1", "2"], token())
    assert raised.value.metadata == {"field": "parties", "asked": "4", "allowed": "3"}
    assert erase(place, "1").erasure_id == 2


def test_a_cancelled_erasure_changes_nothing(place: Place) -> None:
    write_callers(place, FORMS[0])
    cancelled = token()
    cancelled.cancel()
    with pytest.raises(CancelledError):
        place.store.erase([NUMBER], cancelled)
    assert callers(place) == [("c0", FORMS[0])]
    assert list(place.store.erasures()) == []


def test_a_filter_finds_an_erased_number_no_more(place: Place) -> None:
    write_callers(place, FORMS[0], OTHER)
    erase(place, NUMBER)
    assert place.cells(OneOf(CALLER, (FORMS[0], OTHER))) == [(0, (1, 0, 0))]
