"""The figures depend only on the set of received versions, not on how they arrive.

Versions of equal rank differ in content here, and only a hash of it orders them. So these tests compare
deliveries with each other instead of comparing with the oracle.
"""

from typing import Any

from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from oracle import active, calendar
from oracle.samples import record
from oracle.strategies import DAY_US, TALK_US, US, Dice, stamp
from pegcount.config import Config
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SessionRecord
from properties import budget, deliveries
from properties.served import Delivery, Upkeep, Write, shared_service

from conformance.stores import StoreFactory

_FIRST_US = calendar.parse_time("2026-03-27", "UTC")
_NOW_US = _FIRST_US + 8 * DAY_US
# The first and last microsecond of a day, and a time between.
_OFFSETS_US = (0, 3600 * US, DAY_US - 1)
_KINDS: tuple[Any, ...] = (None, "SESSION_KIND_CALL", "SESSION_KIND_ASR")
_EVENTS: tuple[Any, ...] = (
    *(None, "SESSION_EVENT_START", "SESSION_EVENT_UPDATE", "SESSION_EVENT_END", "SESSION_EVENT_UNSPECIFIED"),
)
_TEXTS: dict[str, tuple[Any, ...]] = {
    "folder": (None, "", "f", "g", "h"),
    "agent_id": (None, "x", "y"),
    "customer_price": (None, "0.1", "0.10", "2"),
    "orig_clients_name": (None, "a", "b"),
    "orig_clients_id": (None, 1, 2),
    "is_last_attempt": (None, True, False),
}
_REPLACEMENTS: tuple[dict[str, Any], ...] = ({}, {}, {"replaces": True}, {"replaces": False})
_ALWAYS: dict[str, Any] = {"account_id": "1", "company": "c", "organization": "o"}
_RANGE: dict[str, Any] = {"from_time": "2026-03-20", "to_time": "2026-04-10"}
_SINGULAR = [name for name in active.FIELD_NAMES if name not in active.AGGREGATES]
REQUESTS: list[Message] = [
    *(
        reports_pb2.QueryAsrUsageRequest(granularity="GRANULARITY_HOUR", kind=kind, **_RANGE)
        for kind in _KINDS[1:]
    ),
    reports_pb2.QueryActiveSessionsRequest(return_fields=[*_SINGULAR, "quantity", "duration"]),
    reports_pb2.QueryFolderStatsRequest(
        company="c", organization="o", from_date="2026-03-20", to_date="2026-04-10"
    ),
    reports_pb2.QueryOriginationQualityRequest(account_id="1", sampling="GRANULARITY_HOUR", **_RANGE),
    reports_pb2.QueryOriginationQualityRequest(
        account_id="1",
        sampling="GRANULARITY_DAY",
        customer_price=reports_pb2.DecimalFilter(gt="0.05", lt="1"),
        **_RANGE,
    ),
]


def _version(drawn: bytes) -> SessionRecord:
    dice = Dice(drawn)
    setup_us = _FIRST_US + dice.below(6) * DAY_US + dice.pick(_OFFSETS_US)
    answer_us = dice.pick((None, setup_us, setup_us + dice.pick(TALK_US)))
    end_us = dice.pick((None, (answer_us or setup_us) + dice.pick(TALK_US)))
    event = dice.pick(_EVENTS)
    if event == "SESSION_EVENT_END" and end_us is None:
        end_us = answer_us or setup_us
    return SessionRecord(
        session_id=dice.pick(("a", "a", "b")),
        revision=dice.pick((None, 0, 0, 1, -1)),
        part=dice.pick((None, None, 1, 2)),
        part_class=dice.pick((None, 1, 2, 3)),
        **dice.pick(_REPLACEMENTS),
        kind=dice.pick(_KINDS),
        event=event,
        setup_time=stamp(setup_us, dice.pick((0, 999))),
        answer_time=stamp(answer_us),
        end_time=stamp(end_us),
        **_ALWAYS,
        **{name: dice.pick(pool) for name, pool in _TEXTS.items()},
    )


VERSIONS = st.lists(st.binary(min_size=24, max_size=24).map(_version), min_size=1, max_size=8)


def rearranged(versions: list[SessionRecord]) -> st.SearchStrategy[Delivery]:
    return deliveries.rearranged(versions, _NOW_US)


@budget.drawn(budget.scaled(120))
@given(drawn=deliveries.delivered(VERSIONS, lambda versions: st.tuples(*[rearranged(versions)] * 2)))
def test_arrival_of_versions_decides_nothing(
    stores: StoreFactory, drawn: tuple[list[SessionRecord], tuple[Delivery, ...]]
) -> None:
    versions, others = drawn
    service = shared_service(Config(), stores)
    service.load([Write(versions, _NOW_US)], _NOW_US)
    expected = [service.ask(request) for request in REQUESTS]
    for delivery in others:
        service.load(delivery, _NOW_US)
        for request, answer in zip(REQUESTS, expected, strict=True):
            assert service.ask(request) == answer


@budget.drawn(budget.scaled(100))
@given(drawn=deliveries.delivered(VERSIONS, rearranged))
def test_each_repetition_is_a_duplicate(
    stores: StoreFactory, drawn: tuple[list[SessionRecord], Delivery]
) -> None:
    versions, delivery = drawn
    service = shared_service(Config(), stores)
    repetition = Write(versions, _NOW_US)
    outcome = service.load([*delivery, repetition], _NOW_US)[-1]
    assert (outcome.accepted, outcome.replaced, outcome.duplicates) == (0, 0, len(versions))


def test_version_finds_its_sealed_record_however_far_it_spans(stores: StoreFactory) -> None:
    """Regression: versions of a record were once searched for only within two days of its current one."""
    of_day = [
        record("a", _FIRST_US + day * DAY_US, end=_FIRST_US + day * DAY_US, revision=-day) for day in range(9)
    ]
    service = shared_service(Config(), stores)
    chains = (of_day, of_day[::-1], of_day[::2] + of_day[1::2])
    for chain in chains[: max(1, round(len(chains) * stores.example_share))]:
        delivery: list[Write | Upkeep] = []
        for version in chain:
            delivery += [Write([version], _NOW_US), Upkeep.SEAL, Write([version], _NOW_US), Upkeep.REOPEN]
        outcomes = service.load(delivery, _NOW_US)
        assert [outcome.duplicates for outcome in outcomes] == [0, 1] * 9
        assert service.info().records == 1
