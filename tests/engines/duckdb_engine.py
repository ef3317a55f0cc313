"""DuckDB with the time zones of ICU."""

from datetime import date
from typing import Any

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
from pegcount.v1 import reports_pb2

from . import differences
from .engine import Engine, Row, decimal_count, quoted

_BUCKETS: dict[int, int] = {
    reports_pb2.GRANULARITY_FIVE_MINUTES: 5,
    reports_pb2.GRANULARITY_FIFTEEN_MINUTES: 15,
    reports_pb2.GRANULARITY_THIRTY_MINUTES: 30,
}


class DuckDb(Engine):
    """DuckDB; `date_trunc` and casts use the session's zone, `time_bucket` takes it as an argument."""

    name = "DuckDB"
    differences = differences.DUCKDB

    def __init__(self) -> None:
        self._connection: Any = duckdb.connect(config={"threads": 1})
        self._connection.execute("LOAD icu")
        # Both optimizers assume that date_trunc is monotonic and fail on a day with two midnights.
        self._connection.execute("SET disabled_optimizers = 'statistics_propagation,filter_pushdown'")

    def load(self, sessions: pa.Table, entries: pa.Table) -> None:
        for name, table in (("sessions", sessions), ("entries", entries)):
            self._connection.register("exported", table)
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM exported")
            self._connection.unregister("exported")

    def ask(self, sql: str, zone: str = "UTC") -> list[Row]:
        self._connection.execute(f"SET TimeZone = {quoted(zone)}")
        found: list[Row] = self._connection.execute(sql).fetchall()
        return found

    def instant(self, time_us: int) -> str:
        return f"make_timestamptz({time_us})"

    def day(self, value: date) -> str:
        return f"DATE '{value}'"

    def micros(self, time: str) -> str:
        return f"epoch_us({time})"

    def bin_start(self, time: str, granularity: int, zone: str) -> str:
        if granularity in _BUCKETS:
            return self.micros(
                f"time_bucket(INTERVAL {_BUCKETS[granularity]} MINUTE, {time}, {quoted(zone)})"
            )
        unit = reports_pb2.Granularity.Name(reports_pb2.Granularity.ValueType(granularity))
        return self.micros(f"date_trunc('{unit.removeprefix('GRANULARITY_').lower()}', {time})")

    def local_date(self, time: str, zone: str) -> str:
        return f"CAST(timezone({quoted(zone)}, {time}) AS DATE)"

    def steps(self, start_us: int, step_us: int, count: int) -> str:
        return f"(SELECT make_timestamptz({start_us} + range * {step_us}) AS time FROM range({count}))"

    def floor_divided(self, number: str, divisor: int) -> str:
        return f"({number} // {divisor})"

    def starts_with(self, text: str, start: str) -> str:
        return f"starts_with({text}, {start})"

    def ends_with(self, text: str, end: str) -> str:
        return f"suffix({text}, {end})"

    def contains(self, text: str, part: str) -> str:
        return f"{text} LIKE '%' || {part} || '%'"

    def decimal(self, digits: str) -> str:
        return f"CAST({quoted(digits)} AS DECIMAL(38, {decimal_count(digits)}))"

    def in_block(self, address: str, block: str) -> str:
        raise NotImplementedError("the type INET is in an extension that the package does not have")

    def value_of_largest(self, value: str, by: str) -> str:
        return f"arg_max({value}, {by})"
