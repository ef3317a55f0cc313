"""ActiveSessions: groups of the calls in progress, with ROLLUP, filters and code decks."""

from typing import Any

from pegcount.v1 import records_pb2, reports_pb2
from pegcount.v1.reports_pb2 import ActiveSessionRow

from . import bins
from .differences import Asked
from .engine import Engine, Row, listed, quoted

Request = reports_pb2.QueryActiveSessionsRequest
Response = reports_pb2.QueryActiveSessionsResponse

_AGGREGATES = ("quantity", "duration")
_TIMES = {"session_setup_time": "setup_time", "session_start_time": "answer_time"}
_DECK_COLUMNS = {
    f"{leg}_{name}": f"of_{leg}.{column}"
    for leg in ("orig", "term")
    for name, column in (("rates_code", "code"), ("rates_code_name", "name"), ("rates_country", "country"))
}
_NAMES = [
    field.name for field in ActiveSessionRow.DESCRIPTOR.fields if field.name not in (*_AGGREGATES, "level")
]


def asked(request: Request, response: Response, now_us: int) -> Asked:
    return Asked(request, None, response.row_count)


def ours(response: Response, request: Request) -> dict[str, Any]:
    return {
        "rows": [_shown(row, request) for row in response.rows],
        "row_count": response.row_count,
        "subtotals": [(row.level, *_shown(row, request)) for row in response.subtotals],
        "total": _shown(response.total, request) if response.HasField("total") else None,
    }


def theirs(engine: Engine, asked: Asked, now_us: int) -> dict[str, Any]:
    request = asked.request
    assert isinstance(request, Request)
    keys = [name for name in request.return_fields if name not in _AGGREGATES]
    shown = _shown_sessions(engine, request, now_us)
    # With aggregates alone, the result has one row even without sessions.
    groups = f"GROUP BY {', '.join(keys)}" if keys else ""
    rows = engine.ask(
        f"""{shown}, groups AS (SELECT {_selected(engine, request)} FROM shown {groups})
        SELECT *, count(*) OVER () FROM groups {_order(request, keys)}
        {f"LIMIT {request.limit}" if request.HasField("limit") else ""}"""
    )
    found: dict[str, Any] = {
        "rows": [row[:-1] for row in rows],
        "row_count": rows[0][-1] if rows else 0,
        "subtotals": [],
        "total": None,
    }
    if request.grouping == reports_pb2.GROUPING_ROLLUP:
        found.update(_rolled_up(engine, request, keys, shown) if keys else {"total": found["rows"][0]})
    return found


def _rolled_up(engine: Engine, request: Request, keys: list[str], shown: str) -> dict[str, Any]:
    """`grouping` sets a bit for each rolled-up key; the first keys are its highest bits."""
    rows = engine.ask(
        f"""{shown}, groups AS (
            SELECT {_selected(engine, request)}, grouping({", ".join(keys)}) AS rolled_up
            FROM shown GROUP BY ROLLUP ({", ".join(keys)})
        )
        SELECT * FROM groups {_order(request, keys, "rolled_up DESC")}"""
    )
    levels = [(len(keys) - int(row[-1]).bit_length(), *row[:-1]) for row in rows]
    return {
        "subtotals": [row for row in levels if 0 < row[0] < len(keys)],
        "total": next((row[1:] for row in levels if row[0] == 0), None),
    }


def _shown(row: ActiveSessionRow, request: Request) -> Row:
    names = request.return_fields
    values = [getattr(row, name) if row.HasField(name) else None for name in names]
    return tuple(
        bins.instant_of(value) if name in _TIMES and value is not None else value
        for name, value in zip(names, values, strict=True)
    )


def _selected(engine: Engine, request: Request) -> str:
    aggregates = {
        "quantity": "count(*) AS quantity",
        "duration": f"{engine.floor_divided('coalesce(sum(talk_ms), 0)', 1000)} AS duration",
    }
    return ", ".join(aggregates.get(name, name) for name in request.return_fields)


def _order(request: Request, keys: list[str], first: str = "") -> str:
    """Orders absent values last in both directions, and breaks ties by the key."""
    orders = [first] if first else []
    orders += [
        f"{name.lstrip('-')} {'DESC' if name.startswith('-') else 'ASC'} NULLS LAST" for name in request.order
    ]
    orders += [f"{name} ASC NULLS LAST" for name in keys]
    return f"ORDER BY {', '.join(orders)}" if orders else ""


def _shown_sessions(engine: Engine, request: Request, now_us: int) -> str:
    """Returns WITH queries, of which `shown` has the active calls with the values in the report."""
    columns = {name: f"sessions.{name}" for name in _NAMES}
    columns |= {name: engine.micros(f"sessions.{time}") for name, time in _TIMES.items()}
    matches, joins = "", ""
    if request.HasField("code_deck"):
        columns |= _DECK_COLUMNS
        for leg in ("orig", "term"):
            matches += f"match_{leg} AS ({_matches(engine, leg, request.code_deck)}), "
            joins += (
                f" LEFT JOIN match_{leg} ON sessions.row = match_{leg}.row"
                f" LEFT JOIN entries AS of_{leg} ON match_{leg}.entry = of_{leg}.entry"
            )
    talk_us = f"greatest(0, {now_us} - {engine.micros('sessions.answer_time')})"
    selected = ", ".join(f"{column} AS {name}" for name, column in columns.items())
    conditions = [f"{field.name} IN {listed(values)}" for field, values in request.filters.ListFields()]
    return f"""
        WITH {matches}every AS (
            SELECT {selected}, CASE WHEN sessions.answer_time IS NULL THEN 0
                ELSE {engine.floor_divided(talk_us, 1000)} END AS talk_ms
            FROM sessions{joins}
            WHERE sessions.kind = {records_pb2.SESSION_KIND_CALL} AND sessions.end_time IS NULL
        ), shown AS (SELECT * FROM every WHERE {bins.conjunction(conditions)})"""


def _matches(engine: Engine, leg: str, deck: int) -> str:
    """Returns a query of the longest matching code of a deck for each row with a match."""
    party = f"{leg}_dst_party_id"
    digits = f"CASE WHEN {engine.starts_with(party, quoted('+'))} THEN substr({party}, 2) ELSE {party} END"
    return f"""
        SELECT row, {engine.value_of_largest("entry", "length(code)")} AS entry
        FROM (SELECT row, {digits} AS digits FROM sessions) AS called, entries
        WHERE deck = {deck} AND {engine.starts_with("digits", "code")} GROUP BY row"""
