"""Searches the store for the filter values of a report that counts nothing.

A value that no record held carries is probably a mistake, and the answer says so in a notice. The answer is
right without it, so the search comes after the answer and may be given up at any time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pegcount import core, response
from pegcount.model import Between, Measure, OneOf, Predicate, Scan, SessionKind
from pegcount.server.visible_records import VisibleRecords
from pegcount.v1 import records_pb2, reports_pb2

_CODE_OF_COLUMN: Final[Mapping[str, reports_pb2.NoticeCode]] = {
    "kind": reports_pb2.NOTICE_CODE_KIND_NOT_SEEN,
    "account_id": reports_pb2.NOTICE_CODE_ACCOUNT_NOT_SEEN,
    "orig_accounts_id": reports_pb2.NOTICE_CODE_ACCOUNT_NOT_SEEN,
    "term_accounts_id": reports_pb2.NOTICE_CODE_ACCOUNT_NOT_SEEN,
}
"""The notice about the values of a column; that of all other columns is ID_NOT_SEEN."""


@dataclass(frozen=True, slots=True)
class FilterValues:
    """The values of one filter, each once."""

    field: str
    """Field of the request."""
    column: str
    values: tuple[int, ...] | tuple[str, ...]

    @property
    def scan(self) -> Scan:
        """The scan with one cell for each value that a record carries."""
        return Scan(None, (OneOf(self.column, self.values),), (self.column,), Measure("sessions"))

    def unseen(self, records: VisibleRecords, cancel_token: core.CancelToken) -> Sequence[Any]:
        """Returns the values that no visible record carries; raises the errors of `Store.partials`."""
        if len(self.values) == 1:
            # Ends at the first record found.
            is_seen = records.any_match(self.scan.predicates, cancel_token)
            return () if is_seen else self.values
        [key] = records.partials(self.scan, len(self.values), cancel_token).keys
        if isinstance(key, tuple):
            codes, texts = key
            seen: set[Any] = {texts[code] for code in codes.tolist()}
        else:
            seen = set(key.tolist())
        return [value for value in self.values if value not in seen]

    def notice(self, unseen: Sequence[Any], *, is_scoped: bool) -> reports_pb2.Notice:
        """Returns the notice about the values that no record carries."""
        code = _CODE_OF_COLUMN.get(self.column, reports_pb2.NOTICE_CODE_ID_NOT_SEEN)
        names = [_name(self.column, value) for value in unseen]
        return response.unseen_notice(code, self.field, names, is_scoped=is_scoped)


@dataclass(frozen=True, slots=True)
class UnseenSearch:
    """A search for the values of the filters of one report."""

    filters: tuple[FilterValues, ...]
    message_class: Any
    """Class of the response."""
    records: VisibleRecords

    def notices(self, cancel_token: core.CancelToken) -> bytes:
        """Returns the notices, by filter, serialized so that they can be appended to the response.

        Raises the errors of `Store.partials`.
        """
        found = [(values, values.unseen(self.records, cancel_token)) for values in self.filters]
        is_scoped = self.records.data_scope is not None
        notices = [values.notice(unseen, is_scoped=is_scoped) for values, unseen in found if unseen]
        return response.more_notices(self.message_class, notices)


def filter_values(
    predicates: Iterable[Predicate], field_of_column: Mapping[str, str]
) -> tuple[FilterValues, ...]:
    """Returns the values that predicates compare the given columns with, in the order of the predicates."""
    found = ((predicate.column, _values(predicate)) for predicate in predicates)
    return tuple(
        FilterValues(field_of_column[column], column, tuple(dict.fromkeys(values)))
        for column, values in found
        if values and column in field_of_column
    )


def _values(predicate: Predicate) -> tuple[Any, ...]:
    if isinstance(predicate, OneOf):
        return predicate.values
    if isinstance(predicate, Between) and predicate.low == predicate.high:
        return (predicate.low,)
    return ()


def _name(column: str, value: object) -> str:
    if column == "kind" and isinstance(value, int):
        return records_pb2.SessionKind.Name(SessionKind(value))
    return str(value)
