"""Answers a QueryTrafficRequest."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from pegcount.config import Config
from pegcount.v1 import records_pb2, traffic_pb2
from pegcount.v1.admin_pb2 import CodeDeckEntry
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, QueryTrafficResponse

from oracle import calendar, window
from oracle.expected import ExpectedError, Violations, not_found, too_many_cells
from oracle.records import Session

from . import figures, money
from .dimensions import Reading, Value, key_of, satisfies
from .figures import Figure
from .notices import notices

Key = tuple[Value, ...]

_DOUBLES = (*figures.SHARES, *figures.MEANS, "cps", "margin_share")
_SUM, _MAX, _NONE = (traffic_pb2.ADDITIVITY_SUM, traffic_pb2.ADDITIVITY_MAX, traffic_pb2.ADDITIVITY_NONE)


@dataclass(frozen=True)
class Bins:
    """Calendar bins, clipped to a range: the bins of a request without granularity are its range."""

    edges: Sequence[int]
    from_us: int
    end_us: int

    @property
    def covered_us(self) -> list[int]:
        return [min(end, self.end_us) - max(start, self.from_us) for start, end in pairwise(self.edges)]

    def split(self, calls: Sequence[Session]) -> list[list[Session]]:
        """Returns the calls of each bin; all of them are set up in the range."""
        found: list[list[Session]] = [[] for _ in self.edges[1:]]
        for call in calls:
            found[bisect_right(self.edges, call.setup_us) - 1].append(call)
        return found


@dataclass(frozen=True)
class Group:
    """The calls of a group by bin."""

    key: Key
    bins: list[list[Session]]
    is_other: bool = False
    """Whether it is several groups together."""

    @property
    def calls(self) -> list[Session]:
        return [call for of_bin in self.bins for call in of_bin]


def answer(
    request: QueryTrafficRequest,
    sessions: Sequence[Session],
    now_us: int,
    config: Config = window.LIMITS,
    *,
    decks: Mapping[int, Sequence[CodeDeckEntry]] | None = None,
) -> QueryTrafficResponse | ExpectedError:
    """Returns the expected answer, without `range.generated_at` and the texts of notices.

    Of what may be wrong with a request, the oracle knows the range, the code deck, the cells and the
    currencies.
    """
    violations = Violations()
    asked = window.read_window(request, now_us, violations)
    if violations or asked is None:
        return violations.error()
    end_us = max(asked.from_us, min(asked.to_us, now_us))
    try:
        bins = Bins(_edges(request, asked, end_us, config), asked.from_us, end_us)
    except calendar.TooManyBins:
        violations.add("granularity", "BIN_LIMIT_EXCEEDED")
        return violations.error()
    deck_id = _deck_id(request)
    if deck_id is not None and deck_id not in (decks or {}):
        return not_found("CODE_DECK_NOT_FOUND")
    reading = Reading(asked.zone, (decks or {})[deck_id] if deck_id is not None else None)
    calls = [
        session
        for session in sessions
        if asked.from_us <= session.setup_us < end_us and _counts(request, session, reading)
    ]
    groups = _groups(request, calls, bins, reading)
    if refusal := _refusal(request, groups, calls, config):
        return refusal
    shown_end_us = asked.to_us if asked.in_future else end_us
    response = QueryTrafficResponse(
        range=window.resolved(asked.zone, asked.from_us, shown_end_us, request.granularity or None),
        notices=window.in_future() if asked.in_future else window.before_retention(sessions, asked.from_us),
        t=[edge // calendar.MICROSECONDS for edge in bins.edges[:-1]],
        covered_us=bins.covered_us,
        complete=[end <= now_us for end in _calendar_ends(request, bins, asked)],
        group_count=len(groups),
    )
    response.notices.extend(notices(request, calls, sessions, reading))
    if sessions:
        latest_us = max(session.setup_us for session in sessions)
        response.latest_setup_time = calendar.format_time(asked.zone, latest_us)
    _fill(response, request, groups, calls, bins)
    return response


def _deck_id(request: QueryTrafficRequest) -> int | None:
    specs: list[Any] = [*request.group_by, *request.filters]
    return next((spec.code_deck for spec in specs if spec.HasField("code_deck")), None)


def _edges(request: QueryTrafficRequest, asked: window.Window, end_us: int, config: Config) -> Sequence[int]:
    if asked.in_future:
        return []
    if not request.granularity:
        return [asked.from_us, end_us]
    return calendar.edges(asked.zone, request.granularity, asked.from_us, end_us, config.bin_count_max)


def _calendar_ends(request: QueryTrafficRequest, bins: Bins, asked: window.Window) -> Sequence[int]:
    return bins.edges[1:] if request.granularity or asked.in_future else [asked.to_us]


def _counts(request: QueryTrafficRequest, session: Session, reading: Reading) -> bool:
    return (
        session.finished
        and session.kind == (request.kind or records_pb2.SESSION_KIND_CALL)
        and (session.is_last_attempt or request.attempts == traffic_pb2.ATTEMPTS_ALL)
        and all(satisfies(session, asked, reading) for asked in request.filters)
    )


def _groups(
    request: QueryTrafficRequest, calls: Sequence[Session], bins: Bins, reading: Reading
) -> list[Group]:
    """Returns all groups in the order of their keys, absent values last."""
    found: dict[Key, list[Session]] = {} if request.group_by else {(): []}
    for call in calls:
        key = tuple(key_of(call, spec, reading) for spec in request.group_by)
        found.setdefault(key, []).append(call)
    return [Group(key, bins.split(found[key])) for key in sorted(found, key=_order)]


def _order(key: Key) -> list[tuple[bool, int | str]]:
    return [(value is None, value if value is not None else 0) for value in key]


def _refusal(
    request: QueryTrafficRequest, groups: Sequence[Group], calls: Sequence[Session], config: Config
) -> ExpectedError | None:
    mixed = money.refusal(request, [group.calls for group in groups], calls)
    if mixed is not None:
        return mixed
    if not request.group_by:
        return None
    passes = [groups]
    if request.HasField("top"):
        passes = [[Group(group.key, [group.calls]) for group in groups], _winners(request, groups)]
    cell_counts = [sum(1 for group in one for of_bin in group.bins if of_bin) for one in passes]
    return too_many_cells() if max(cell_counts) > config.cell_count_max else None


def _winners(request: QueryTrafficRequest, groups: Sequence[Group]) -> list[Group]:
    """Returns the groups within the limit by rank: those without a value last, equals by key."""
    spec = figures.with_defaults(request.metrics[request.top.metric])
    # Only ratios of the range depend on the time covered, and in the same way for all groups.
    values = {group.key: _comparable(spec, figures.figure(spec, group.bins, 1)) for group in groups}
    known = [group for group in groups if values[group.key] is not None]
    unknown = [group for group in groups if values[group.key] is None]
    known.sort(key=lambda group: values[group.key], reverse=not request.top.ascending)
    return [*known, *unknown][: request.top.limit]


def _comparable(spec: traffic_pb2.MetricSpec, value: Figure) -> Any:
    return figures.exact(value) if figures.name_of(spec) in figures.AMOUNTS else value


def _fill(
    response: QueryTrafficResponse,
    request: QueryTrafficRequest,
    groups: Sequence[Group],
    calls: Sequence[Session],
    bins: Bins,
) -> None:
    """Appends groups, columns, and the totals of both kinds."""
    shown = _shown(request, groups, bins)
    response.groups.extend(_group_message(group) for group in shown)
    covered_us, all_us = bins.covered_us, sum(bins.covered_us)
    everything = bins.split(calls)
    for asked in request.metrics:
        spec = figures.with_defaults(asked)
        figure_of = partial(_figure, request, spec)
        # Most bins of most groups are empty, and these all have the same value.
        empty = {is_other: figure_of(Group((), [], is_other), [[]], 1) for is_other in (False, True)}
        by_bin = [
            figure_of(group, [of_bin], width_us) if of_bin else empty[group.is_other]
            for group in shown
            for of_bin, width_us in zip(group.bins, covered_us, strict=True)
        ]
        by_group = [figure_of(group, group.bins, all_us) for group in shown]
        total = figure_of(Group((), everything, is_other=True), everything, all_us)
        for columns, values in (
            (response.columns, by_bin),
            (response.group_totals, by_group),
            (response.totals, [total]),
        ):
            columns.append(_column(request, spec, values))


def _figure(
    request: QueryTrafficRequest,
    spec: traffic_pb2.MetricSpec,
    group: Group,
    bins: Sequence[Sequence[Session]],
    covered_us: int,
) -> Figure:
    """Returns a metric over some bins of a group; amounts of several groups by currency have no value."""
    if group.is_other and money.is_by_currency(request, spec):
        return None
    return figures.figure(spec, bins, covered_us)


def _shown(request: QueryTrafficRequest, groups: Sequence[Group], bins: Bins) -> list[Group]:
    if not request.HasField("top"):
        return list(groups)
    winners = _winners(request, groups)
    rest = [call for group in groups if group not in winners for call in group.calls]
    if len(winners) == len(groups) or not request.top.other:
        return winners
    return [*winners, Group((), bins.split(rest), is_other=True)]


def _group_message(group: Group) -> traffic_pb2.TrafficGroup:
    if group.is_other:
        return traffic_pb2.TrafficGroup(other=True)
    return traffic_pb2.TrafficGroup(keys=map(_key_message, group.key))


def _key_message(value: Value) -> traffic_pb2.TrafficKey:
    if isinstance(value, int):
        return traffic_pb2.TrafficKey(integer=value)
    return traffic_pb2.TrafficKey(text=value)


def _column(
    request: QueryTrafficRequest, spec: traffic_pb2.MetricSpec, values: Sequence[Figure]
) -> traffic_pb2.TrafficColumn:
    name = figures.name_of(spec)
    column = traffic_pb2.TrafficColumn(metric=spec, over_bins=_NONE, over_groups=_NONE)
    if name in figures.SUMS:
        column.over_bins = _SUM
    if name in figures.SUMS or name == "cps":
        column.over_groups = _NONE if money.is_by_currency(request, spec) else _SUM
    if name == "cps_peak":
        column.over_bins = _MAX
    if name in figures.AMOUNTS:
        column.decimals.extend("" if value is None else str(value) for value in values)
    elif name in _DOUBLES:
        column.doubles.extend(math.nan if value is None else float(value) for value in values)
    else:
        column.integers.extend(-1 if value is None else int(value) for value in values)
    return column


def has_figures(response: QueryTrafficResponse) -> bool:
    """Returns whether some total is neither 0 nor without a value."""
    return any(
        any(value > 0 for value in (*column.integers, *column.doubles))
        or any(text not in ("", "0") for text in column.decimals)
        for column in response.totals
    )
