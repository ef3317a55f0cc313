"""AsrUsage: sessions per bin, with a moving average as a window over a series of days."""

from itertools import chain
from typing import Any

from pegcount.v1 import records_pb2, reports_pb2

from . import bins
from .differences import Asked
from .engine import Engine, one_of_or_absent

Request = reports_pb2.QueryAsrUsageRequest
Response = reports_pb2.QueryAsrUsageResponse


def asked(request: Request, response: Response, now_us: int) -> Asked | None:
    """Returns None if the range lies in the future, since the report then has no bins."""
    window = bins.window_of(request, now_us)
    if window.in_future:
        return None
    days_ahead = request.sma_period if request.HasField("sma_period") else 0
    span = bins.span_of(window.zone, request.granularity, window.from_us, window.to_us, days_ahead)
    return Asked(request, span, len(response.bins))


def ours(response: Response) -> dict[str, Any]:
    found = response.bins
    starts = [bins.instant_of(of_bin.start_time) for of_bin in found]
    finishes = [*starts[1:], bins.instant_of(response.range.to_time)]
    totals = response.totals
    return {
        "bins": [
            (
                *(start, finish, of_bin.session_count),
                *(of_bin.sma if of_bin.HasField("sma") else None, of_bin.complete),
            )
            for of_bin, start, finish in zip(found, starts, finishes, strict=True)
        ],
        "from": bins.instant_of(response.range.from_time),
        "session_count": totals.session_count,
        "busiest": (
            (bins.instant_of(totals.busiest_start_time), totals.busiest_count)
            if totals.HasField("busiest_count")
            else None
        ),
    }


def theirs(engine: Engine, asked: Asked, now_us: int) -> dict[str, Any]:
    request, span = asked.request, asked.span
    assert isinstance(request, Request)
    assert span is not None
    window = bins.window_of(request, now_us)
    start = engine.bin_start("setup_time", span.granularity, span.zone)
    average = (
        f"sum(session_count) OVER (ORDER BY start ROWS BETWEEN {request.sma_period - 1} PRECEDING"
        f" AND CURRENT ROW) / {request.sma_period}"
        if request.HasField("sma_period")
        else "NULL"
    )
    query = f"""
        WITH counted AS (
            SELECT {start} AS start, count(*) AS counted FROM sessions WHERE {_conditions(request)} GROUP BY 1
        ), every AS (
            SELECT series.start AS start, series.finish AS finish,
                coalesce(counted.counted, 0) AS session_count
            FROM ({bins.series(engine, span)}) AS series LEFT JOIN counted ON series.start = counted.start
        ), averaged AS (
            SELECT start, finish, session_count, {average} AS sma, finish <= {now_us} AS complete FROM every
        ), found AS (
            SELECT * FROM averaged WHERE finish > {window.from_us} AND start < {window.to_us}
        )"""
    rows = engine.ask(f"{query} SELECT * FROM found ORDER BY start", span.zone)
    busiest = engine.ask(
        f"{query} SELECT start, session_count FROM found WHERE session_count > 0"
        " ORDER BY session_count DESC, start LIMIT 1",
        span.zone,
    )
    [(first_us, session_count)] = engine.ask(
        f"{query} SELECT min(start), sum(session_count) FROM found", span.zone
    )
    return {
        "bins": rows,
        "from": first_us,
        "session_count": session_count,
        "busiest": busiest[0] if busiest else None,
    }


def _conditions(request: Request) -> str:
    lists = {"app_id": request.app_ids, "comp_id": request.comp_ids, "tenant_id": request.tenant_ids}
    ids = (one_of_or_absent(name, values, request.absent) for name, values in lists.items())
    kind = request.kind or records_pb2.SESSION_KIND_ASR
    return bins.conjunction(
        [
            f"kind = {kind}",
            *chain.from_iterable(ids),
        ]
    )
