"""DuckDB and ClickHouse with page views sorted by counter and time, which count those of one by minute."""

import tempfile
from pathlib import Path
from typing import Any

import chdb
import duckdb
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.ipc  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]
from numpy.typing import NDArray

from peers.page_views import BEGIN_US, COUNTER, END_US, MINUTE_US, ROW, Counts, chunks


class DuckDb:
    """A table sorted by counter and time."""

    def __init__(self, folder: Path) -> None:
        self._connection = _duckdb_connection(folder / "duckdb.db")

    def ask(self) -> Any:
        return self._connection.sql(
            f"SELECT (us - {BEGIN_US}) // {MINUTE_US} AS minute, count(*) AS n FROM hits"
            f" WHERE counter = {COUNTER} AND us >= {BEGIN_US} AND us < {END_US}"
            " AND NOT refresh AND NOT skipped GROUP BY 1 ORDER BY 1"
        ).to_arrow_table()

    def counts(self, asked: Any) -> Counts:
        return _of_table(asked)


class ClickHouse:
    """A table sorted by counter and time."""

    def __init__(self, folder: Path) -> None:
        self._connection = _clickhouse_connection(folder / "clickhouse")

    def ask(self) -> Any:
        found = self._connection.query(
            f"SELECT intDiv(us - {BEGIN_US}, {MINUTE_US}) AS minute, count() AS n FROM hits WHERE counter ="
            f" {COUNTER} AND us >= {BEGIN_US} AND us < {END_US} AND NOT refresh AND NOT skipped GROUP BY 1"
            " ORDER BY 1",
            "Arrow",
        )
        return pyarrow.ipc.open_file(found.bytes()).read_all()

    def counts(self, asked: Any) -> Counts:
        return _of_table(asked)


def load_duckdb(path: Path, count: int) -> None:
    connection = _duckdb_connection(path)
    connection.execute("CREATE TABLE unsorted (us BIGINT, counter USMALLINT, refresh BOOL, skipped BOOL)")
    for rows in chunks(count):
        table = _table(rows)
        connection.register("rows", table)
        connection.execute("INSERT INTO unsorted SELECT us, counter, refresh, skipped FROM rows")
    connection.execute("CREATE TABLE hits AS SELECT * FROM unsorted ORDER BY counter, us")
    connection.execute("DROP TABLE unsorted")
    connection.close()


def load_clickhouse(directory: Path, count: int) -> None:
    connection = _clickhouse_connection(directory)
    connection.query(
        "CREATE TABLE hits (us Int64, counter UInt16, refresh Bool, skipped Bool) ENGINE = MergeTree"
        " ORDER BY (counter, us)"
    )
    with tempfile.TemporaryDirectory(dir=directory.parent) as folder:
        path = Path(folder) / "rows.parquet"
        with pyarrow.parquet.ParquetWriter(path, _table(np.zeros(0, ROW)).schema) as writer:
            for rows in chunks(count):
                writer.write_table(_table(rows))
        columns = "us, counter, refresh, skipped"
        connection.query(f"INSERT INTO hits ({columns}) SELECT {columns} FROM file('{path}', Parquet)")
    connection.query("OPTIMIZE TABLE hits FINAL")
    connection.close()


def _of_table(table: Any) -> Counts:
    counts = np.zeros(2 * 1_440, np.int64)
    counts[table.column("minute").to_numpy().astype(np.int64)] = table.column("n").to_numpy()
    return counts


def _table(rows: NDArray[np.void]) -> Any:
    return pa.table(
        {name: np.ascontiguousarray(rows[name]) for name in ("us", "counter", "refresh", "skipped")}
    )


def _duckdb_connection(path: Path) -> Any:
    connection = duckdb.connect(str(path))
    connection.execute("SET threads = 2")
    return connection


def _clickhouse_connection(directory: Path) -> Any:
    connect: Any = chdb.connect
    connection = connect(str(directory))
    connection.query("SET max_threads = 2")
    return connection
