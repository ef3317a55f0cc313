"""OriginationQuality: calls, ACD, ASR and CPS per bin, with every filter."""

import math
from collections.abc import Iterator
from typing import Any

from oracle import quality
from pegcount.v1 import records_pb2, reports_pb2

from . import bins
from .differences import Asked
from .engine import Engine, one_of_or_absent, quoted

Request = reports_pb2.QueryOriginationQualityRequest
Response = reports_pb2.QueryOriginationQualityResponse

_TOTALS = (
    *("total_calls", "answered_calls", "duration_ms", "acd", "asr"),
    *("cps_mean", "cps_peak", "cps_sum"),
)


def asked(request: Request, response: Response, now_us: int) -> Asked | None:
    """Returns None if the range lies in the future, since the report then has no bins."""
    window = bins.window_of(request, now_us)
    if window.in_future:
        return None
    span = bins.span_of(window.zone, request.sampling, window.from_us, min(window.to_us, now_us))
    return Asked(request, span, response.rows)


def ours(response: Response) -> dict[str, Any]:
    data, totals = response.data, response.totals
    columns = (
        *(data.t, data.total_calls, data.answered_calls, data.duration_ms),
        *(data.acd, data.asr, data.cps),
    )
    return {
        "bins": list(zip(*columns, strict=True)),
        "totals": tuple(getattr(totals, name) if totals.HasField(name) else None for name in _TOTALS),
    }


def theirs(engine: Engine, asked: Asked, now_us: int) -> dict[str, Any]:
    request, span = asked.request, asked.span
    assert isinstance(request, Request)
    assert span is not None
    window = bins.window_of(request, now_us)
    from_us, end_us = window.from_us, min(window.to_us, now_us)
    query = f"""
        WITH timed AS (
            SELECT *, {duration_ms(engine)} AS duration_ms FROM sessions
            WHERE kind = {records_pb2.SESSION_KIND_CALL} AND end_time IS NOT NULL AND is_last_attempt
        ), counted AS (
            SELECT {engine.bin_start("setup_time", span.granularity, span.zone)} AS start, count(*) AS total,
                count(answer_time) AS answered, sum(duration_ms) AS milliseconds
            FROM timed
            WHERE setup_time >= {engine.instant(from_us)} AND setup_time < {engine.instant(end_us)}
                AND {bins.conjunction(_conditions(engine, request))}
            GROUP BY 1
        ), every AS (
            SELECT series.start AS start, series.finish AS finish, coalesce(counted.total, 0) AS total,
                coalesce(counted.answered, 0) AS answered, coalesce(counted.milliseconds, 0) AS milliseconds,
                least(series.finish, {end_us}) - greatest(series.start, {from_us}) AS covered
            FROM ({bins.series(engine, span)}) AS series LEFT JOIN counted ON series.start = counted.start
        ), found AS (
            SELECT *, 1000000 * total / covered AS cps FROM every
            WHERE finish > {from_us} AND start < {end_us}
        )"""
    rows = engine.ask(
        f"{query} SELECT {engine.floor_divided('start', 10**6)}, total, answered, milliseconds,"
        " milliseconds / (1000 * answered), 100 * answered / total, cps FROM found ORDER BY start",
        span.zone,
    )
    whole = "covered = finish - start"
    [totals] = engine.ask(
        f"""{query}
        SELECT sum(total), sum(answered), sum(milliseconds), sum(milliseconds) / (1000 * sum(answered)),
            100 * sum(answered) / sum(total), 1000000 * sum(total) / sum(covered),
            CASE WHEN count(*) FILTER (WHERE {whole}) > 0 THEN max(cps) FILTER (WHERE {whole})
                ELSE max(cps) END,
            sum(cps)
        FROM found""",
        span.zone,
    )
    return {
        "bins": rows,
        "totals": tuple(
            None if isinstance(value, float) and math.isnan(value) else value for value in totals
        ),
    }


def duration_ms(engine: Engine) -> str:
    """Milliseconds from answer to end, 0 for an unanswered call."""
    talk_us = f"({engine.micros('end_time')} - {engine.micros('answer_time')})"
    return f"CASE WHEN answer_time IS NULL THEN 0 ELSE {engine.floor_divided(talk_us, 1000)} END"


def _conditions(engine: Engine, request: Request) -> Iterator[str]:
    yield from _ids(request)
    texts = {
        "eq": lambda column, value: f"{column} = {value}",
        "starts_with": engine.starts_with,
        "ends_with": engine.ends_with,
        "contains": engine.contains,
    }
    for name in ("src_prefix_routing", "dst_prefix_routing"):
        asked = getattr(request, name)
        if asked.absent:
            yield f"{name} IS NULL"
        for field, value in asked.ListFields():
            if field.name != "absent":
                yield texts[field.name](name, quoted(value))
    signs = {"eq": "=", "gt": ">", "lt": "<"}
    for field, value in request.duration.ListFields():
        yield f"{engine.floor_divided('duration_ms', 1000)} {signs[field.name]} {value}"
    for field, value in request.customer_price.ListFields():
        yield f"customer_price {signs[field.name]} {engine.decimal(value)}"
    if request.HasField("auth_orig_ip"):
        yield engine.in_block("auth_orig_ip", quoted(str(quality.network(request.auth_orig_ip))))


def _ids(request: Request) -> Iterator[str]:
    accounts = [request.account_id] if request.account_id else request.account_ids
    yield from one_of_or_absent("account_id", accounts, request.absent)
    for name in ("src_country_id", "dst_country_id"):
        values = [getattr(request, name)] if request.HasField(name) else []
        yield from one_of_or_absent(name, values, request.absent)
