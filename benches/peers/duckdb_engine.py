"""DuckDB in the peer bench: a database file, both cores, answers as Arrow tables."""

from pathlib import Path
from typing import Any

import duckdb

from peers import answers, sql
from peers.calls import DAYS, NOW_US
from peers.tables import texts_of

THREADS = 2
_ENUMS = (
    *("account_id", "orig_clients_name", "company", "organization", "folder", "agent_id"),
    *("source", "term_clients_name", "src_prefix_routing", "dst_prefix_routing"),
)
_INTEGERS = {
    **dict.fromkeys(
        ("tenant_id", "app_id", "comp_id", "equipment_id", "kind", "disconnect_cause"), "UTINYINT"
    ),
    **dict.fromkeys(("src_country_id", "dst_country_id"), "USMALLINT"),
}
_FROM_DAY = "DATE '2026-03-01'"
# Days in Berlin begin on the hour, so the time zone is evaluated per hour rather than per call.
_DIALECT = sql.Dialect(
    table="{table}",
    bins="((epoch_us(setup_time) - {from_us}) // {width})::INTEGER",
    days=f"setup_time::DATE - {_FROM_DAY}",
    hour_new_york=(
        "epoch(time_bucket(INTERVAL 1 HOUR, timezone('UTC', setup_time), 'America/New_York'))::BIGINT"
    ),
    days_berlin=(
        "WITH hours AS (SELECT date_trunc('hour', setup_time) AS hour, count(*) AS n FROM {{table}}"
        " WHERE {where} GROUP BY hour)"
        f" SELECT timezone('Europe/Berlin', timezone('UTC', hour))::DATE - {_FROM_DAY} AS day,"
        " sum(n)::BIGINT FROM hours GROUP BY day"
    ),
    duration="sum(duration_ms)::BIGINT AS duration_ms",
    ring="sum(ring_ms)::BIGINT AS ring_ms",
    elapsed_ms="sum(({now_us} - epoch_us(answer_time)) // 1000)::BIGINT",
    minute="((us - {from_us}) // {width})::INTEGER",
    us="epoch_us({time})",
    minutes=f"SELECT {{from_us}} + {{width}} * range, 0 FROM range({DAYS * 1_440})",
    starts_with="starts_with(dst_prefix_routing, '{text}')",
    contains="contains(dst_prefix_routing, '{text}')",
)


class DuckDb:
    """One of the two tables."""

    def __init__(self, connection: Any, order: str) -> None:
        self.name = f"DuckDB {order}"
        self._connection = connection
        self._queries = {
            name: text.replace("{table}", _table_name(order))
            for name, text in sql.queries(_DIALECT, NOW_US).items()
        }

    def ask(self, name: str) -> Any:
        return self._connection.sql(self._queries[name]).to_arrow_table()

    def answer(self, name: str, asked: Any) -> answers.Answer:
        return answers.of_table(name, asked)


def open_tables(path: Path) -> list[DuckDb]:
    """Opens both tables of a database file."""
    connection = _connect(path)
    return [DuckDb(connection, order) for order in sql.ORDERS]


def load(path: Path, parquet: Path) -> None:
    """Fills a new database file."""
    connection = _connect(path)
    for name in _ENUMS:
        listed = ", ".join(f"'{text}'" for text in texts_of(name))
        connection.execute(f"CREATE TYPE {name}_type AS ENUM ({listed})")
    types = {name: f"{name}_type" for name in _ENUMS} | _INTEGERS
    typed = ", ".join(f"{name}::{kind} AS {name}" for name, kind in types.items())
    for order, columns in sql.ORDERS.items():
        connection.execute(
            f"CREATE TABLE {_table_name(order)} AS SELECT * REPLACE ({typed})"
            f" FROM '{parquet / 'calls.parquet'}' ORDER BY {columns}"
        )
    connection.execute(
        f"CREATE TABLE active AS SELECT * REPLACE ({typed}) FROM '{parquet / 'active.parquet'}'"
        " ORDER BY orig_clients_name, equipment_id, term_clients_name"
    )
    connection.execute("CHECKPOINT")
    connection.close()


def _connect(path: Path) -> Any:
    connection: Any = duckdb.connect(path, config={"threads": THREADS})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _table_name(order: str) -> str:
    return "calls_" + order.replace(" ", "_")
