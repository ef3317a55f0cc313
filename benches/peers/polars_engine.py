"""Polars in the peer bench: frames in memory, sorted by setup time, both cores."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from pegcount.request.traffic_metrics import DEFAULT_CAUSES
from pegcount.zone import US_PER_DAY, US_PER_SECOND

from peers import answers, dimensions, questions
from peers.calls import FROM_US, NOW_US
from peers.questions import BUSY_DAY, FROM_DAY, TO_DAY
from peers.tables import texts_of

_ENUMS = (
    *("account_id", "company", "organization", "folder", "agent_id", "dst_prefix_routing"),
    questions.VENDOR,
)
_BYTES = ("app_id", "kind", "disconnect_cause")
_COLUMNS = [
    *("setup_time", "answer_time", "end_time", "duration_ms", "ring_ms", "customer_price", "auth_orig_ip"),
    "is_last_attempt",
]

_col = pl.col
_SETUP_US = _col("setup_time").to_physical()
_DAY = ((_SETUP_US - FROM_US) // US_PER_DAY).cast(pl.UInt8).alias("day")
_FIGURES = (
    pl.len().alias("calls"),
    _col("duration_ms").count().alias("answered"),
    _col("duration_ms").cast(pl.Int64).sum().alias("milliseconds"),
)
_DELIVERED = _col("duration_ms").is_not_null() | _col("disconnect_cause").is_in(DEFAULT_CAUSES)
_TRAFFIC_FIGURES = (
    *_FIGURES,
    _DELIVERED.sum().alias("delivered"),
    (_col("duration_ms") < questions.SHORT_MS).sum().alias("short"),
    (_col("disconnect_cause") == questions.BUSY_CAUSE).sum().alias("busy"),
    _col("ring_ms").cast(pl.Int64).sum(),
)
_FINISHED = (_col("kind") == 1) & _col("is_last_attempt") & _col("end_time").is_not_null()


class Polars:
    """The frames, with only the queried columns, each of the smallest sufficient type."""

    name = "Polars"

    def __init__(self, parquet: Path) -> None:
        calls = pl.read_parquet(parquet / "calls.parquet", columns=[*_COLUMNS, *_ENUMS, *_BYTES])
        price = (_col("customer_price") * dimensions.PRICE_UNITS).cast(pl.Int32)
        self._calls = (
            calls.with_columns(*_enums(_ENUMS), _col(_BYTES).cast(pl.UInt8), price).sort("setup_time").lazy()
        )
        active = pl.read_parquet(parquet / "active.parquet", columns=[*questions.KEYS, "answer_time", "kind"])
        names = ("orig_clients_name", "term_clients_name")
        self._active = active.with_columns(*_enums(names), _col("equipment_id", "kind").cast(pl.UInt8)).lazy()

    def ask(self, name: str) -> Any:
        """Returns the answer as an Arrow table."""
        plans: dict[str, Callable[[], Any]] = {
            "Q1": self._one_day,
            "Q2": self._largest,
            "Q3": self._filtered,
            "U1": self._days,
            "U2": self._sessions,
            "F1": self._folders,
            "A1": self._groups,
            "S1": self._scan,
            "T1": lambda: self._traffic(*_TRAFFIC_FIGURES),
            "T2": lambda: self._traffic(_FIGURES[0]),
            "T3": lambda: self._traffic(*_TRAFFIC_FIGURES, where=_begins_with()),
            "T4": self._peaks,
            "T5": lambda: _per_bin("T5", self._account_month(), _FIGURES[0]),
        }
        return plans[name]().to_arrow()

    def answer(self, name: str, result: Any) -> answers.Answer:
        return answers.of_table(name, result)

    def _one_day(self) -> Any:
        rows = self._account(questions.TWENTIETH, _days_from(BUSY_DAY, BUSY_DAY + timedelta(days=1)))
        return _per_bin("Q1", rows.filter(_begins_with()), *_FIGURES)

    def _largest(self) -> Any:
        return _per_bin("Q2", self._account(questions.LARGEST, _days_from(FROM_DAY, TO_DAY)), *_FIGURES)

    def _filtered(self) -> Any:
        # Midnight in New York is at 05:00 UTC, and at 04:00 UTC in summer.
        within = _between(_midnight(FROM_DAY, 5), _midnight(TO_DAY, 4))
        rows = self._account(questions.TWENTIETH, within).filter(
            _col("auth_orig_ip").is_between(questions.NETWORK_FIRST, questions.NETWORK_LAST),
            _col("duration_ms") >= (questions.SECONDS_MORE_THAN + 1) * 1_000,
            _col("customer_price") < questions.PRICE_UNITS_LESS_THAN,
            _matching("dst_prefix_routing", lambda text: questions.CONTAINS in text),
        )
        hour = _local(_col("setup_time"), questions.NEW_YORK).dt.truncate("1h").dt.epoch("s")
        return rows.group_by(hour.alias("bin")).agg(_FIGURES).collect()

    def _days(self) -> Any:
        # Days in Berlin begin at 23:00 UTC, in summer at 22:00 UTC; includes the warm-up days. They
        # begin on the hour, so the time zone is evaluated per hour rather than per call.
        first = _midnight(FROM_DAY - timedelta(days=questions.SMA_DAYS), 23)
        rows = self._calls.filter(
            _between(first, _midnight(TO_DAY, -2)),
            _col("app_id").is_in(questions.APPS),
            _col("kind") == 1,
        )
        hours = rows.group_by_dynamic("setup_time", every="1h").agg(pl.len().alias("n"))
        day = _local(_col("setup_time"), questions.BERLIN).dt.date() - pl.lit(FROM_DAY)
        return hours.group_by(day.dt.total_days().alias("day")).agg(_col("n").sum()).collect()

    def _sessions(self) -> Any:
        rows = self._calls.filter(_days_from(FROM_DAY, TO_DAY), _col("kind") == 1)
        return _per_bin("U2", rows, pl.len().alias("n"))

    def _folders(self) -> Any:
        rows = self._calls.filter(
            _days_from(FROM_DAY, TO_DAY),
            _FINISHED,
            _col("company") == dimensions.COMPANY,
            _col("organization") == dimensions.ORGANIZATION,
        )
        return rows.group_by(_DAY, "folder", "agent_id").agg(_FIGURES).collect()

    def _groups(self) -> Any:
        """Computes the finest groups first; the other levels are sums of these."""
        keys = list(questions.KEYS)
        elapsed = ((NOW_US - _col("answer_time").to_physical()) // 1_000).sum().alias("milliseconds")
        rows = self._active.filter(_col("kind") == 1)
        levels = [rows.group_by(keys).agg(pl.len().cast(pl.Int64).alias("quantity"), elapsed).collect()]
        for key_count in (2, 1, 0):
            sums = _col("quantity", "milliseconds").sum()
            finer = levels[-1]
            levels.append(finer.group_by(keys[:key_count]).agg(sums) if key_count else finer.select(sums))
        marked = [level.with_columns(rolled_up=pl.lit((1 << i) - 1)) for i, level in enumerate(levels)]
        columns = pl.concat(marked, how="diagonal").select(*keys, "rolled_up", "quantity", "milliseconds")
        return columns.sort("quantity", *keys, descending=[True, False, False, False])

    def _scan(self) -> Any:
        causes = _col("disconnect_cause").is_in(questions.CAUSES)
        return _per_bin("S1", self._calls.filter(_days_from(FROM_DAY, TO_DAY), _FINISHED, causes), *_FIGURES)

    def _traffic(self, *sums: Any, where: Any = True) -> Any:
        ended = (_col("kind") == 1) & _col("end_time").is_not_null()
        rows = self._calls.filter(_days_from(FROM_DAY, TO_DAY), ended, where)
        return rows.group_by(_DAY, questions.VENDOR).agg(sums).collect()

    def _account_month(self) -> Any:
        return self._account(questions.LARGEST, _days_from(FROM_DAY, TO_DAY))

    def _peaks(self) -> Any:
        """Sweeps over what begins and ends; each minute has the number held across its start."""
        minute_us = questions.US_PER_MINUTE
        calls = self._account_month().filter(_col("answer_time").is_not_null()).collect()
        starts, ends = (calls[name].to_physical() for name in ("answer_time", "end_time"))
        minutes = pl.int_range(FROM_US, questions.TO_US, minute_us, eager=True)
        changes = [
            pl.DataFrame({"at": at, "d": pl.repeat(d, len(at), dtype=pl.Int64, eager=True)})
            for at, d in ((starts, 1), (ends, -1), (minutes, 0))
        ]
        instants = (
            pl.concat(changes).lazy().filter(_col("at") < questions.TO_US).group_by("at").agg(_col("d").sum())
        )
        held = instants.sort("at").with_columns(_col("d").cum_sum().alias("calls"))
        peaks = held.group_by(((_col("at") - FROM_US) // minute_us).alias("bin")).agg(_col("calls").max())
        return peaks.filter(_col("calls") > 0).collect()

    def _account(self, account: str, within: Any) -> Any:
        # In two steps, so that only rows of the account are checked against the other predicates.
        return self._calls.filter(_col("account_id") == account).collect().lazy().filter(within, _FINISHED)


def _per_bin(name: str, rows: Any, *sums: Any) -> Any:
    """Returns the sums of each bin that has rows, with the bin numbers first."""
    width = questions.BIN_SECONDS[name]
    found = rows.group_by_dynamic("setup_time", every=f"{width}s").agg(sums)
    return found.with_columns((_SETUP_US - FROM_US) // (width * US_PER_SECOND)).collect()


def _begins_with() -> Any:
    return _matching("dst_prefix_routing", lambda text: text.startswith(questions.STARTS_WITH))


def _matching(field: str, predicate: Callable[[str], bool]) -> Any:
    """Evaluates a text predicate once per distinct value instead of once per row."""
    codes = [code for code, text in enumerate(_texts(field)) if predicate(text)]
    return _col(field).to_physical().is_in(pl.Series(codes, dtype=pl.UInt16))


def _local(time: Any, zone: str) -> Any:
    return time.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def _days_from(first: date, last: date) -> Any:
    return _between(_midnight(first, 0), _midnight(last, 0))


def _between(first: datetime, last: datetime) -> Any:
    return (_col("setup_time") >= first) & (_col("setup_time") < last)


def _midnight(day: date, hours: int) -> datetime:
    """Returns the instant `hours` after UTC midnight of a day."""
    return datetime(day.year, day.month, day.day) + timedelta(hours=hours)


def _enums(fields: Iterable[str]) -> list[Any]:
    return [_col(field).cast(_enum(field)) for field in fields]


def _enum(field: str) -> Any:
    return pl.Enum(_texts(field))


@cache
def _texts(field: str) -> list[str]:
    return texts_of(field)
