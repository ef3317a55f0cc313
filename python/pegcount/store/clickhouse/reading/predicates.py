"""The conditions of a scan in SQL, one function for each class of predicates.

An absent value satisfies none but `Present` with `wanted` false and `OneOf` with `or_absent`. In the ledger,
an absent integer is `ABSENT`, and an absent text is ''.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

from pegcount.model import Between, InNetwork, OneOf, OneOfPairs, Predicate, Present, TextMatch
from pegcount.store.clickhouse.reading.networks import in_network
from pegcount.store.clickhouse.reading.scan_columns import ScanColumn
from pegcount.store.clickhouse.tables.ledger_table import ABSENT
from pegcount.store.clickhouse.wire.bound_values import BoundValues

Value = TypeVar("Value", int, str)

_TEXT_MATCHES: Final = {
    "eq": "{value} = {text}",
    "starts_with": "startsWith({value}, {text})",
    "ends_with": "endsWith({value}, {text})",
    # Not LIKE, in which some characters stand for others.
    "contains": "position({value}, {text}) > 0",
}
_INT64_MAX: Final = 2**63 - 1
_UINT8_MAX: Final = 255
_NEVER: Final = "0"


class Conditions:
    """Makes the conditions of one scan, over its columns and its bound values."""

    def __init__(self, columns: Mapping[str, ScanColumn], bound: BoundValues) -> None:
        self._columns = columns
        self._bound = bound

    def column(self, name: str) -> ScanColumn:
        """Returns a column by name; raises ValueError if records do not have it."""
        if name not in self._columns:
            raise ValueError(f"records have no column {name!r}")
        return self._columns[name]

    def of(self, predicate: Predicate) -> str:
        """Returns the condition that a row satisfies a predicate, in parentheses.

        Raises ValueError for a column that does not exist or has values of another type.
        """
        match predicate:
            case OneOfPairs():
                condition = self._one_of_pairs(predicate)
            case Present(_, wanted):
                absent_too = not wanted
                condition = self._of_column(predicate, absent_too)
            case OneOf(_, _, absent_too):
                condition = self._of_column(predicate, absent_too)
            case Between() | TextMatch() | InNetwork():
                condition = self._of_column(predicate, absent_too=False)
        return f"({condition})"

    def _of_column(
        self, predicate: Between | OneOf | TextMatch | InNetwork | Present, absent_too: bool
    ) -> str:
        column = self.column(predicate.column)
        condition = self._of_value(predicate, column)
        if column.entry is None:
            return condition
        found = f"{column.entry.code} IN ({column.entry.codes} AND ({condition}))"
        return f"{found} OR {column.entry.code} = ''" if absent_too else found

    def _of_value(
        self, predicate: Between | OneOf | TextMatch | InNetwork | Present, column: ScanColumn
    ) -> str:
        match predicate:
            case Between():
                return self._between(predicate, column)
            case OneOf():
                return self._one_of(predicate, column)
            case TextMatch():
                return self._text_match(predicate, column)
            case InNetwork():
                return self._in_network(predicate, column)
            case Present(_, wanted):
                return _presence(column, wanted)

    def _between(self, predicate: Between, column: ScanColumn) -> str:
        if column.is_text:
            raise ValueError(f"{column.name!r} is not an integer column")
        low, high = max(predicate.low, ABSENT + 1), min(predicate.high, _INT64_MAX)
        if low > high:
            return _NEVER
        return (
            f"{column.value} >= {self._bound.integer(low)} AND {column.value} <= {self._bound.integer(high)}"
        )

    def _one_of(self, predicate: OneOf, column: ScanColumn) -> str:
        if not predicate.or_absent or not column.may_be_absent:
            return self._among(predicate.values, column, column.value)
        # A value that equals the default of an absent one must not match records without a value.
        return f"{self._among(predicate.values, column, column.said)} OR {_presence(column, wanted=False)}"

    def _among(self, values: Sequence[int] | Sequence[str], column: ScanColumn, value: str) -> str:
        if column.is_text:
            texts = [text for text in _checked(values, str, column) if text]
            return f"{value} IN {self._bound.texts(texts)}" if texts else _NEVER
        is_byte = column.is_byte and value == column.value
        low, high = (0, _UINT8_MAX) if is_byte else (ABSENT + 1, _INT64_MAX)
        integers = [integer for integer in _checked(values, int, column) if low <= integer <= high]
        type_name = "UInt8" if is_byte else "Int64"
        return f"{value} IN {self._bound.integers(integers, type_name)}" if integers else _NEVER

    def _text_match(self, predicate: TextMatch, column: ScanColumn) -> str:
        self._require_text(column)
        if not predicate.text:
            return _NEVER if predicate.how == "eq" else _presence(column, wanted=True)
        return _TEXT_MATCHES[predicate.how].format(value=column.value, text=self._bound.text(predicate.text))

    def _in_network(self, predicate: InNetwork, column: ScanColumn) -> str:
        self._require_text(column)
        address = "auth_address" if column.name == "auth_orig_ip" else None
        return in_network(column.value, address, predicate.network, self._bound)

    def _one_of_pairs(self, predicate: OneOfPairs) -> str:
        first, second = self.column(predicate.column), self.column(predicate.second_column)
        self._require_text(first)
        self._require_text(second)
        with_any = sorted({one for one, other in predicate.pairs if one and other is None})
        pairs = sorted({(one, other) for one, other in predicate.pairs if one and other})
        conditions = []
        if with_any:
            conditions.append(self._of_column(OneOf(first.name, tuple(with_any)), absent_too=False))
        if first.entry is None and second.entry is None:
            both = f"({first.value}, {second.value})"
            conditions += [
                f"{both} IN {values}" for values in self._bound.tuples(("String", "String"), pairs)
            ]
        else:
            conditions += [self._both(first, second, one, other) for one, other in pairs]
        return " OR ".join(conditions) or _NEVER

    def _both(self, first: ScanColumn, second: ScanColumn, one: str, other: str) -> str:
        columns = ((first, one), (second, other))
        found = [self._of_column(OneOf(column.name, (text,)), False) for column, text in columns]
        return f"({found[0]}) AND ({found[1]})"

    def _require_text(self, column: ScanColumn) -> None:
        if not column.is_text:
            raise ValueError(f"{column.name!r} is not a text column")


def _presence(column: ScanColumn, wanted: bool) -> str:
    if column.name == "end_time":
        # The sort key and the projections have it as well.
        return "state = 0" if wanted else "state = 1"
    if not column.may_be_absent:
        return "1" if wanted else _NEVER
    absent = "''" if column.is_text else str(ABSENT)
    return f"{column.said} {'!=' if wanted else '='} {absent}"


def _checked(
    values: Sequence[int] | Sequence[str], type_: type[Value], column: ScanColumn
) -> Iterator[Value]:
    for value in values:
        if not isinstance(value, type_):
            raise ValueError(f"{column.name!r} does not have values such as {value!r}")
        yield value
