"""The columns that a scan may name, and how SQL reads them from the ledger and from a code deck."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from pegcount import core
from pegcount.store.clickhouse.shared.decks import DeckInUse
from pegcount.store.clickhouse.tables.settings_tables import DECK_ENTRIES
from pegcount.store.clickhouse.wire.bound_values import BoundValues

_EFFECTIVE: Final = {"kind": "session_kind", "is_last_attempt": "last_attempt"}
"""Columns of the ledger that have the default of a field where the record leaves it out."""
_DERIVED: Final = ("received_time", "duration_ms")
"""Columns that are not fields of a record, and never absent."""
_RATES: Final = {"rates_code": "code", "rates_code_name": "name", "rates_country": "country"}
"""Columns of the entries of a deck by the fields of a record that they stand for, less the leg."""


@dataclass(frozen=True, slots=True)
class EntryOfRow:
    """How SQL finds the entry of a code deck that a row of the ledger has."""

    code: str
    """The code of the entry, of a row of the ledger; empty without an entry."""
    codes: str
    """The codes of all entries, a SELECT that more conditions may follow."""


@dataclass(frozen=True, slots=True)
class ScanColumn:
    """A column of records. Its expressions are of rows of the ledger, or of entries of a code deck."""

    name: str
    is_text: bool
    value: str
    """What predicates compare: an Int64, a UInt8 (`is_byte`) or a text."""
    said: str
    """What the record says, where `value` has a default."""
    is_byte: bool = False
    may_be_absent: bool = True
    entry: EntryOfRow | None = None
    """For the name and the country of a deck: the entry that has them."""

    @property
    def key(self) -> str:
        """What rows are grouped by; with a deck, the code stands for its name and its country."""
        return self.value if self.entry is None else self.entry.code


def scan_columns(deck: DeckInUse | None, bound: BoundValues) -> Mapping[str, ScanColumn]:
    """Returns the columns by name; with a deck, its entries stand in place of the rates of the records."""
    if deck is None:
        return _record_columns()
    codes = deck_codes(deck, bound)
    rates = (column for leg in ("orig", "term") for column in _deck_columns(leg, deck, codes))
    return {**_record_columns(), **{column.name: column for column in rates}}


def deck_codes(deck: DeckInUse, bound: BoundValues) -> str:
    """Returns the codes of all entries of a deck, a SELECT that more conditions may follow."""
    of_entries = f"deck_id = {bound.integer(deck.deck_id)} AND version = {bound.unsigned(deck.version)}"
    return f"SELECT code FROM {DECK_ENTRIES.name} WHERE {of_entries}"


def longest_code(number: str, lengths: tuple[int, ...], codes: str) -> str:
    """Returns the longest code that a number begins with, after a leading plus sign; '' without one."""
    if not lengths:
        return "''"
    digits = without_plus(number)
    # Of a number that is shorter, this is the whole number, whose turn would come later anyway.
    prefixes = ", ".join(f"substring({digits}, 1, {length})" for length in sorted(lengths, reverse=True))
    return f"arrayFirst(prefix -> prefix IN ({codes}), [{prefixes}])"


def without_plus(number: str) -> str:
    """Returns a number without its leading plus sign."""
    return f"if(startsWith({number}, '+'), substring({number}, 2), {number})"


def is_rate(name: str) -> bool:
    """Returns whether a code deck supplies a column."""
    return name[:5] in ("orig_", "term_") and name[5:] in _RATES


@cache
def _record_columns() -> Mapping[str, ScanColumn]:
    names = {*core.record_fields(), *_DERIVED}
    return {name: _record_column(name, type_) for name, type_ in core.ledger_columns() if name in names}


def _record_column(name: str, type_: str) -> ScanColumn:
    return ScanColumn(
        name,
        is_text=type_.endswith(("String", "String)")),
        value=_EFFECTIVE.get(name, name),
        said=name,
        is_byte=name in _EFFECTIVE,
        may_be_absent=name not in _DERIVED,
    )


def _deck_columns(leg: str, deck: DeckInUse, codes: str) -> Iterator[ScanColumn]:
    code = longest_code(f"{leg}_dst_party_id", deck.code_lengths, codes)
    for rate, column in _RATES.items():
        value = code if column == "code" else column
        entry = None if column == "code" else EntryOfRow(code, codes)
        yield ScanColumn(f"{leg}_{rate}", is_text=True, value=value, said=value, entry=entry)
