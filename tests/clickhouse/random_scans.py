"""Random records and scans of them, whose values meet often, and of which some are as odd as may be."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from conformance.memory_rows import Row
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.model import (
    Between,
    InNetwork,
    Measure,
    OneOf,
    OneOfPairs,
    Predicate,
    Present,
    Scan,
    TextMatch,
)
from pegcount.v1.records_pb2 import SessionRecord
from properties import scoped_worlds
from properties.scoped_worlds import NOW_US

_US = 1_000_000
_DAY_US = 86_400 * _US
INT64_MAX = 2**63 - 1
ABSENT = -(2**63)
DECK_ID = 3
DECK = (
    ("49", "Germany", "DE"),
    ("4930", "Berlin", "DE"),
    ("1", "", "US"),
    ("44", "Germany", ""),
    ("15", "x", ""),
)

ODD_TEXTS = (
    *("a'b", 'a"b', "a\\b", "a\tb", "a\nb", "a\rb", "a\0b", "%", "_", "ß", "\\N", "NULL", " ", "\U0001f600"),
    *("{p0:Int64}", "a,b", "(a)", "[a]", "--", "\\'", "\\\\"),
)
ADDRESSES = (
    *("192.0.2.1", "192.0.2.255", "198.51.100.7", "::ffff:192.0.2.9", "::ffff:c000:0201", "2001:db8::1"),
    *("::", "0::0", "0:0:0:0:0:0:0:0", "::0.0.0.0", "::1", "0.0.0.0", "255.255.255.255", "::ffff:0.0.0.0"),
    *("192.0.2.01", "192.0.2.1 ", "fe80::1%eth0", "localhost", "::00000", "1:2:3:4:5:6:7::", "00::0:0"),
    *(
        "::2:3:4:5:6:7:8",
        "1:2:3:4:5:6:1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1:2:3:4:5:6:7:8:9",
        ":::",
        "1::2::3",
    ),
    *("192.0.2", "192.0.2.256", "::192.0.2.1", "2001:DB8::1", "::ffff:192.0.2.010", "64:ff9b::192.0.2.1"),
    *("1.2.3.4::", "::1.2.3.4:5", "0x7f.1", "2130706433", "192.0.2.1:5060", "[::1]", "fffff::", "1::2::3"),
)
NETWORKS = (
    *(
        "192.0.2.0/24",
        "0.0.0.0/0",
        "::/0",
        "::",
        "::1",
        "::/96",
        "::ffff:0:0/96",
        "::ffff:0:0/90",
        "192.0.2.1",
    ),
    *(
        "::ffff:192.0.2.0/120",
        "2001:db8::/32",
        "198.51.100.7/31",
        "::/127",
        "8000::/1",
        "::/1",
        "192.0.2.9/024",
    ),
)
"""Blocks and addresses, of which some have bits after their prefix."""


def records(dice: random.Random, count: int) -> list[SessionRecord]:
    """Draws messages of sessions, most of which are whole records."""
    drawn = [message for session in scoped_worlds.sessions(dice, count) for message in session.messages]
    for message in drawn:
        _make_odd(message, dice)
    return drawn


def _make_odd(message: SessionRecord, dice: random.Random) -> None:
    if dice.random() < 0.3:
        message.auth_orig_ip = dice.choice(ADDRESSES)
    for name in ("folder", "agent_id", "company", "src_prefix_routing", "orig_leg_id", "equipment_name"):
        if dice.random() < 0.15:
            setattr(message, name, dice.choice(ODD_TEXTS))
    if dice.random() < 0.1:
        message.folder = dice.choice(ADDRESSES)
    if dice.random() < 0.1:
        message.app_id = dice.choice((INT64_MAX, ABSENT + 1, 0, -1))
    if dice.random() < 0.3:
        number = dice.choice(("493012", "+49", "+", "++49", "4", "15", "1", "4930", "+4930x", "٤٩", ""))
        message.orig_dst_party_id = number
    if dice.random() < 0.1:
        # On an edge of many bins, and just before it.
        second = message.setup_time.seconds // 3_600 * 3_600
        us = second * _US - dice.randrange(2)
        message.setup_time.CopyFrom(Timestamp(seconds=us // _US, nanos=us % _US * 1_000))


@dataclass(frozen=True)
class ScanDice:
    """Draws scans over some records: a half of the values in predicates is of one of them."""

    dice: random.Random
    rows: Sequence[Row]

    def scan(self) -> Scan:
        """Draws a scan of any kind."""
        dice = self.dice
        draw = dice.choice((self.projected, self.of_deck, self._any, self._any))
        return draw()

    def projected(self) -> Scan:
        """Draws a scan that a projection can answer."""
        dice = self.dice
        is_folder = dice.random() < 0.5
        columns = _FOLDER_COLUMNS if is_folder else ("kind", "app_id")
        predicates: list[Predicate] = []
        for column in dice.sample(columns, dice.randrange(3)):
            one = self._one_of(column)
            predicates.append(replace(one, or_absent=one.or_absent and column not in _WITH_DEFAULT))
        if dice.random() < 0.5:
            predicates.append(Present("end_time", dice.random() < 0.7))
        if is_folder and dice.random() < 0.3:
            predicates.append(self._pairs("company", "organization"))
        keys = tuple(dice.sample(columns, dice.randrange(3)))
        measure = Measure(dice.choice(("sessions", "calls")) if is_folder else "sessions")
        unit_us = 3_600 * _US if is_folder else 300 * _US
        edge_us = self._edges()
        if edge_us is not None:
            edge_us = np.unique(edge_us // unit_us * unit_us)
        return Scan(edge_us, tuple(predicates), keys, measure)

    def of_deck(self) -> Scan:
        """Draws a scan whose keys and predicates are rates of a code deck."""
        dice = self.dice
        columns = tuple(dice.sample(_RATES, 3))
        values = tuple({text for entry in DECK for text in entry})
        predicate = dice.choice(
            (
                OneOf(columns[0], tuple(dice.sample(values, 2)), dice.random() < 0.4),
                Present(columns[0], dice.random() < 0.5),
                TextMatch(columns[0], dice.choice(_HOW), dice.choice(("1", "4", "e", "DE"))),
                OneOfPairs(columns[0], columns[1], ((dice.choice(values), dice.choice((*values, None))),)),
                self._predicate(),
            )
        )
        keys = columns[: dice.choice((0, 1, 2, 3))]
        predicates = (predicate, self._predicate())[: dice.choice((0, 1, 1, 2))]
        return Scan(self._edges(), predicates, keys, self._measure(), DECK_ID)

    def _any(self) -> Scan:
        dice = self.dice
        predicates = tuple(self._predicate() for _ in range(dice.choice((0, 0, 1, 1, 2, 3))))
        keys = tuple(dice.sample(COLUMNS, dice.choice((0, 0, 1, 1, 2, 3))))
        return Scan(self._edges(), predicates, keys, self._measure())

    def _measure(self) -> Measure:
        name = self.dice.choice(("sessions", "calls", "elapsed"))
        return Measure(name, NOW_US - self.dice.choice((0, 1, 999, 2 * _DAY_US, -_DAY_US)))

    def _edges(self) -> Any:
        draw = self.dice.choice((_no_edges, _any_edges, _days, _few_edges, *[_even_edges] * 4))
        return draw(self.dice)

    def _predicate(self) -> Predicate:
        dice = self.dice
        match dice.randrange(6):
            case 0:
                column = dice.choice(_INTEGERS)
                low, high = sorted((self._value(column), self._value(column)))
                return Between(column, low, high)
            case 1 | 2:
                return self._one_of(dice.choice(COLUMNS))
            case 3:
                column = dice.choice(_TEXTS)
                text = self._value(column)
                start = dice.randrange(len(text) + 1)
                return TextMatch(column, dice.choice(_HOW), text[start : start + dice.choice((1, 2, 99))])
            case 4:
                column = "auth_orig_ip" if dice.random() < 0.8 else "folder"
                return InNetwork(column, dice.choice(NETWORKS))
            case _:
                if dice.random() < 0.5:
                    return self._pairs(*dice.sample(_DICTIONARIES, 2))
                return Present(dice.choice(COLUMNS), dice.random() < 0.5)

    def _one_of(self, column: str) -> OneOf:
        values = tuple(self._value(column) for _ in range(self.dice.choice((1, 2, 5))))
        return OneOf(column, values, self.dice.random() < 0.3)

    def _pairs(self, first: str, second: str) -> OneOfPairs:
        count = self.dice.choice((1, 2, 5))
        pairs = [
            (self._value(first), None if self.dice.random() < 0.3 else self._value(second))
            for _ in range(count)
        ]
        return OneOfPairs(first, second, tuple(pairs))

    def _value(self, column: str) -> Any:
        found = self.dice.choice(self.rows).get(column)
        is_text = column in _TEXTS
        if found is not None and self.dice.random() < 0.7:
            near = found if is_text else int(found) + self.dice.choice((0, 0, 0, 1, -1))
            return near if is_text else min(near, INT64_MAX)
        odd: Sequence[Any] = (*ODD_TEXTS, "") if is_text else (0, 1, 255, 256, -1, INT64_MAX, ABSENT)
        return self.dice.choice(odd)


def _no_edges(dice: random.Random) -> Any:
    return dice.choice((None, None, np.array([], np.int64), np.array([NOW_US], np.int64)))


def _any_edges(dice: random.Random) -> Any:
    count = dice.randint(2, 40)
    return np.unique([dice.randrange(NOW_US - 7 * _DAY_US, NOW_US) for _ in range(count)])


def _few_edges(dice: random.Random) -> Any:
    """Edges far apart, before 1970, or behind all records."""
    far = [-_DAY_US, -1, 0, NOW_US - 50 * _DAY_US, NOW_US - 5 * _DAY_US // 2, NOW_US, 2 * NOW_US]
    return np.array(sorted(dice.sample(far, dice.randint(2, 5))), np.int64)


def _days(dice: random.Random) -> Any:
    """Local days around the night in which the clocks go forward, in weeks or months before and after."""
    days = np.arange(-60, 5, dice.choice((1, 1, 7, 30)), dtype=np.int64)
    edges = (NOW_US // _DAY_US + days) * _DAY_US - np.where(days < -1, 1, 2) * 3_600 * _US
    if dice.random() < 0.5:
        edges[0] += 1
        edges[-1] -= 777
    return edges


def _even_edges(dice: random.Random) -> Any:
    """Bins of one width, of which the first and the last may be another one."""
    step_us = dice.choice((60, 300, 900, 3_600, 86_400, 604_800)) * _US
    place_us = NOW_US - dice.choice((0, 1, 2, 6)) * _DAY_US + dice.choice((0, 0, 1, 123_456_789))
    edges = place_us // step_us * step_us + step_us * np.arange(dice.choice((2, 3, 4, 50, 500)))
    if dice.random() < 0.5:
        edges[0] += dice.randrange(step_us)
        edges[-1] -= dice.randrange(step_us)
    if dice.random() < 0.2:
        edges[0] -= dice.choice((1, step_us, 3 * step_us + 1))
        edges[-1] += dice.choice((1, step_us, 3 * step_us + 1))
    return np.unique(edges)


_HOW = ("eq", "starts_with", "ends_with", "contains")
_WITH_DEFAULT = ("kind", "is_last_attempt")
_FOLDER_COLUMNS = (*_WITH_DEFAULT, "company", "organization", "folder", "agent_id")
_RATES = [
    f"{leg}_{name}" for leg in ("orig", "term") for name in ("rates_code", "rates_code_name", "rates_country")
]
_FIELDS = SessionRecord.DESCRIPTOR.fields
_AMOUNTS = ("customer_price", "vendor_price")
"""Decimal text in messages, integers in stores."""
_TEXTS = [one.name for one in _FIELDS if one.type == one.TYPE_STRING and one.name not in _AMOUNTS]
_DICTIONARIES = [name for name, type_ in core.ledger_columns() if type_.startswith("LowCardinality")]
_INTEGERS = [one.name for one in _FIELDS if one.name not in _TEXTS] + ["received_time", "duration_ms"]
COLUMNS = [*_TEXTS, *_INTEGERS]
