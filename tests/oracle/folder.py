"""The FolderStats report."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from pegcount.config import Config
from pegcount.v1 import records_pb2, reports_pb2

from . import calendar, window
from .expected import ExpectedError, Violations, not_found, too_many_cells
from .records import Session


@dataclass(frozen=True)
class _Days:
    """First and last requested day, both inclusive."""

    zone: str
    first: date
    last: date


def answer(
    request: reports_pb2.QueryFolderStatsRequest,
    sessions: Sequence[Session],
    now_us: int,
    config: Config = window.LIMITS,
) -> reports_pb2.QueryFolderStatsResponse | ExpectedError:
    """Returns the expected answer without `range.generated_at` and the texts of notices."""
    violations = Violations()
    days = _read(request, now_us, violations, config.filter_text_bytes_max)
    if days is not None and _has_more_bins(days, config.bin_count_max):
        violations.add("to_date", "BIN_LIMIT_EXCEEDED")
    if violations or days is None:
        return violations.error()
    missing = _missing(request, sessions)
    if missing is not None:
        return not_found(missing)
    start_us = calendar.day_start(days.zone, days.first)
    end_us = calendar.day_start(days.zone, days.last + timedelta(days=1))
    response = reports_pb2.QueryFolderStatsResponse(
        range=window.resolved(days.zone, start_us, end_us, reports_pb2.GRANULARITY_DAY)
    )
    calls: list[Session] = []
    if days.first > days.last:
        response.notices.add(code=reports_pb2.NOTICE_CODE_RANGE_REVERSED)
    else:
        if start_us < end_us:
            response.notices.extend(window.before_retention(sessions, start_us))
        calls = [
            session
            for session in sessions
            if start_us <= session.setup_us < end_us and _is_selected(request, session)
        ]
    cells = {
        (calendar.date_of(days.zone, call.setup_us), call.texts.get("folder"), call.texts.get("agent_id"))
        for call in calls
    }
    if len(cells) > config.cell_count_max:
        return too_many_cells()
    response.rows.extend(_rows(days.zone, calls))
    response.totals.CopyFrom(reports_pb2.FolderStatsTotals(**_figures(calls)))
    return response


def _read(
    request: reports_pb2.QueryFolderStatsRequest, now_us: int, violations: Violations, text_bytes_max: int
) -> _Days | None:
    zone = violations.zone(request.time_zone if request.HasField("time_zone") else None)
    violations.required("company", request.company, text_bytes_max)
    violations.required("organization", request.organization, text_bytes_max)
    violations.text("folder", request.folder, text_bytes_max)
    first = violations.day("from_date", request.from_date) if request.HasField("from_date") else None
    last = violations.day("to_date", request.to_date) if request.HasField("to_date") else None
    if violations or zone is None:
        return None
    if first is None:
        first = calendar.date_of(zone, now_us)
    return _Days(zone, first, first if last is None else last)


def _has_more_bins(days: _Days, bin_count_max: int) -> bool:
    """Returns whether the range from the first to the last day has more existing dates than allowed."""
    date_count = (days.last - days.first).days + 1
    if date_count <= bin_count_max:
        return False
    dates = [days.first + timedelta(days=n) for n in range(date_count + 1)]
    return len({calendar.day_start(days.zone, day) for day in dates}) - 1 > bin_count_max


def _missing(request: reports_pb2.QueryFolderStatsRequest, sessions: Sequence[Session]) -> str | None:
    """Returns the reason for the first of company, organization and folder without records, or None."""
    carriers: Iterable[Session] = sessions
    for name, asked in (
        ("company", request.company),
        ("organization", request.organization),
        ("folder", request.folder),
    ):
        if not asked:
            continue
        carriers = [session for session in carriers if session.texts.get(name) == asked]
        if not carriers:
            return f"{name.upper()}_NOT_FOUND"
    return None


def _is_selected(request: reports_pb2.QueryFolderStatsRequest, session: Session) -> bool:
    return (
        session.kind == records_pb2.SESSION_KIND_CALL
        and session.finished
        and session.is_last_attempt
        and session.texts.get("company") == request.company
        and session.texts.get("organization") == request.organization
        and (not request.folder or session.texts.get("folder") == request.folder)
    )


def _rows(zone: str, calls: Iterable[Session]) -> list[reports_pb2.FolderStatsRow]:
    groups = defaultdict(list)
    for call in calls:
        groups[calendar.date_of(zone, call.setup_us), call.texts.get("folder", "")].append(call)
    return [
        reports_pb2.FolderStatsRow(
            date=day.isoformat(), folder=folder, agents=_agents(group), **_figures(group)
        )
        for (day, folder), group in sorted(groups.items(), key=lambda item: item[0])
    ]


def _agents(calls: Iterable[Session]) -> list[reports_pb2.FolderAgentStats]:
    groups = defaultdict(list)
    for call in calls:
        if "agent_id" in call.texts:
            groups[call.texts["agent_id"]].append(call)
    return [
        reports_pb2.FolderAgentStats(agent_id=agent_id, **_figures(groups[agent_id]))
        for agent_id in sorted(groups)
    ]


def _figures(calls: Sequence[Session]) -> dict[str, Any]:
    answered_count = sum(call.answered for call in calls)
    duration_ms = sum(call.duration_ms for call in calls)
    average = float(Fraction(duration_ms, 1000 * answered_count)) if answered_count else None
    return {
        "call_count": len(calls),
        "answered_count": answered_count,
        "duration_ms": duration_ms,
        "average_duration_seconds": average,
    }
