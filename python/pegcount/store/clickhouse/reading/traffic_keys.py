"""The keys of a traffic scan in SQL, from columns of the ledger.

The value of a key is an Int64 or a text; an absent one is `ABSENT` or '', as in the ledger.
"""

from dataclasses import dataclass
from typing import Final, Literal

from pegcount.store.clickhouse.reading.predicates import Conditions
from pegcount.store.clickhouse.reading.scan_columns import (
    ScanColumn,
    deck_codes,
    longest_code,
    without_plus,
)
from pegcount.store.clickhouse.shared.decks import DeckInUse
from pegcount.store.clickhouse.tables.ledger_table import ABSENT
from pegcount.store.clickhouse.wire.bound_values import BoundValues
from pegcount.traffic import ColumnKey, DeckCodeKey, Key, LocalTimeKey, PrefixKey, QuotientKey

_US_PER_HOUR: Final = 3_600_000_000
_US_PER_DAY: Final = 24 * _US_PER_HOUR

KeyType = Literal["integer", "text", "deck_name", "deck_country"]
"""What the answer has for a key, as `core.TrafficCells` takes it; of a deck, codes stand for their texts."""


@dataclass(frozen=True, slots=True)
class RowKey:
    """A key of a row."""

    value: str
    """An expression of the value; of the name or the country of a deck, of the code that has it."""
    type_name: KeyType
    column: ScanColumn | None = None
    """The column whose value the key is, if it is not derived from one."""

    @property
    def is_integer(self) -> bool:
        """Whether the value is an integer."""
        return self.type_name == "integer"

    @property
    def is_of_deck(self) -> bool:
        """Whether a code stands for the value."""
        return self.type_name in ("deck_name", "deck_country")


class RowKeys:
    """Makes the keys of one scan, over its columns and its bound values."""

    def __init__(self, conditions: Conditions, deck: DeckInUse | None, bound: BoundValues) -> None:
        self._conditions = conditions
        self._deck = deck
        self._bound = bound

    def of(self, key: Key) -> RowKey:
        """Returns a key in SQL.

        Raises ValueError for a column that does not exist, or has values of another type.
        """
        match key:
            case ColumnKey(name):
                return self._column_key(self._conditions.column(name))
            case PrefixKey(name, length):
                text = without_plus(self._text_column(name).value)
                return RowKey(f"substringUTF8({text}, 1, {self._bound.integer(length)})", "text")
            case DeckCodeKey(name):
                return self._deck_code_key(name)
            case QuotientKey(name, divisor):
                return self._quotient_key(name, divisor)
            case LocalTimeKey():
                return RowKey(self._local_time(key), "integer")

    def _column_key(self, column: ScanColumn) -> RowKey:
        if column.entry is not None:
            return RowKey(column.key, "deck_name" if column.value == "name" else "deck_country", column)
        return RowKey(column.key, "text" if column.is_text else "integer", column)

    def _deck_code_key(self, name: str) -> RowKey:
        if self._deck is None:
            raise ValueError(f"a code of {name!r} needs a code deck")
        number = self._text_column(name).value
        codes = deck_codes(self._deck, self._bound)
        return RowKey(longest_code(number, self._deck.code_lengths, codes), "text")

    def _quotient_key(self, name: str, divisor: int) -> RowKey:
        column = self._conditions.column(name)
        if column.is_text:
            raise ValueError(f"{name!r} is not an integer column")
        quotient = floor_division(column.value, self._bound.integer(divisor))
        return RowKey(f"if({column.value} = {ABSENT}, {ABSENT}, {quotient})", "integer")

    def _local_time(self, key: LocalTimeKey) -> str:
        local = f"(setup_time + {self._offset(key)})"
        day, hour = self._bound.integer(_US_PER_DAY), self._bound.integer(_US_PER_HOUR)
        if key.part == "hour":
            return f"intDiv(positiveModulo({local}, {day}), {hour})"
        # 1970-01-01 was a Thursday, the day with the number 4.
        return f"(positiveModulo({floor_division(local, day)} + 3, 7) + 1)"

    def _offset(self, key: LocalTimeKey) -> str:
        if not key.from_us or len(key.from_us) != len(key.offset_us):
            raise ValueError("the offsets of a local time need a first instant each, and at least one")
        if len(key.from_us) == 1:
            return self._bound.integer(key.offset_us[0])
        from_us, offset_us = self._bound.integers(key.from_us), self._bound.integers(key.offset_us)
        # Before the first instant, `roundDown` gives the first one.
        return f"transform(roundDown(setup_time, {from_us}), {from_us}, {offset_us}, toInt64(0))"

    def _text_column(self, name: str) -> ScanColumn:
        column = self._conditions.column(name)
        if not column.is_text or column.entry is not None:
            raise ValueError(f"{name!r} is not a column of texts of records")
        return column


def floor_division(dividend: str, divisor: str) -> str:
    """Returns a quotient that is rounded down, by a positive divisor; `intDiv` rounds towards zero."""
    return f"(intDiv({dividend}, {divisor}) - ({dividend} % {divisor} < 0))"
