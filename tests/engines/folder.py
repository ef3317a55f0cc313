"""FolderStats: calls and their average duration per local date and folder, with agents."""

from datetime import date, timedelta
from math import isnan
from typing import Any

from oracle import calendar
from pegcount.v1 import records_pb2, reports_pb2

from . import bins
from .differences import CALENDAR_DATE, Asked, Span
from .engine import Engine, Row, quoted
from .quality import duration_ms

Request = reports_pb2.QueryFolderStatsRequest
Response = reports_pb2.QueryFolderStatsResponse

_FIGURES = """count(*), count(answer_time), coalesce(sum(duration_ms), 0),
    coalesce(sum(duration_ms), 0) / (1000 * count(answer_time))"""


def asked(request: Request, response: Response, now_us: int) -> Asked:
    first, last = _days(request, now_us)
    zone = _zone(request)
    start_us, end_us = calendar.day_start(zone, first), calendar.day_start(zone, last + timedelta(days=1))
    return Asked(request, Span(zone, CALENDAR_DATE, start_us, max(start_us, end_us)), len(response.rows))


def ours(response: Response) -> dict[str, Any]:
    return {
        "rows": [(row.date, row.folder, *_figures(row)) for row in response.rows],
        "agents": [
            (row.date, row.folder, agent.agent_id, *_figures(agent))
            for row in response.rows
            for agent in row.agents
        ],
        "totals": _figures(response.totals),
    }


def theirs(engine: Engine, asked: Asked, now_us: int) -> dict[str, Any]:
    request = asked.request
    assert isinstance(request, Request)
    first, last = _days(request, now_us)
    query = f"""
        WITH found AS (
            SELECT {engine.local_date("setup_time", _zone(request))} AS day,
                coalesce(folder, '') AS of_folder, agent_id, answer_time, {duration_ms(engine)} AS duration_ms
            FROM sessions
            WHERE kind = {records_pb2.SESSION_KIND_CALL} AND end_time IS NOT NULL AND is_last_attempt
                AND company = {quoted(request.company)} AND organization = {quoted(request.organization)}
                AND {bins.conjunction([f"folder = {quoted(request.folder)}"] if request.folder else [])}
                AND day BETWEEN {engine.day(first)} AND {engine.day(last)}
        )"""
    [totals] = engine.ask(f"{query} SELECT {_FIGURES} FROM found")
    return {
        "rows": _grouped(engine, query, "day, of_folder"),
        "agents": _grouped(
            engine,
            f"{query}, of_agents AS (SELECT * FROM found WHERE agent_id IS NOT NULL)",
            "day, of_folder, agent_id",
            "of_agents",
        ),
        "totals": _with_absent(totals),
    }


def _grouped(engine: Engine, query: str, keys: str, table: str = "found") -> list[Row]:
    rows = engine.ask(f"{query} SELECT {keys}, {_FIGURES} FROM {table} GROUP BY {keys} ORDER BY {keys}")
    return [(row[0].isoformat(), *_with_absent(row[1:])) for row in rows]


def _with_absent(row: Row) -> Row:
    return tuple(None if isinstance(value, float) and isnan(value) else value for value in row)


def _figures(message: Any) -> Row:
    average = "average_duration_seconds"
    return (
        *(message.call_count, message.answered_count, message.duration_ms),
        message.average_duration_seconds if message.HasField(average) else None,
    )


def _zone(request: Request) -> str:
    return request.time_zone or "UTC"


def _days(request: Request, now_us: int) -> tuple[date, date]:
    """Returns the first and last requested day."""
    first = (
        calendar.parse_date(request.from_date)
        if request.HasField("from_date")
        else calendar.date_of(_zone(request), now_us)
    )
    return first, calendar.parse_date(request.to_date) if request.HasField("to_date") else first
