"""ClickHouse, embedded in this process."""

from datetime import date
from typing import Any

import chdb
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.ipc  # type: ignore[import-untyped]
from pegcount.v1 import reports_pb2

from . import differences
from .engine import Engine, Row, decimal_count, quoted

_SETTINGS = {
    # Without it, starts of days and longer bins overflow in 2106 and 2149.
    "enable_extended_results_for_datetime_functions": 1,
    # Without it, an unmatched row of a left join has zeros and empty texts instead of nulls.
    "join_use_nulls": 1,
    # Without it, a rolled-up key is 0 or empty instead of null.
    "group_by_use_nulls": 1,
    "max_threads": 1,
}
# Mode 1 of toStartOfWeek begins weeks on Monday.
_STARTS: dict[int, str] = {
    reports_pb2.GRANULARITY_MINUTE: "toStartOfMinute({time}, {zone})",
    reports_pb2.GRANULARITY_FIVE_MINUTES: "toStartOfFiveMinutes({time}, {zone})",
    reports_pb2.GRANULARITY_FIFTEEN_MINUTES: "toStartOfFifteenMinutes({time}, {zone})",
    reports_pb2.GRANULARITY_THIRTY_MINUTES: "toStartOfInterval({time}, INTERVAL 30 MINUTE, {zone})",
    reports_pb2.GRANULARITY_HOUR: "toStartOfHour({time}, {zone})",
    reports_pb2.GRANULARITY_DAY: "toStartOfDay({time}, {zone})",
    reports_pb2.GRANULARITY_WEEK: "toStartOfWeek({time}, 1, {zone})",
    reports_pb2.GRANULARITY_MONTH: "toStartOfMonth({time}, {zone})",
}


class ClickHouse(Engine):
    """ClickHouse; its functions take the time zone as an argument."""

    name = "ClickHouse"
    differences = differences.CLICKHOUSE

    def __init__(self) -> None:
        connect: Any = chdb.connect
        self._connection = connect(":memory:")
        for name, value in _SETTINGS.items():
            self._connection.query(f"SET {name} = {value}")

    def load(self, sessions: pa.Table, entries: pa.Table) -> None:
        # The table function Python() finds the two tables by the names of these parameters.
        assert isinstance(sessions, pa.Table)
        assert isinstance(entries, pa.Table)
        for name in ("sessions", "entries"):
            self._connection.query(
                f"CREATE OR REPLACE TABLE {name} ENGINE = Memory AS SELECT * FROM Python({name})"
            )

    def ask(self, sql: str, zone: str = "UTC") -> list[Row]:
        answer = self._connection.query(sql, "Arrow").bytes()
        table = pyarrow.ipc.open_file(answer).read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def instant(self, time_us: int) -> str:
        return f"fromUnixTimestamp64Micro({time_us}, 'UTC')"

    def day(self, value: date) -> str:
        return f"toDate32('{value}')"

    def micros(self, time: str) -> str:
        return f"toUnixTimestamp64Micro({time})"

    def bin_start(self, time: str, granularity: int, zone: str) -> str:
        function = _STARTS[granularity]
        start = function.format(time=time, zone=quoted(zone))
        # Weeks and months are returned as dates, half hours as whole seconds.
        return self.micros(f"toDateTime64({start}, 6, {quoted(zone)})")

    def local_date(self, time: str, zone: str) -> str:
        return f"toDate32({time}, {quoted(zone)})"

    def steps(self, start_us: int, step_us: int, count: int) -> str:
        return (
            f"(SELECT fromUnixTimestamp64Micro(toInt64({start_us}) + toInt64(number) * {step_us}, 'UTC')"
            f" AS time FROM numbers({count}))"
        )

    def floor_divided(self, number: str, divisor: int) -> str:
        return f"intDiv({number}, {divisor})"

    def starts_with(self, text: str, start: str) -> str:
        return f"startsWith({text}, {start})"

    def ends_with(self, text: str, end: str) -> str:
        return f"endsWith({text}, {end})"

    def contains(self, text: str, part: str) -> str:
        return f"position({text}, {part}) > 0"

    def decimal(self, digits: str) -> str:
        return f"toDecimal256({quoted(digits)}, {decimal_count(digits)})"

    def in_block(self, address: str, block: str) -> str:
        # It fails on malformed addresses and does not equate IPv4-mapped addresses with IPv4.
        plain = f"replaceRegexpOne({address}, '^::ffff:', '')"
        is_address = f"(isIPv4String({plain}) OR isIPv6String({plain}))"
        return f"{is_address} AND isIPAddressInRange(if({is_address}, {plain}, '::'), {block})"

    def value_of_largest(self, value: str, by: str) -> str:
        return f"argMax({value}, {by})"
