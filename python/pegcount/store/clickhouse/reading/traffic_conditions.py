"""The conditions of a traffic scan in SQL: those of other scans, and what joins them."""

from collections.abc import Sequence

from pegcount.model import OneOf
from pegcount.store.clickhouse.reading.predicates import Conditions
from pegcount.store.clickhouse.reading.scan_columns import deck_codes
from pegcount.store.clickhouse.reading.traffic_keys import RowKey, RowKeys
from pegcount.store.clickhouse.shared.decks import DeckInUse
from pegcount.store.clickhouse.tables.ledger_table import ABSENT
from pegcount.store.clickhouse.wire.bound_values import BoundValues
from pegcount.traffic import AnyOf, InGroups, KeyValue, Not, TrafficPredicate

_NEVER = "(0)"


class TrafficConditions:
    """Makes the conditions of one traffic scan, over its columns and its bound values.

    No expression is NULL, so that NOT holds wherever a condition does not, also for absent values.
    """

    def __init__(
        self, conditions: Conditions, keys: RowKeys, deck: DeckInUse | None, bound: BoundValues
    ) -> None:
        self._conditions = conditions
        self._keys = keys
        self._deck = deck
        self._bound = bound

    def of(self, predicate: TrafficPredicate) -> str:
        """Returns the condition that a row satisfies a predicate, in parentheses.

        Raises ValueError for a column that does not exist or has values of another type.
        """
        match predicate:
            case InGroups():
                return self._in_groups(predicate)
            case AnyOf(conditions):
                return f"({' OR '.join(map(self.of, conditions))})" if conditions else _NEVER
            case Not(condition):
                return f"(NOT {self.of(condition)})"
            case _:
                return self._conditions.of(predicate)

    def _in_groups(self, predicate: InGroups) -> str:
        keys = [self._keys.of(key) for key in predicate.keys]
        groups = [group for group in predicate.groups if _may_exist(keys, group)]
        if not groups:
            return _NEVER
        if not keys:
            return "(1)"
        if len(keys) == 1:
            return f"({self._is_among(keys[0], [value for (value,) in groups])})"
        lists = self._bound.tuples(
            [_sql_type(key) for key in keys], [_stored(keys, group) for group in groups]
        )
        values = ", ".join(f"CAST({key.value}, '{_sql_type(key)}')" for key in keys)
        return f"({' OR '.join(f'({values}) IN {self._with_codes(keys, each)}' for each in lists)})"

    def _is_among(self, key: RowKey, values: Sequence[KeyValue]) -> str:
        if key.is_of_deck and key.column is not None:
            texts = tuple(value for value in values if isinstance(value, str))
            return self._conditions.of(OneOf(key.column.name, texts, or_absent=None in values))
        if key.is_integer:
            integers = [value if isinstance(value, int) else ABSENT for value in values]
            return f"CAST({key.value}, 'Int64') IN {self._bound.integers(integers)}"
        texts = tuple(value if isinstance(value, str) else "" for value in values)
        return f"{key.value} IN {self._bound.texts(texts)}"

    def _with_codes(self, keys: Sequence[RowKey], groups: str) -> str:
        """Returns a list of groups, in which codes stand for the texts of a deck that they have."""
        if not any(key.is_of_deck for key in keys) or self._deck is None:
            return groups
        elements, joins = [], []
        for number, key in enumerate(keys, 1):
            if key.is_of_deck and key.column is not None:
                codes = deck_codes(self._deck, self._bound)
                entries = codes.replace(
                    "SELECT code", f"SELECT code, toString({key.column.value}) AS text", 1
                )
                joins.append(
                    f" JOIN (SELECT '' AS code, '' AS text UNION ALL {entries}) AS entry_{number}"
                    f" ON tupleElement(one, {number}) = entry_{number}.text"
                )
                elements.append(f"entry_{number}.code")
            else:
                elements.append(f"tupleElement(one, {number})")
        wanted = f"(SELECT arrayJoin({groups}) AS one) AS wanted"
        return f"(SELECT {', '.join(elements)} FROM {wanted}{''.join(joins)})"


def _may_exist(keys: Sequence[RowKey], group: Sequence[KeyValue]) -> bool:
    """Whether records may have a group; raises ValueError for one with values of other types."""
    if len(group) != len(keys):
        raise ValueError(f"a group has {len(group)} values, and there are {len(keys)} keys")
    for key, value in zip(keys, group, strict=True):
        if value is not None and isinstance(value, int) != key.is_integer:
            raise ValueError(f"{value!r} is not a value of a key of type {key.type_name}")
    return not any(value in ("", ABSENT) for value in group)


def _stored(keys: Sequence[RowKey], group: Sequence[KeyValue]) -> list[int | str]:
    absent: list[int | str] = [ABSENT if key.is_integer else "" for key in keys]
    return [absent[n] if value is None else value for n, value in enumerate(group)]


def _sql_type(key: RowKey) -> str:
    return "Int64" if key.is_integer else "String"
