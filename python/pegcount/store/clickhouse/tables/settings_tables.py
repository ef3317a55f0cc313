"""The tables of the settings of a cluster: their columns, and why they are laid out as they are."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SettingsTable:
    """A table that holds, of the rows with one sort key, the one with the greatest `version_column`.

    `ReplacingMergeTree(version_column)`, or its replicated form, removes the others when it merges parts.
    """

    name: str
    columns: str
    version_column: str
    partition_by: str
    """An expression of its columns; empty: one partition."""
    order_by: str
    settings: tuple[tuple[str, int], ...]


_DURABLE: Final = (
    ("fsync_after_insert", 1),
    ("fsync_part_directory", 1),
    ("min_compressed_bytes_to_fsync_after_merge", 1),
    ("min_rows_to_fsync_after_merge", 1),
)
_COMPARE_AND_SWAP: Final = (
    ("non_replicated_deduplication_window", 10_000),
    ("replicated_deduplication_window", 10_000),
    ("replicated_deduplication_window_seconds", 30 * 86_400),
)
"""For how many commits the server knows which numbers are taken: a writer that was frozen for less than that
between reading the head and its insert cannot take one again."""

COMMIT_KIND: Final = "commit"
"""Kind of the row that each commit of the change log has beside its entries."""
OLDEST_KIND: Final = "oldest_version"
"""Kind of the entry that has which version of the tables a program must know to use the cluster."""
COMMIT_SLOT_COUNT: Final = 10_000
"""Keys of the rows of commits, which take turns: as many of the newest stay, however long the log grows."""

CHANGES: Final = SettingsTable(
    name="changes",
    columns=(
        "seq UInt64 CODEC(Delta, ZSTD(1)), writer UInt64, kind LowCardinality(String), key String,"
        " is_removed UInt8, content String CODEC(ZSTD(1))"
    ),
    version_column="seq",
    partition_by="",
    order_by="(kind, key)",
    settings=_DURABLE + _COMPARE_AND_SWAP,
)
"""The change log, on the first shard. A commit is one insert of its entries and of a row of its own, all with
its `seq`, the number before it plus 1. `writer` is a random number of the commit, by which its writer knows
it again. An entry replaces those before it of its kind and key."""

AUDIT: Final = SettingsTable(
    name="audit",
    columns=(
        "entry_id UInt64 CODEC(Delta, ZSTD(1)), revision UInt32, writer UInt64, first_id UInt64,"
        " content String CODEC(ZSTD(1))"
    ),
    version_column="revision",
    partition_by="intDiv(entry_id, 10000)",
    order_by="entry_id",
    settings=_DURABLE + _COMPARE_AND_SWAP,
)
"""The audit entries, on the first shard. `writer` is a random number of the insert of the entry, `first_id`
the number of the oldest entry that was kept when it was written. Old partitions are dropped."""

DECK_ENTRIES: Final = SettingsTable(
    name="deck_entries",
    columns=(
        "deck_id Int64, version UInt64, code String, name LowCardinality(String),"
        " country LowCardinality(String)"
    ),
    version_column="version",
    partition_by="(deck_id, version)",
    order_by="code",
    settings=_DURABLE,
)
"""The entries of code decks, on every shard. A version never changes, and is dropped as a partition."""

FIRST_SHARD_TABLES: Final = (CHANGES, AUDIT)
EVERY_SHARD_TABLES: Final = (DECK_ENTRIES,)


def create_statement(table: SettingsTable, engine: str) -> str:
    """Returns the statement that creates a table if it does not exist.

    `engine` is the name of the engine and its arguments, for example `ReplacingMergeTree(seq)`.
    """
    partition = f" PARTITION BY {table.partition_by}" if table.partition_by else ""
    settings = ", ".join(f"{name} = {value}" for name, value in table.settings)
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name} ({table.columns}) ENGINE = {engine}{partition}"
        f" ORDER BY {table.order_by} SETTINGS {settings}"
    )
