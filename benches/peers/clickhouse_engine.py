"""ClickHouse in the peer bench: embedded MergeTree tables, both cores, answers in Arrow format."""

from pathlib import Path
from typing import Any

import chdb
import pyarrow.ipc  # type: ignore[import-untyped]

from peers import answers, sql
from peers.calls import DAYS, NOW_US
from peers.tables import texts_of

_SETTINGS = {"max_threads": 2}
_ENUMS = (
    *("account_id", "orig_clients_name", "company", "organization", "folder", "agent_id"),
    *("source", "term_clients_name"),
)
_TYPES = {
    "session_id": "String",
    **dict.fromkeys(("setup_time", "end_time"), "DateTime64(6, 'UTC')"),
    "answer_time": "Nullable(DateTime64(6, 'UTC'))",
    **dict.fromkeys(("duration_ms", "ring_ms"), "Nullable(Int32)"),
    "customer_price": "Decimal(9, 4)",
    "auth_orig_ip": "UInt32",
    "is_last_attempt": "Bool",
    **dict.fromkeys(("tenant_id", "app_id", "comp_id", "equipment_id", "kind", "disconnect_cause"), "UInt8"),
    **dict.fromkeys(("src_country_id", "dst_country_id"), "UInt16"),
    **dict.fromkeys(("src_prefix_routing", "dst_prefix_routing"), "LowCardinality(String)"),
}
_FROM_DAY = "toDate('2026-03-01')"
_DIALECT = sql.Dialect(
    table="{table}",
    bins="toUInt16(intDiv(toUnixTimestamp64Micro(setup_time) - {from_us}, {width}))",
    days=f"toUInt16(toDate(setup_time) - {_FROM_DAY})",
    hour_new_york="toUnixTimestamp(toStartOfHour(setup_time, 'America/New_York'))",
    days_berlin=(
        f"SELECT toInt16(toDate(setup_time, 'Europe/Berlin') - {_FROM_DAY}) AS day, count()"
        " FROM {{table}} WHERE {where} GROUP BY day"
    ),
    duration="sum(duration_ms) AS duration_ms_sum",
    ring="sum(ring_ms) AS ring_ms_sum",
    elapsed_ms="sum(intDiv({now_us} - toUnixTimestamp64Micro(answer_time), 1000))",
    minute="toUInt16(intDiv(us - {from_us}, {width}))",
    us="assumeNotNull(toUnixTimestamp64Micro({time}))",
    minutes=f"SELECT {{from_us}} + {{width}} * toInt64(number) AS us, 0 AS d FROM numbers({DAYS * 1_440})",
    starts_with="startsWith(dst_prefix_routing, '{text}')",
    contains="position(dst_prefix_routing, '{text}') > 0",
    instant="toDateTime64('{text}', 6, 'UTC')",
)


class ClickHouse:
    """One of the two tables."""

    def __init__(self, connection: Any, order: str) -> None:
        self.name = f"ClickHouse {order}"
        self._connection = connection
        self._queries = {
            name: text.replace("{table}", _table_name(order))
            for name, text in sql.queries(_DIALECT, NOW_US).items()
        }

    def ask(self, name: str) -> Any:
        answer = self._connection.query(self._queries[name], "Arrow").bytes()
        return pyarrow.ipc.open_file(answer).read_all()

    def answer(self, name: str, asked: Any) -> answers.Answer:
        return answers.of_table(name, asked)


def open_tables(directory: Path) -> list[ClickHouse]:
    """Opens both tables of a data directory."""
    connection = _connect(directory)
    return [ClickHouse(connection, order) for order in sql.ORDERS]


def load(directory: Path, parquet: Path) -> None:
    """Fills a new data directory; each table ends up as a single part."""
    connection = _connect(directory)
    tables = {_table_name(order): ("calls", columns) for order, columns in sql.ORDERS.items()}
    tables["active"] = ("active", "orig_clients_name, equipment_id, term_clients_name")
    columns = ", ".join(f"{name} {kind}" for name, kind in _types().items())
    names = ", ".join(_types())
    for table, (source, order) in tables.items():
        path = parquet / f"{source}.parquet"
        connection.query(f"CREATE TABLE {table} ({columns}) ENGINE = MergeTree ORDER BY ({order})")
        connection.query(f"INSERT INTO {table} ({names}) SELECT {names} FROM file('{path}', Parquet)")
        connection.query(f"OPTIMIZE TABLE {table} FINAL")
    connection.close()


def _types() -> dict[str, str]:
    """Texts with few distinct values become enums, i.e. fixed-width integers, for grouping."""
    return _TYPES | {name: _enum(texts_of(name)) for name in _ENUMS}


def _enum(texts: list[str]) -> str:
    return "Enum16(" + ", ".join(f"'{text}' = {code}" for code, text in enumerate(texts)) + ")"


def _connect(directory: Path) -> Any:
    connect: Any = chdb.connect
    connection = connect(str(directory))
    for name, value in _SETTINGS.items():
        connection.query(f"SET {name} = {value}")
    return connection


def _table_name(order: str) -> str:
    return "calls_" + order.replace(" ", "_")
