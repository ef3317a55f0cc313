"""Random finished and active records, and traffic scans whose values meet theirs often."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import traffic
from pegcount.model import Between, OneOf, OneOfPairs, Predicate, Present, TextMatch
from pegcount.traffic import (
    AnyOf,
    ColumnKey,
    DeckCodeKey,
    InGroups,
    Key,
    LocalTimeKey,
    Not,
    PrefixKey,
    QuotientKey,
    TrafficMeasure,
    TrafficPredicate,
    TrafficScan,
)
from pegcount.v1.records_pb2 import SessionRecord

from conformance.memory_rows import Row
from conformance.memory_traffic import key_value

NOW_US = 1_774_872_000_000_000
"""2026-03-30T12:00:00Z."""
DECK_ID = 3
DECK = (
    *(("49", "Germany", "DE"), ("4930", "Berlin", "DE"), ("1", "", "US"), ("44", "Germany", "")),
    ("15", "x", ""),
)

_US = 1_000_000
_DAY_US = 86_400 * _US
_INT64_MAX = 2**63 - 1
_NUMBERS = ("493012", "+49", "+", "++49", "4", "15", "1", "4930", "+4930x", "٤٩", "+15550100")
_INTEGERS = (1, 2, 3, 0, -1, _INT64_MAX, -_INT64_MAX)
_PRICES = ("0.5", "1.25", "-2", "0", "9223372036.854775807", "-9223372036.854775807", "0.000000001")
_CURRENCIES = ("USD", "EUR", "usd")
_POOLS: dict[str, tuple[Any, ...]] = {
    "source": ("pbx", "sbc"),
    "kind": (1, 1, 2, 3),
    "is_last_attempt": (True, False),
    "account_id": ("a1", "a2", "ä"),
    "tenant_id": _INTEGERS,
    "app_id": (5, 6),
    "equipment_name": ("north", "a'b", "\\N"),
    "company": ("acme", "bell"),
    "organization": ("sales", "support"),
    "folder": ("f1", "f2"),
    "agent_id": ("x", "10", "9"),
    "src_country_id": (1, 2),
    "disconnect_cause": (16, 17, 19, 31, 34, 0, -1, -17, _INT64_MAX),
    "src_prefix_routing": _NUMBERS,
    "dst_prefix_routing": _NUMBERS,
    "orig_dst_party_id": _NUMBERS,
    "term_dst_party_id": _NUMBERS,
    "orig_rates_code": ("49", "44"),
    "orig_rates_country": ("DE", "US"),
    "term_accounts_id": (21, 22, -1),
    "term_accounts_name": ("V1", "V2"),
    "term_rates_code_name": ("Berlin", "x"),
    "customer_price": _PRICES,
    "vendor_price": _PRICES,
    "currency": _CURRENCIES,
    "vendor_currency": _CURRENCIES,
    "sip_status": (200, 404, 486, 699),
    "release_party": (1, 2, 3),
}
_TEXTS = [name for name, pool in _POOLS.items() if isinstance(pool[0], str) and pool is not _PRICES]
_COLUMNS = [name for name, pool in _POOLS.items() if pool is not _PRICES]
_RATES = ("orig_rates_code", "orig_rates_country", "term_rates_code_name")
_LIMITS_US = (0, 1, 999, 1_000, 400_000, 6 * _US, 60 * _US, 7 * _DAY_US)
_DURATIONS_US = (0, 1, 999, 1_000, 1_001, 400_000, 6 * _US - 1, 6 * _US, 60 * _US, 3_600 * _US)
_LONG_US = (_DAY_US, 2 * _DAY_US + 1, 6 * _DAY_US)


def records(dice: random.Random, count: int) -> list[SessionRecord]:
    """Draws records of as many sessions, of which some follow each other within a second."""
    return [_record(dice, number) for number in range(count)]


def _record(dice: random.Random, number: int) -> SessionRecord:
    setup_us = (
        NOW_US - _DAY_US * dice.randrange(4) - dice.randrange(4) * 1_800 * _US - dice.randrange(2 * _US)
    )
    found = SessionRecord(session_id=f"s{number}", setup_time=_stamp(setup_us))
    for name, pool in _POOLS.items():
        if dice.random() < 0.75:
            setattr(found, name, dice.choice(pool))
    answer_us = setup_us + dice.choice(_DURATIONS_US)
    if dice.random() < 0.6:
        found.alert_time.CopyFrom(_stamp(dice.choice((setup_us, answer_us, (setup_us + answer_us) // 2))))
    if dice.random() < 0.6:
        found.answer_time.CopyFrom(_stamp(answer_us))
    if dice.random() < 0.8:
        found.end_time.CopyFrom(_stamp(answer_us + dice.choice((*_DURATIONS_US, dice.choice(_LONG_US)))))
    return found


def _stamp(us: int) -> Timestamp:
    return Timestamp(seconds=us // _US, nanos=us % _US * 1_000)


@dataclass(frozen=True)
class TrafficDice:
    """Draws scans over some rows, whose values most predicates have."""

    dice: random.Random
    rows: list[Row]

    def scan(self) -> TrafficScan:
        """Draws a scan of records, of intervals, or of both."""
        dice = self.dice
        has_intervals = dice.random() < 0.5
        keys: list[Key] = []
        for _ in range(dice.choice((0, 0, 1, 1, 2, 3, 4))):
            key = self._key()
            if key not in keys and not (has_intervals and isinstance(key, LocalTimeKey)):
                keys.append(key)
        predicates = tuple(self._condition() for _ in range(dice.choice((0, 0, 1, 1, 2, 3))))
        measures = [self._measure() for _ in range(dice.randint(0 if has_intervals else 1, 8))]
        occupancy: tuple[TrafficPredicate, ...] = ()
        if has_intervals:
            measures += [self._interval() for _ in range(dice.randint(1, 4))]
            dice.shuffle(measures)
            occupancy = self._occupancy(predicates)
        texts = repr((keys, predicates, occupancy))
        deck = DECK_ID if "DeckCodeKey" in texts or dice.random() < 0.2 else None
        found = tuple(dict.fromkeys(measures))
        now_us = NOW_US - dice.choice((0, 1, _DAY_US, 2 * _DAY_US + 5))
        return TrafficScan(self._edges(), predicates, tuple(keys), found, deck, occupancy, now_us)

    def _occupancy(self, predicates: tuple[TrafficPredicate, ...]) -> tuple[TrafficPredicate, ...]:
        """Draws conditions of records with an interval: much of those of others, and none of local time."""
        dice = self.dice
        found = [one for one in predicates if dice.random() < 0.7]
        if dice.random() < 0.3:
            found.append(self._condition())
        if dice.random() < 0.5:
            received = Between("received_time", NOW_US - dice.choice((-1, 0, 1)), _INT64_MAX)
            found.append(AnyOf((Present("end_time", True), received)))
        return tuple(one for one in found if "LocalTimeKey" not in repr(one))

    def _edges(self) -> Any:
        dice = self.dice
        first_us = NOW_US - dice.choice((_DAY_US, 5 * _DAY_US, 60 * _DAY_US))
        match dice.randrange(8):
            case 0:
                return np.array(dice.choice(([], [NOW_US])), np.int64)
            case 1:
                return np.array([first_us, NOW_US + 1], np.int64)
            case 2:
                start_us = dice.choice(self.rows)["setup_time"] // (60 * _US) * 60 * _US
                return start_us + 60 * _US * np.arange(-10, dice.choice((20, 90, 3_000)), dtype=np.int64)
            case 3:
                return np.unique([dice.randrange(first_us, NOW_US) for _ in range(dice.randint(2, 30))])
            case 4:
                some = [row["setup_time"] + dice.choice((0, 0, 1)) for row in dice.sample(self.rows, 4)]
                return np.unique(np.array(some, np.int64))
            case _:
                step_us = dice.choice((900, 3_600, 86_400, 604_800)) * _US
                start_us = first_us // step_us * step_us + dice.choice((0, 0, 1, 123_456_789))
                return start_us + step_us * np.arange(dice.choice((2, 3, 10, 100)), dtype=np.int64)

    def _key(self) -> Key:
        dice = self.dice
        match dice.randrange(8):
            case 0 | 1 | 2:
                return ColumnKey(dice.choice(_COLUMNS))
            case 3 | 4:
                column = dice.choice(("src_prefix_routing", "dst_prefix_routing"))
                return PrefixKey(column, dice.randint(1, 8))
            case 5:
                return DeckCodeKey(dice.choice(("src_prefix_routing", "dst_prefix_routing")))
            case 6:
                return QuotientKey("disconnect_cause", 16)
            case _:
                return self._local_time()

    def _local_time(self) -> LocalTimeKey:
        dice = self.dice
        from_us = sorted(NOW_US - dice.randrange(4 * _DAY_US) for _ in range(dice.choice((1, 1, 2, 3))))
        offsets = tuple(dice.choice((0, 3_600, 20_700, -12_600, 50_400, -2_670)) * _US for _ in from_us)
        return LocalTimeKey(dice.choice(("hour", "weekday")), tuple(from_us), offsets)

    def _condition(self, depth: int = 0) -> TrafficPredicate:
        dice = self.dice
        match dice.randrange(7 if depth < 2 else 5):
            case 0 | 1 | 2:
                return self._predicate()
            case 3 | 4:
                keys = tuple({self._key() for _ in range(dice.choice((1, 1, 2, 3)))})
                groups = {self._group(keys) for _ in range(dice.choice((0, 1, 3, 10)))}
                return InGroups(keys, tuple(groups))
            case 5:
                # Only the outermost may be a Not.
                inner = [self._condition(depth + 1) for _ in range(dice.choice((1, 2, 3)))]
                return AnyOf(tuple(one for one in inner if not isinstance(one, Not | AnyOf)))
            case _:
                inner_one = self._condition(depth + 1)
                return Not(inner_one.condition if isinstance(inner_one, Not) else inner_one)

    def _group(self, keys: tuple[Key, ...]) -> tuple[traffic.KeyValue, ...]:
        if self.dice.random() < 0.1:
            return (None,) * len(keys)
        row = self.dice.choice(self.rows)
        return tuple(key_value(key, row, {code: () for code, _, _ in DECK}) for key in keys)

    def _predicate(self) -> Predicate:
        dice = self.dice
        match dice.randrange(6):
            case 0:
                column = dice.choice(("tenant_id", "disconnect_cause", "sip_status", "duration_ms", "kind"))
                low, high = sorted(dice.choice((*_INTEGERS, 16, 31, 404, 6_000)) for _ in range(2))
                return Between(column, low, high)
            case 1 | 2:
                column = dice.choice(_COLUMNS)
                values = tuple(dice.choice(_POOLS[column]) for _ in range(dice.choice((1, 2))))
                if not isinstance(values[0], str):
                    values = tuple(map(int, values))
                return OneOf(column, values, dice.random() < 0.3)
            case 3:
                column = dice.choice(_TEXTS)
                how = dice.choice(("eq", "starts_with", "ends_with", "contains"))
                return TextMatch(column, how, dice.choice(_POOLS[column])[: dice.choice((1, 9))])
            case 4:
                pairs = (("acme", dice.choice((None, "sales"))), ("bell", "support"))
                return OneOfPairs("company", "organization", pairs)
            case _:
                return Present(dice.choice((*_COLUMNS, "end_time", "answer_time")), dice.random() < 0.6)

    def _interval(self) -> TrafficMeasure:
        return TrafficMeasure(
            self.dice.choice(("occupied", "occupancy")), self.dice.choice(("talk", "seized"))
        )

    def _measure(self) -> TrafficMeasure:
        dice = self.dice
        how = dice.choice(("count", "count", "sum", "values"))
        what: Any = dice.choice(
            {
                "count": (
                    *("all", "answered", "answered_within", "shorter", "cause_known", "cause_in"),
                    *("delivered", "pdd_known", "alerted", "priced", "unrated"),
                ),
                "sum": ("duration_ms", "ring_ms", "pdd_ms", "customer_price", "vendor_price", "margin"),
                "values": ("duration_ms", "ring_ms", "pdd_ms", "setup_second", "delay_ms"),
            }[how]
        )
        limit_us = dice.choice(_LIMITS_US) if what in ("answered_within", "shorter") else 0
        causes = _POOLS["disconnect_cause"] if what in ("cause_in", "delivered") else ()
        return TrafficMeasure(how, what, limit_us, tuple(dice.sample(causes, min(len(causes), 3))))  # type: ignore[arg-type]
