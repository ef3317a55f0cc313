"""Random deliveries of a world's messages to a store."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as st
from oracle import records
from oracle.strategies import US, Dice
from pegcount.v1.records_pb2 import SessionRecord

from .served import Delivery, Upkeep, Write

Drawn = TypeVar("Drawn")

_DAY_US = 86_400 * US
_AGES_US = (0, 0, 1, 3600 * US - 1, 3600 * US, _DAY_US - 1, _DAY_US, _DAY_US + 1, 3 * _DAY_US, -US)
_REVISION_STEP = 1_000
_UPKEEP: tuple[tuple[Upkeep, ...], ...] = (
    (),
    (),
    (Upkeep.SEAL,),
    (Upkeep.REOPEN,),
    (Upkeep.MAINTAIN,),
    (Upkeep.MAINTAIN, Upkeep.REOPEN),
    (Upkeep.SEAL, Upkeep.REOPEN),
    (Upkeep.SEAL, Upkeep.SEAL),
)


def deliveries(messages: Sequence[SessionRecord], now_us: int) -> st.SearchStrategy[Delivery]:
    """Draws deliveries of the messages in this order, in batches of one size; some are received days before
    now."""
    return st.binary(min_size=24, max_size=24).map(lambda drawn: _delivery(Dice(drawn), messages, now_us))


def corrected(messages: Sequence[SessionRecord], now_us: int) -> st.SearchStrategy[Delivery]:
    """Draws deliveries of which some batches are corrections, some of them of what was sent before."""
    return st.binary(min_size=32, max_size=32).map(lambda drawn: _corrected(Dice(drawn), messages, now_us))


def rearranged(messages: Sequence[SessionRecord], now_us: int) -> st.SearchStrategy[Delivery]:
    """Draws deliveries in any order, some messages repeated, all received now."""
    return st.binary(min_size=24, max_size=24).map(lambda drawn: _rearranged(Dice(drawn), messages, now_us))


def delivered(
    versions: st.SearchStrategy[list[SessionRecord]],
    deliver: Callable[[list[SessionRecord]], st.SearchStrategy[Drawn]],
) -> st.SearchStrategy[tuple[list[SessionRecord], Drawn]]:
    """Draws versions and, of them, deliveries."""
    return versions.flatmap(lambda drawn: st.tuples(st.just(drawn), deliver(drawn)))


def merge_delivery(delivery: Delivery) -> records.MergedRecords:
    """Returns the oracle's records after a delivery; flushes and reopening do not affect it."""
    batches = [step for step in delivery if isinstance(step, Write)]
    messages = [message for batch in batches for message in batch.messages]
    times_us = [batch.received_us for batch in batches for _ in batch.messages]
    corrects = [batch.corrects for batch in batches for _ in batch.messages]
    return records.merge_messages(messages, times_us, corrects=corrects)


def _delivery(dice: Dice, messages: Sequence[SessionRecord], now_us: int) -> Delivery:
    batches = _batches(dice, messages)
    # The receiving clock never goes back.
    ages_us = sorted((dice.pick(_AGES_US) for _ in batches), reverse=True)
    return _with_upkeep(
        dice, [Write(batch, now_us - age_us) for batch, age_us in zip(batches, ages_us, strict=True)]
    )


def _rearranged(dice: Dice, messages: Sequence[SessionRecord], now_us: int) -> Delivery:
    shuffle_seed = dice.below(2**16)
    shuffler = random.Random(shuffle_seed)
    again = shuffler.choices(messages, k=dice.pick((0, 1, len(messages)))) if messages else []
    order = [*messages, *again]
    shuffler.shuffle(order)
    return _with_upkeep(dice, [Write(batch, now_us) for batch in _batches(dice, order)])


def _corrected(dice: Dice, messages: Sequence[SessionRecord], now_us: int) -> Delivery:
    """Spreads the revisions, so that those that corrections are given lie between them."""
    spread = []
    for message in messages:
        spread.append(SessionRecord())
        spread[-1].CopyFrom(message)
        if message.revision:
            spread[-1].revision *= _REVISION_STEP
    writes: list[Write] = []
    for batch in _batches(dice, spread):
        writes.append(Write(batch, now_us, corrects=dice.below(3) == 0))
        if dice.below(2):
            writes.append(
                Write([_as_correction(one, dice) for one in dice.pick(writes).messages], now_us, True)
            )
    return _with_upkeep(dice, writes)


def _as_correction(message: SessionRecord, dice: Dice) -> SessionRecord:
    """Returns a whole record with some other content, or with the same."""
    found = SessionRecord()
    found.CopyFrom(message)
    found.ClearField("event")
    match dice.below(4):
        case 0:
            found.ClearField("answer_time")
        case 1:
            found.agent_id = dice.pick(("", "x", "y"))
        case 2:
            found.ClearField("revision")
    return found


def _batches(dice: Dice, messages: Sequence[SessionRecord]) -> list[list[SessionRecord]]:
    size = dice.pick((100, 1, 2, 5, 17))
    return [list(messages[start : start + size]) for start in range(0, len(messages), size)]


def _with_upkeep(dice: Dice, writes: Sequence[Write]) -> Delivery:
    steps: list[Write | Upkeep] = []
    for write in writes:
        steps += [write, *dice.pick(_UPKEEP)]
    return steps
