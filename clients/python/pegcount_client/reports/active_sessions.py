"""Active sessions: the calls in progress at one instant, grouped by any of their fields."""

from collections.abc import Iterable, Sequence
from dataclasses import FrozenInstanceError, dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pegcount.v1 import reports_pb2

from pegcount_client.columns import Column, Kind
from pegcount_client.reports.answer import (
    Notice,
    ReportRange,
    logged_notices,
    range_of,
    summary,
    values_or_none,
)
from pegcount_client.rows import Convertible, Rows
from pegcount_client.suggestions import unknown_name
from pegcount_client.times import instant_us, time_in_zone


class ActiveSessionRow:
    """One row of active sessions. It has the fields that `return_fields` asked for, and no others.

    Reading another field raises AttributeError, as None would mean that the calls have no value. Immutable;
    `vars(row)` has the fields by name.
    """

    session_id: str | None
    """The source's id of the session."""
    session_setup_time: datetime | None
    """When the attempt began."""
    session_start_time: datetime | None
    """When the called side answered. None: not answered, or rolled up."""
    equipment_id: int | None
    """Id of the switching equipment."""
    equipment_name: str | None
    """Name of the switching equipment."""
    orig_leg_id: str | None
    """Originating leg: its id. All `orig_` fields are of this leg."""
    orig_src_party_id: str | None
    """Calling party."""
    orig_dst_party_id: str | None
    """Called party."""
    orig_companies_id: int | None
    orig_owner_users_id: int | None
    orig_clients_id: int | None
    orig_clients_name: str | None
    orig_accounts_id: int | None
    orig_accounts_name: str | None
    orig_accounts_ident: str | None
    """What identifies the account."""
    orig_rates_code: str | None
    """Code of the rate, or of the code deck."""
    orig_rates_code_name: str | None
    """Name of the destination, or of the code deck's."""
    orig_rates_country: str | None
    """Country of the destination, or of the code deck's."""
    term_leg_id: str | None
    """Terminating leg: its id. All `term_` fields are of this leg."""
    term_src_party_id: str | None
    term_dst_party_id: str | None
    term_companies_id: int | None
    term_owner_users_id: int | None
    term_clients_id: int | None
    term_clients_name: str | None
    term_accounts_id: int | None
    term_accounts_name: str | None
    term_accounts_ident: str | None
    term_rates_code: str | None
    term_rates_code_name: str | None
    term_rates_country: str | None
    quantity: int
    """Sessions of the row."""
    duration: int
    """Seconds since answer, summed over the sessions of the row; 0 before answer."""
    level: int
    """Of a subtotal: how many key fields are kept, from the first; the others are rolled up, and None."""

    def __init__(self, names: Sequence[str], *values: Any) -> None:
        vars(self).update(zip(names, values, strict=True))

    if not TYPE_CHECKING:  # Else a type checker would allow any name.

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            if name in type(self).__annotations__:
                raise AttributeError(f"the row has no {name}; next step: ask for it in return_fields")
            raise AttributeError(unknown_name("field", name, vars(self)))

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, ActiveSessionRow) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(vars(self).items()))

    def __repr__(self) -> str:
        return f"ActiveSessionRow({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


@dataclass(frozen=True, repr=False)
class ActiveSessions(Convertible):
    """The calls in progress; frames have the rows, with the columns in the order that they were asked for."""

    range: ReportRange
    notices: tuple[Notice, ...]
    as_of_text: str
    """Instant of the snapshot, RFC 3339."""
    rows: Rows[ActiveSessionRow]
    """The rows, ordered, at most `limit`."""
    subtotals: Rows[ActiveSessionRow]
    """With ROLLUP: one row per proper prefix of the key, the fewest fields first, over all rows and not only
    those within `limit`. These have the column `level` too, which tells rolled up from absent."""
    total: ActiveSessionRow | None
    """With ROLLUP: over all rows. None without."""
    row_count: int
    """Rows that there were before `limit`."""

    @classmethod
    def from_response(
        cls, response: reports_pb2.QueryActiveSessionsResponse, return_fields: Iterable[str]
    ) -> "ActiveSessions":
        """Returns an answer of the service as typed values, and logs its notices.

        `return_fields` are those of the request: the answer does not tell a field that no row has from one
        that was not asked for. Raises ValueError for a field that this client does not know.
        """
        zone = response.range.time_zone
        names = list(return_fields)
        total = [response.total] if response.HasField("total") else []
        return cls(
            range=range_of(response.range),
            notices=logged_notices("active_sessions", response.notices),
            as_of_text=response.as_of,
            rows=_rows(response.rows, names, zone),
            subtotals=_rows(response.subtotals, [*names, _LEVEL], zone),
            total=next(iter(_rows(total, names, zone)), None),
            row_count=response.row_count,
        )

    @property
    def as_of(self) -> datetime:
        """Instant of the snapshot, in the zone of the report. Raises UnknownZoneError."""
        return time_in_zone(self.as_of_text, self.range.time_zone)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the rows."""
        return self.rows.columns

    def __repr__(self) -> str:
        rows = f"{len(self.rows):,} of {self.row_count:,} rows"
        return summary("ActiveSessions", self.range, rows, self.notices)


_LEVEL: Final = "level"
_COUNTS: Final = {"quantity", "duration", _LEVEL}
_FIELDS: Final = reports_pb2.ActiveSessionRow.DESCRIPTOR.fields_by_name


def _rows(
    messages: Sequence[reports_pb2.ActiveSessionRow], names: list[str], zone: str
) -> Rows[ActiveSessionRow]:
    return Rows(partial(ActiveSessionRow, names), [_column(messages, name, zone) for name in names])


def _column(messages: Sequence[reports_pb2.ActiveSessionRow], name: str, zone: str) -> Column:
    kind = _kind_of(name)
    if kind is Kind.COUNT:
        return Column(name, kind, tuple(getattr(row, name) for row in messages))
    values = values_or_none(messages, name)
    if kind is Kind.TIME:
        return Column(name, kind, tuple(None if text is None else instant_us(text) for text in values), zone)
    return Column(name, kind, values)


def _kind_of(name: str) -> Kind:
    field = _FIELDS.get(name)
    if field is None:
        raise ValueError(unknown_name("field of active sessions", name, _FIELDS))
    if name in _COUNTS:
        return Kind.COUNT
    if name.endswith("_time"):
        return Kind.TIME
    return Kind.TEXT if field.cpp_type == field.CPPTYPE_STRING else Kind.ID
