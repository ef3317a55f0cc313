"""DuckDB and ClickHouse in the ingest bench, durable at each batch and fed tables made beforehand."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import chdb
import duckdb
from contestant import Run
from ingest_feed import Feed
from record_tables import clickhouse_columns, duckdb_columns

Batch = TypeVar("Batch")
KEY = "source, session_id"
_COUNTS = f"SELECT count(*), count(DISTINCT ({KEY})) FROM sessions"

# What fills the table, and what its definition has more, by how duplicates are looked for.
_DUCKDB_INSERTS = {
    "": ("SELECT * FROM batch", ""),
    ", primary key": ("SELECT * FROM batch ON CONFLICT DO NOTHING", f", PRIMARY KEY ({KEY})"),
    ", anti join": (f"SELECT DISTINCT ON ({KEY}) * FROM batch ANTI JOIN sessions USING ({KEY})", ""),
}
DUCKDB_CHECKS = tuple(_DUCKDB_INSERTS)


class DuckDb:
    """A table in a database file; each batch is a transaction, flushed as by default."""

    def __init__(self, feed: Feed, check: str) -> None:
        self.name = f"DuckDB{check}"
        self._feed = feed
        select, self._more = _DUCKDB_INSERTS[check]
        self._insert = f"INSERT INTO sessions {select}"
        self._row_count = feed.distinct_count if check else feed.record_count

    def run(self, directory: Path) -> Run:
        connection: Any = duckdb.connect(directory / "sessions.db")
        connection.execute(f"CREATE TABLE sessions ({duckdb_columns()}{self._more})")

        def write(batch: object) -> None:
            # DuckDB finds `batch` by its name; a statement of its own is a transaction of its own.
            connection.execute(self._insert)

        run = _timed(self._feed.tables, write)
        counts = connection.execute(_COUNTS).fetchall()
        connection.close()
        assert counts == [(self._row_count, self._feed.distinct_count)], f"{self.name}: {counts}"
        return run


class ClickHouse:
    """A MergeTree in this process that flushes each part and its folder."""

    name = "ClickHouse"

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._batches = _native(feed)

    def run(self, directory: Path) -> Run:
        connect: Any = chdb.connect
        connection = connect(str(directory))
        connection.query(
            f"CREATE TABLE sessions ({clickhouse_columns()}) ENGINE = MergeTree"
            " ORDER BY (account_id, setup_time) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
        )

        def write(batch: bytes) -> None:
            with connection.send_insert("INSERT INTO sessions", "Native") as insert:
                insert.append(batch)
                insert.finish()

        run = _timed(self._batches, write)
        counts = connection.query(_COUNTS).bytes().decode().strip()
        connection.close()
        assert counts == f"{self._feed.record_count},{self._feed.distinct_count}", counts
        return run


def _native(feed: Feed) -> list[bytes]:
    """The tables in ClickHouse's own format, which it takes in fastest.

    Measured in records a second: Native 55,000, Arrow's stream 52,000, RowBinary 50,000, and
    the table function over a table of this process 22,000.
    """
    connect: Any = chdb.connect
    connection = connect(":memory:")
    connection.query(f"CREATE TABLE sessions ({clickhouse_columns()}) ENGINE = Memory")
    batches = []
    for table in feed.tables:
        assert table.num_rows
        connection.query("INSERT INTO sessions SELECT * FROM Python(table)")
        batches.append(connection.query("SELECT * FROM sessions", "Native").bytes())
        connection.query("TRUNCATE TABLE sessions")
    connection.close()
    return batches


def _timed(batches: Sequence[Batch], write: Callable[[Batch], None]) -> Run:
    """Writes one batch after the other."""
    acknowledged = []
    began = time.perf_counter()
    for batch in batches:
        sent = time.perf_counter()
        write(batch)
        acknowledged.append(time.perf_counter() - sent)
    return Run(time.perf_counter() - began, acknowledged)
