"""DuckDB and ClickHouse in the ingest bench. Each batch is made durable and comes from a prepared table."""

from pathlib import Path
from typing import Any

import chdb
import duckdb
from ingest_feed import Feed
from record_tables import clickhouse_columns, duckdb_columns
from subject import Run, Writer, one_by_one, run_timed

KEY = "source, session_id"
_COUNTS = f"SELECT count(*), count(DISTINCT ({KEY})) FROM sessions"

# The INSERT source and the additional table constraint, by method of duplicate detection.
_DUCKDB_INSERTS = {
    "": ("SELECT * FROM batch", ""),
    ", primary key": ("SELECT * FROM batch ON CONFLICT DO NOTHING", f", PRIMARY KEY ({KEY})"),
    ", anti join": (f"SELECT DISTINCT ON ({KEY}) * FROM batch ANTI JOIN sessions USING ({KEY})", ""),
}
DUCKDB_CHECKS = tuple(check for check in _DUCKDB_INSERTS if check)


class DuckDb:
    """A table in a database file; each batch is a transaction with the default durability."""

    def __init__(self, feed: Feed, writers: int, check: str = "") -> None:
        self.name = f"DuckDB, {writers} at once{check}"
        self._feed = feed
        self._writers = writers
        select, self._constraint = _DUCKDB_INSERTS[check]
        self._insert = f"INSERT INTO sessions {select}"
        self._row_count = feed.distinct_count if check else feed.record_count

    def run(self, directory: Path) -> Run:
        connection: Any = duckdb.connect(directory / "sessions.db")
        connection.execute(f"CREATE TABLE sessions ({duckdb_columns()}{self._constraint})")
        run = run_timed(self._feed.tables, [self._writer(connection.cursor()) for _ in range(self._writers)])
        counts = connection.execute(_COUNTS).fetchall()
        connection.close()
        assert counts == [(self._row_count, self._feed.distinct_count)], f"{self.name}: {counts}"
        return run

    def _writer(self, cursor: Any) -> Writer[object]:
        def write(batch: object) -> None:
            # DuckDB finds `batch` by its variable name. A single statement is its own transaction.
            cursor.execute(self._insert)

        return one_by_one(write)


class ClickHouse:
    """An embedded MergeTree that flushes each part and its directory."""

    def __init__(self, feed: Feed, writers: int) -> None:
        self.name = f"ClickHouse, {writers} at once"
        self._feed = feed
        self._writers = writers
        self._batches = _native(feed)

    def run(self, directory: Path) -> Run:
        connect: Any = chdb.connect
        # A connection runs one statement at a time.
        connections = [connect(str(directory)) for _ in range(self._writers)]
        connections[0].query(
            f"CREATE TABLE sessions ({clickhouse_columns()}) ENGINE = MergeTree"
            " ORDER BY (account_id, setup_time) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
        )
        run = run_timed(self._batches, [self._writer(connection) for connection in connections])
        counts = connections[0].query(_COUNTS).bytes().decode().strip()
        for connection in connections:
            connection.close()
        assert counts == f"{self._feed.record_count},{self._feed.distinct_count}", counts
        return run

    def _writer(self, connection: Any) -> Writer[bytes]:
        def write(batch: bytes) -> None:
            with connection.send_insert("INSERT INTO sessions", "Native") as insert:
                insert.append(batch)
                insert.finish()

        return one_by_one(write)


def _native(feed: Feed) -> list[bytes]:
    """Converts the tables to ClickHouse's Native format, the fastest one to insert.

    Measured records per second: Native 55,000, Arrow stream 52,000, RowBinary 50,000, and 22,000 with the
    table function Python().
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
