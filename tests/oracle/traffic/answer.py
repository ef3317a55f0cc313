"""Answers a QueryTrafficRequest."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pegcount.config import Config
from pegcount.v1 import traffic_pb2
from pegcount.v1.admin_pb2 import CodeDeckEntry
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, QueryTrafficResponse

from oracle import calendar, window
from oracle.expected import ExpectedError, too_many_cells
from oracle.records import Session

from . import comparison, figures, money, scanned
from .cells import Bins, Cell, Counting, Group, Key, together
from .dimensions import Value
from .figures import Figure
from .notices import notices
from .plan import Plan, plan

_DOUBLES = (*figures.SHARES, *figures.MEANS, "cps", "margin_share", "erlang")
_SUM, _MAX, _NONE = (traffic_pb2.ADDITIVITY_SUM, traffic_pb2.ADDITIVITY_MAX, traffic_pb2.ADDITIVITY_NONE)


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
    planned = plan(request, now_us, config, decks or {})
    if isinstance(planned, ExpectedError):
        return planned
    bins = planned.bins
    groups = planned.counting.groups(sessions, bins)
    calls = [call for group in groups for call in group.calls]
    if refusal := _refusal(planned, groups, sessions, calls):
        return refusal
    response = _head(planned, sessions)
    response.group_count = len(groups)
    counts_nothing = not any(map(any, (group.bins for group in groups)))
    reading = planned.counting.reading
    response.notices.extend(notices(request, calls, sessions, reading, counts_nothing=counts_nothing))
    shown = _shown(request, groups, bins)
    response.groups.extend(_group_message(group) for group in shown)
    _fill(response, request, shown, together(groups, len(bins.covered_us)), bins)
    if planned.then is not None:
        _compare(response, planned.counting, sessions, shown, planned.then)
    return response


def _head(planned: Plan, sessions: Sequence[Session]) -> QueryTrafficResponse:
    """Returns what an answer says of its range and bins, and what it may lack."""
    asked, request, bins = planned.asked, planned.counting.request, planned.bins
    end_us = asked.to_us if asked.in_future else planned.end_us
    has_calendar_ends = request.granularity or asked.in_future
    response = QueryTrafficResponse(
        range=window.resolved(asked.zone, asked.from_us, end_us, request.granularity or None),
        notices=window.in_future() if asked.in_future else _before_retention(planned, sessions),
        t=[edge // calendar.MICROSECONDS for edge in bins.edges[:-1]],
        covered_us=bins.covered_us,
        complete=[
            end <= planned.counting.now_us for end in (bins.edges[1:] if has_calendar_ends else [asked.to_us])
        ],
    )
    if sessions:
        latest_us = max(session.setup_us for session in sessions)
        response.latest_setup_time = calendar.format_time(asked.zone, latest_us)
    return response


def _before_retention(planned: Plan, sessions: Sequence[Session]) -> Any:
    """Returns the notice that records before the range, or before the calls in it, may be missing."""
    counting = planned.counting
    lookback_s = counting.config.call_seconds_max if counting.occupancies() else 0
    return window.before_retention(sessions, planned.asked.from_us - lookback_s * calendar.MICROSECONDS)


def _refusal(
    planned: Plan, groups: Sequence[Group], sessions: Sequence[Session], calls: Sequence[Session]
) -> ExpectedError | None:
    request = planned.counting.request
    if _has_too_many_cells(planned, groups, sessions):
        return too_many_cells()
    refusal = money.refusal(request, [group.calls for group in groups], calls)
    if refusal is None and planned.then is not None:
        earlier = planned.counting.groups(
            sessions, planned.counting.bins(planned.then.edges, *planned.then.range)
        )
        of_groups = [group.calls for group in earlier]
        refusal = money.refusal(request, of_groups, [call for calls in of_groups for call in calls])
    return refusal


def _has_too_many_cells(planned: Plan, groups: Sequence[Group], sessions: Sequence[Session]) -> bool:
    """Returns whether the scans of an answer, or of its earlier range, have more cells than allowed."""
    request, counting = planned.counting.request, planned.counting
    allowed = counting.config.cell_count_max
    ranges = [planned.bins]
    if planned.then is not None:
        ranges.append(counting.bins(planned.then.edges, *planned.then.range))
    for bins in ranges:
        cells = scanned.cells(counting, sessions, bins)
        if len(cells) <= allowed:
            continue
        if not request.HasField("top") or scanned.has_local_keys(counting):
            return True
        # Ranked first, then by bin without the others. The earlier range has the groups of the answer.
        keys = {group.key for group in _winners(request, groups)}
        whole = scanned.cells(counting, sessions, bins, is_whole=True) if bins is planned.bins else ()
        if max(len(whole), sum(key in keys for _, key in cells)) > allowed:
            return True
    return False


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
    response: QueryTrafficResponse | traffic_pb2.TrafficComparison,
    request: QueryTrafficRequest,
    shown: Sequence[Group],
    everything: Group,
    bins: Bins,
) -> None:
    """Appends columns, and the totals of both kinds."""
    covered_us, all_us = bins.covered_us, sum(bins.covered_us)
    for asked in request.metrics:
        spec = figures.with_defaults(asked)
        figure_of = partial(_figure, request, spec)
        by_bin = [
            figure_of(group, [cell], width_us)
            for group in shown
            for cell, width_us in zip(group.bins, covered_us, strict=True)
        ]
        by_group = [figure_of(group, group.bins, all_us) for group in shown]
        total = figure_of(everything, everything.bins, all_us)
        for columns, values in (
            (response.columns, by_bin),
            (response.group_totals, by_group),
            (response.totals, [total]),
        ):
            columns.append(_column(request, spec, values))


def _compare(
    response: QueryTrafficResponse,
    counting: Counting,
    sessions: Sequence[Session],
    shown: Sequence[Group],
    then: comparison.Earlier,
) -> None:
    """Adds the figures of the earlier range for the groups and bins of the answer, and the changes."""
    request = counting.request
    bins = counting.bins(then.edges, *then.range)
    found = {group.key: group for group in counting.groups(sessions, bins)}
    everything = together(list(found.values()), len(bins.covered_us))
    named = [
        found.pop(group.key, Group(group.key, together([], len(bins.covered_us)).bins))
        for group in shown
        if not group.is_other
    ]
    if len(named) < len(shown):
        named.append(together(list(found.values()), len(bins.covered_us)))
    compared = response.compared
    zone = counting.reading.zone
    compared.range.CopyFrom(window.resolved(zone, *then.range, request.granularity or None))
    compared.t.extend(-1 if at is None else then.edges[at] // calendar.MICROSECONDS for at in then.pair)
    _fill(compared, request, named, everything, bins)
    for now, before in zip(response.columns, compared.columns, strict=True):
        comparison.rearrange(now, before, then.pair, len(bins.covered_us))
    for changes, columns, earlier in (
        (compared.changes, response.columns, compared.columns),
        (compared.group_total_changes, response.group_totals, compared.group_totals),
        (compared.total_changes, response.totals, compared.totals),
    ):
        changes.extend(map(comparison.change, columns, earlier))


def _figure(
    request: QueryTrafficRequest,
    spec: traffic_pb2.MetricSpec,
    group: Group,
    cells: Sequence[Cell],
    covered_us: int,
) -> Figure:
    """Returns a metric over some bins of a group; amounts of several groups by currency have no value."""
    if group.is_other and money.is_by_currency(request, spec):
        return None
    return figures.figure(spec, cells, covered_us)


def _shown(request: QueryTrafficRequest, groups: Sequence[Group], bins: Bins) -> list[Group]:
    if not request.HasField("top"):
        return list(groups)
    winners = _winners(request, groups)
    if len(winners) == len(groups) or not request.top.other:
        return winners
    keys: set[Key] = {group.key for group in winners}
    rest = [group for group in groups if group.key not in keys]
    return [*winners, together(rest, len(bins.covered_us))]


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
    if name in figures.SUMS or name in ("cps", "erlang"):
        column.over_groups = _NONE if money.is_by_currency(request, spec) else _SUM
    if name in ("cps_peak", "peak"):
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
