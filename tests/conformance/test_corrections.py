"""Corrections have the same effect on every store, and that of the oracle."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from oracle import calendar, strategies
from oracle.samples import record
from oracle.strategies import DAY_US, US, World
from pegcount.config import Config
from pegcount.model import WriteOutcome
from pegcount.v1.records_pb2 import SessionRecord
from properties import budget, deliveries
from properties.served import Delivery, SharedService, Upkeep, Write, shared_service

from conformance.stores import StoreFactory
from conformance.test_reports_equal_oracle import Scenario, check_scenario
from conformance.test_versions import REQUESTS, VERSIONS

_NOW_US = calendar.parse_time("2026-04-04", "UTC")
_SETUP_US = calendar.parse_time("2026-03-27T10:00:00Z", "UTC")


def corrected(versions: list[SessionRecord]) -> st.SearchStrategy[Delivery]:
    return deliveries.corrected(versions, _NOW_US)


@budget.drawn(budget.scaled(120))
@given(drawn=deliveries.delivered(VERSIONS.map(strategies.without_ties), corrected))
def test_corrections_equal_the_oracle(
    stores: StoreFactory, drawn: tuple[list[SessionRecord], Delivery]
) -> None:
    messages, delivery = drawn
    world = World("UTC", (), _NOW_US, messages, {})
    check_scenario(Scenario(Config(), world, delivery, REQUESTS), stores, budget.Tally())


@budget.drawn(budget.scaled(100))
@given(drawn=deliveries.delivered(VERSIONS, corrected))
def test_corrections_written_again_change_nothing(
    stores: StoreFactory, drawn: tuple[list[SessionRecord], Delivery]
) -> None:
    versions, delivery = drawn
    corrections = {message.session_id: whole(message) for message in versions}
    again = Write(list(corrections.values()), _NOW_US, corrects=True)
    outcome = shared_service(Config(), stores).load([*delivery, again, Upkeep.REOPEN, again], _NOW_US)[-1]
    # One without a part is rejected if its record has parts only, as the first time.
    assert counts(outcome) == (0, 0, len(corrections) - len(outcome.rejected))


def whole(message: SessionRecord) -> SessionRecord:
    found = SessionRecord()
    found.CopyFrom(message)
    found.ClearField("event")
    if not found.HasField("end_time"):
        found.end_time.seconds = max(found.setup_time.seconds, found.answer_time.seconds) + 1
    return found


def call(session_id: str = "a", **fields: Any) -> SessionRecord:
    """A call that ended after a minute; answered unless `answer` says otherwise."""
    times = {"setup": _SETUP_US, "answer": _SETUP_US + 10 * US, "end": _SETUP_US + 60 * US}
    return record(session_id, **{**times, **fields})


def outcomes(stores: StoreFactory, *steps: Write | Upkeep) -> list[tuple[int, int, int]]:
    return [counts(outcome) for outcome in service_after(stores, *steps)[1]]


def service_after(stores: StoreFactory, *steps: Write | Upkeep) -> tuple[SharedService, list[WriteOutcome]]:
    service = shared_service(Config(), stores)
    return service, service.load(steps, _NOW_US)


def counts(outcome: WriteOutcome) -> tuple[int, int, int]:
    return outcome.accepted, outcome.replaced, outcome.duplicates


def write(*messages: SessionRecord) -> Write:
    return Write(list(messages), _NOW_US)


def correct(*messages: SessionRecord) -> Write:
    return Write(list(messages), _NOW_US, corrects=True)


def test_records_of_one_key_are_corrected_one_after_the_other(stores: StoreFactory) -> None:
    steps = [correct(call(), call(), call(answer=None), call(), call())]
    assert outcomes(stores, *steps, *steps) == [(1, 2, 2), (0, 2, 3)]


def test_correction_is_given_the_next_revision(stores: StoreFactory) -> None:
    """What ranks at most as high as the held version has no effect afterwards."""
    held, corrected = call(revision=7, account_id="x"), call(account_id="y")
    assert outcomes(stores, write(held), correct(corrected), write(call(revision=7)), write(held)) == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (0, 0, 1),
    ]
    assert outcomes(stores, write(held), correct(corrected), write(call(revision=9))) == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 1, 0),
    ]


def test_correction_joins_what_was_apart(stores: StoreFactory) -> None:
    setups = [_SETUP_US + day * DAY_US for day in (0, 2, 1)]
    days = [call(setup=setup, answer=None, end=setup + US) for setup in setups]
    steps: list[Write | Upkeep] = [write(*days[:2]), correct(days[2]), Upkeep.SEAL, correct(days[2])]
    assert outcomes(stores, *steps) == [(2, 0, 0), (0, 1, 0), (0, 0, 1)]
    service, _ = service_after(stores, *steps)
    assert service.info().records == 1


def test_part_is_corrected_alone(stores: StoreFactory) -> None:
    parts = [call(part=number, part_class=2, account_id="x") for number in (1, 2)]
    changed = call(part=2, part_class=2)
    third = call(part=3, part_class=2)
    assert outcomes(stores, write(*parts), correct(parts[0], changed, third), correct(changed)) == [
        (1, 1, 0),
        (0, 2, 1),
        (0, 0, 1),
    ]


def test_refused_corrections_are_listed_in_the_order_of_the_batch(stores: StoreFactory) -> None:
    last = call("last", revision=2**63 - 1)
    batch = correct(
        call(""), call("last", account_id="y"), call("b"), call("c", event="SESSION_EVENT_END"), last
    )
    _, (_, outcome) = service_after(stores, write(last), batch)
    assert counts(outcome) == (1, 0, 1)
    found = [(rejected.index, rejected.reason) for rejected in outcome.rejected]
    assert found == [(0, 1), (1, 11), (3, 18)]
    assert "revision" in outcome.rejected[1].description
    assert "event" in outcome.rejected[2].description


def test_correction_of_an_active_session_ends_it(stores: StoreFactory) -> None:
    started = call(end=None, event="SESSION_EVENT_START")
    service, found = service_after(stores, write(started), Upkeep.REOPEN, correct(call()), correct(call()))
    assert [counts(one) for one in found] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert service.info().active_records == 0
