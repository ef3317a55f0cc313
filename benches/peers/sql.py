"""The questions in SQL for DuckDB and ClickHouse, which share the text except for a few expressions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from pegcount.request.traffic_metrics import DEFAULT_CAUSES
from pegcount.zone import US_PER_SECOND

from peers import dimensions, questions
from peers.calls import FROM_US
from peers.questions import BUSY_DAY, FROM_DAY, TO_DAY

ORDERS: Mapping[str, str] = {"by account": "account_id, setup_time", "by time": "setup_time"}
"""The two tables with all calls and their sort orders; the faster one counts."""

_FIGURES = "count(*) AS calls, count(duration_ms) AS answered, {duration}"
# `end_time` is present in all rows; each engine may find that out from its statistics.
_FINISHED = "kind = 1 AND is_last_attempt AND end_time IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Dialect:
    """Expressions that differ between the engines; `{width}` is in microseconds."""

    table: str
    bins: str
    """The bin number of a setup time, counted from the start of the traffic."""
    days: str
    """The day number in UTC."""
    hour_new_york: str
    """Unix seconds of the start of the hour."""
    days_berlin: str
    """A query of the day numbers in Berlin and their session counts; `{where}` is the condition."""
    duration: str
    """Milliseconds from answer to end, summed over a group."""
    ring: str
    """Milliseconds from setup to answer, summed over a group."""
    elapsed_ms: str
    """Milliseconds since the answer at `{now_us}`, summed over a group."""
    minute: str
    """The bin number of `us`, in microseconds."""
    us: str
    """Microseconds since 1970 of `{time}`."""
    minutes: str
    """A query of the first instants `us` of all minutes, in microseconds, each with a change `d` of 0."""
    starts_with: str
    contains: str
    instant: str = "TIMESTAMP '{text}'"


def queries(dialect: Dialect, now_us: int) -> dict[str, str]:
    """Returns the SQL text of each question."""
    figures = _FIGURES.format(duration=dialect.duration)
    busy = _within(dialect, BUSY_DAY, BUSY_DAY + timedelta(days=1))
    month = _within(dialect, FROM_DAY, TO_DAY)
    causes = ", ".join(map(str, questions.CAUSES))
    largest, twentieth = (f"account_id = '{account}'" for account in (questions.LARGEST, questions.TWENTIETH))
    where = f"FROM {dialect.table} WHERE"
    starts_with = dialect.starts_with.format(text=questions.STARTS_WITH)

    def counted(start: str, condition: str) -> str:
        return f"SELECT {start} AS bin, {figures} {where} {condition} AND {_FINISHED} GROUP BY bin"

    return {
        "Q1": counted(_bins(dialect, "Q1"), f"{twentieth} AND {busy} AND {starts_with}"),
        "Q2": counted(_bins(dialect, "Q2"), f"{largest} AND {month}"),
        "Q3": counted(dialect.hour_new_york, f"{twentieth} AND {_filters(dialect)}"),
        "U1": dialect.days_berlin.format(
            where=f"kind = 1 AND app_id IN {questions.APPS} AND {_berlin(dialect)}"
        ),
        "U2": f"""SELECT {_bins(dialect, "U2")} AS bin, count(*) AS n {where} kind = 1 AND {month}
            GROUP BY bin""",
        "F1": f"""SELECT {dialect.days} AS day, folder, agent_id, {figures} {where} {month} AND {_FINISHED}
            AND company = '{dimensions.COMPANY}' AND organization = '{dimensions.ORGANIZATION}'
            GROUP BY day, folder, agent_id""",
        "A1": _active(dialect, now_us),
        "S1": counted(_bins(dialect, "S1"), f"{month} AND disconnect_cause IN ({causes})"),
        "T1": _traffic(dialect, _traffic_sums(dialect), month),
        "T2": _traffic(dialect, "count(*) AS calls", month),
        "T3": _traffic(dialect, _traffic_sums(dialect), f"{month} AND {starts_with}"),
        "T4": _peaks(dialect, largest),
        "T5": f"""SELECT {_bins(dialect, "T5")} AS bin, count(*) AS calls {where} {largest} AND {month}
            AND {_FINISHED} GROUP BY bin""",
    }


def _peaks(dialect: Dialect, account: str) -> str:
    """Sweeps over what begins and ends: each change at its instant, then the number held from there on.

    Each minute begins with a change of 0, so that it has the number held across its start. Calls of the
    traffic begin within the range.
    """
    start, end = (dialect.us.format(time=name) for name in ("answer_time", "end_time"))
    calls = f"FROM {dialect.table} WHERE {account} AND {_FINISHED} AND answer_time IS NOT NULL"
    minute_us = questions.BIN_SECONDS["T4"] * US_PER_SECOND
    return f"""WITH changes AS (
            SELECT {start} AS us, 1 AS d {calls} UNION ALL SELECT {end} AS us, -1 AS d {calls}
            UNION ALL {dialect.minutes.format(from_us=FROM_US, width=minute_us)}),
        instants AS (SELECT us, sum(d) AS d FROM changes WHERE us < {questions.TO_US} GROUP BY us),
        held AS (SELECT us, sum(d) OVER (ORDER BY us) AS calls FROM instants)
        SELECT {dialect.minute.format(from_us=FROM_US, width=minute_us)} AS bin, max(calls) AS peak FROM held
        GROUP BY bin HAVING max(calls) > 0"""


def _traffic(dialect: Dialect, sums: str, condition: str) -> str:
    return f"""SELECT {dialect.days} AS day, {questions.VENDOR}, {sums} FROM {dialect.table}
        WHERE kind = 1 AND end_time IS NOT NULL AND {condition} GROUP BY day, {questions.VENDOR}"""


def _traffic_sums(dialect: Dialect) -> str:
    """Returns the sums that the figures of T1 follow from."""
    delivered = f"answer_time IS NOT NULL OR disconnect_cause IN {DEFAULT_CAUSES}"
    return f"""{_FIGURES.format(duration=dialect.duration)}, countIf({delivered}) AS delivered,
        countIf(duration_ms < {questions.SHORT_MS}) AS short,
        countIf(disconnect_cause = {questions.BUSY_CAUSE}) AS busy, {dialect.ring}"""


def _active(dialect: Dialect, now_us: int) -> str:
    keys = ", ".join(questions.KEYS)
    return f"""SELECT {keys}, grouping({keys}) AS rolled_up, count(*) AS quantity,
        {dialect.elapsed_ms.format(now_us=now_us)} AS milliseconds
        FROM active WHERE kind = 1 GROUP BY ROLLUP ({keys}) ORDER BY quantity DESC, {keys}"""


def _bins(dialect: Dialect, name: str) -> str:
    return dialect.bins.format(from_us=FROM_US, width=questions.BIN_SECONDS[name] * US_PER_SECOND)


def _filters(dialect: Dialect) -> str:
    """Filters of Q3. Midnight in New York is at 05:00 UTC, and at 04:00 UTC in summer."""
    return " AND ".join(
        (
            _between(dialect, f"{FROM_DAY} 05:00:00", f"{TO_DAY} 04:00:00"),
            dialect.contains.format(text=questions.CONTAINS),
            f"auth_orig_ip BETWEEN {questions.NETWORK_FIRST} AND {questions.NETWORK_LAST}",
            f"duration_ms >= {(questions.SECONDS_MORE_THAN + 1) * 1_000}",
            f"customer_price < {questions.PRICE_LESS_THAN}",
        )
    )


def _berlin(dialect: Dialect) -> str:
    """Days in Berlin begin at 23:00 UTC, in summer at 22:00 UTC; includes the warm-up days."""
    before = FROM_DAY - timedelta(days=questions.SMA_DAYS)
    return _between(dialect, f"{before} 23:00:00", f"{TO_DAY - timedelta(days=1)} 22:00:00")


def _within(dialect: Dialect, from_day: object, to_day: object) -> str:
    return _between(dialect, f"{from_day} 00:00:00", f"{to_day} 00:00:00")


def _between(dialect: Dialect, start: str, end: str) -> str:
    low, high = dialect.instant.format(text=start), dialect.instant.format(text=end)
    return f"setup_time >= {low} AND setup_time < {high}"
