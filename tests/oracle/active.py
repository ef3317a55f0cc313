"""The ActiveSessions report."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pegcount.config import Config
from pegcount.v1 import records_pb2, reports_pb2
from pegcount.v1.admin_pb2 import CodeDeckEntry

from . import calendar, unseen, window
from .expected import ExpectedError, Violations, not_found, too_many_cells
from .records import Session

Value = int | str | None
Request = reports_pb2.QueryActiveSessionsRequest
Row = reports_pb2.ActiveSessionRow

AGGREGATES = ("quantity", "duration")
FIELD_NAMES = tuple(field.name for field in Row.DESCRIPTOR.fields if field.name != "level")
TIMES = ("session_setup_time", "session_start_time")
DECK_FIELDS = {"rates_code": "code", "rates_code_name": "name", "rates_country": "country"}


@dataclass(frozen=True)
class _Group:
    """A future row: the values of its key fields, the number of sessions and their summed milliseconds."""

    key: tuple[Value, ...]
    quantity: int
    duration_ms: int


@dataclass(frozen=True)
class _Plan:
    """The parsed request: key fields in order, all fields, and the order as (name, is descending)."""

    zone: str
    key_names: list[str]
    return_fields: list[str]
    order: list[tuple[str, bool]]
    deck: Sequence[CodeDeckEntry] | None


def answer(
    request: Request,
    sessions: Sequence[Session],
    now_us: int,
    config: Config = window.LIMITS,
    *,
    decks: Mapping[int, Sequence[CodeDeckEntry]] | None = None,
) -> reports_pb2.QueryActiveSessionsResponse | ExpectedError:
    """Returns the expected answer without `range.generated_at`.

    The age of a session is measured from its `received_us`.
    """
    violations = Violations()
    zone = violations.zone(request.time_zone if request.HasField("time_zone") else None)
    _check(request, violations, config.filter_value_count_max)
    if violations or zone is None:
        return violations.error()
    deck = None
    if request.HasField("code_deck"):
        deck = (decks or {}).get(request.code_deck)
        if deck is None:
            return not_found("CODE_DECK_NOT_FOUND")
    plan = _Plan(
        zone,
        [name for name in request.return_fields if name not in AGGREGATES],
        list(request.return_fields),
        [(name.removeprefix("-"), name.startswith("-")) for name in request.order],
        deck,
    )
    active = [
        session
        for session in sessions
        if _is_active(session, now_us, config.active_ttl_seconds) and _passes(request.filters, session, deck)
    ]
    if len(_groups(plan, len(plan.key_names), active, now_us)) > config.cell_count_max:
        return too_many_cells()
    response = _response(request, plan, active, now_us)
    if not active:
        response.notices.extend(_unseen(request, sessions))
    return response


def _response(
    request: Request, plan: _Plan, active: Sequence[Session], now_us: int
) -> reports_pb2.QueryActiveSessionsResponse:
    groups = _groups(plan, len(plan.key_names), active, now_us)
    response = reports_pb2.QueryActiveSessionsResponse(
        range=window.resolved(plan.zone, now_us, now_us, None),
        as_of=calendar.format_time(plan.zone, now_us),
        rows=[_row(plan, group) for group in groups],
        row_count=len(groups),
    )
    if request.HasField("limit"):
        del response.rows[request.limit :]
    if request.grouping == reports_pb2.GROUPING_ROLLUP:
        for level in range(1, len(plan.key_names)):
            for group in _groups(plan, level, active, now_us):
                subtotal = _row(plan, group)
                subtotal.level = level
                response.subtotals.append(subtotal)
        (total,) = _groups(plan, 0, active, now_us)
        response.total.CopyFrom(_row(plan, total))
    return response


def _unseen(request: Request, sessions: Sequence[Session]) -> list[reports_pb2.Notice]:
    filters = [
        (f"filters.{field.name}", field.name, values)
        for field, values in request.filters.ListFields()
        if not (request.HasField("code_deck") and field.name.partition("_")[2] in DECK_FIELDS)
    ]
    return unseen.notices(sessions, filters)


def _check(request: Request, violations: Violations, filter_value_count_max: int) -> None:
    if not request.return_fields:
        violations.add("return_fields", "REQUIRED_FIELD_MISSING")
    _check_names("return_fields", request.return_fields, None, violations)
    order = [name.removeprefix("-") for name in request.order]
    _check_names("order", order, request.return_fields, violations)
    for field, values in request.filters.ListFields():
        violations.count_of_values(f"filters.{field.name}", values, filter_value_count_max)
    if request.HasField("limit") and request.limit < 1:
        violations.add("limit", "VALUE_OUT_OF_RANGE")
    if request.grouping not in (reports_pb2.GROUPING_UNSPECIFIED, reports_pb2.GROUPING_ROLLUP):
        violations.add("grouping", "UNKNOWN_ENUM_VALUE")


def _check_names(
    field: str, names: Iterable[str], returned: Iterable[str] | None, violations: Violations
) -> None:
    seen = set()
    for position, name in enumerate(names):
        if name not in FIELD_NAMES:
            violations.add(f"{field}[{position}]", "UNKNOWN_NAME")
        elif name in seen:
            violations.add(f"{field}[{position}]", "REPEATED_NAME")
        elif returned is not None and name not in returned:
            violations.add(f"{field}[{position}]", "ORDER_NOT_RETURNED")
        seen.add(name)


def _is_active(session: Session, now_us: int, active_ttl_s: int) -> bool:
    return (
        session.kind == records_pb2.SESSION_KIND_CALL
        and not session.finished
        and session.received_us + active_ttl_s * calendar.MICROSECONDS > now_us
    )


def _passes(
    filters: reports_pb2.ActiveSessionFilters, session: Session, deck: Sequence[CodeDeckEntry] | None
) -> bool:
    return all(_value(session, field.name, deck) in values for field, values in filters.ListFields())


def _value(session: Session, name: str, deck: Sequence[CodeDeckEntry] | None) -> Value:
    """Returns the value that the report shows for a field; times stay in microseconds."""
    leg, _, rest = name.partition("_")
    if deck is not None and rest in DECK_FIELDS:
        entry = _longest(deck, session.texts.get(f"{leg}_dst_party_id"))
        return None if entry is None else getattr(entry, DECK_FIELDS[rest]) or None
    if name == "session_id":
        return session.session_id
    if name == "session_setup_time":
        return session.setup_us
    if name == "session_start_time":
        return session.answer_us
    return session.texts.get(name, session.numbers.get(name))


def _longest(deck: Sequence[CodeDeckEntry], party: str | None) -> CodeDeckEntry | None:
    if party is None:
        return None
    matching = [entry for entry in deck if party.removeprefix("+").startswith(entry.code)]
    return max(matching, key=lambda entry: len(entry.code), default=None)


def _groups(plan: _Plan, level: int, active: Iterable[Session], now_us: int) -> list[_Group]:
    """Returns one ordered group per distinct key prefix of `level` fields; exactly one group for level 0."""
    names = plan.key_names[:level]
    members: dict[tuple[Value, ...], list[int]] = defaultdict(list)
    if not names:
        members[()] = []
    for session in active:
        key = tuple(_value(session, name, plan.deck) for name in names)
        members[key].append(_duration_ms(session, now_us))
    groups = [_Group(key, len(durations), sum(durations)) for key, durations in members.items()]
    for position in reversed(range(level)):
        groups = _sorted(groups, [group.key[position] for group in groups], is_descending=False)
    for name, is_descending in reversed(plan.order):
        if name in names or name in AGGREGATES:
            values = [_displayed_value(plan, group, name) for group in groups]
            groups = _sorted(groups, values, is_descending)
    return groups


def _duration_ms(session: Session, now_us: int) -> int:
    return 0 if session.answer_us is None else max(0, now_us - session.answer_us) // 1000


def _sorted(groups: Sequence[_Group], values: Sequence[Any], is_descending: bool) -> list[_Group]:
    """Sorts stably by the values, absent ones last in both directions."""
    present = [pair for pair in zip(values, groups, strict=True) if pair[0] is not None]
    absent = [group for value, group in zip(values, groups, strict=True) if value is None]
    present.sort(key=lambda pair: pair[0], reverse=is_descending)
    return [group for _, group in present] + absent


def _displayed_value(plan: _Plan, group: _Group, name: str) -> Value:
    if name == "quantity":
        return group.quantity
    if name == "duration":
        return group.duration_ms // 1000
    return group.key[plan.key_names.index(name)]


def _row(plan: _Plan, group: _Group) -> Row:
    row = Row()
    for name in plan.return_fields:
        if name not in AGGREGATES and plan.key_names.index(name) >= len(group.key):
            continue
        value = _displayed_value(plan, group, name)
        if name in TIMES and isinstance(value, int):
            value = calendar.format_time(plan.zone, value)
        if value is not None:
            setattr(row, name, value)
    return row
