"""The table of records, one on each shard: what its columns, its order and its settings are, and why."""

from typing import Final

from pegcount import core

LEDGER: Final = "ledger"
ABSENT: Final = -(2**63)
"""What a column of integers has where a record has nothing; records may not have it."""
ACTIVE: Final = 1
"""`state` of a row of an active session; that of a finished one is 0."""
MARKER: Final = 9
"""`state` of the row that each commit adds to its records."""
OF_RECORDS: Final = f"state IN (0, {ACTIVE})"
"""The condition for rows of records."""
FIRST_US: Final = f"if(answer_time = {ABSENT}, setup_time, least(answer_time, setup_time))"
"""The first instant at which a row is set up or occupies anything."""
NEGATIVE_LAST_US: Final = f"if(state = {ACTIVE}, {ABSENT}, -greatest(end_time, setup_time))"
"""The last one with the opposite sign, which is the least number for an active session. A greatest one would
need a function: ClickHouse computes it in a query beforehand, and then does not find it in the index."""

_TIMES: Final = frozenset(
    ("seq", "writer", "received_time", "session_kind", "kind", "setup_time", "answer_time", "end_time")
)
"""Columns whose value is often near that of the row before."""
_HOME_KEYS: Final = (
    "day, intDiv(setup_time, 9000000000000000), intDiv(first_day, 1000000), intDiv(last_day, 1000000)"
)
"""The home day, and three zeros. For each part, ClickHouse keeps the least and the greatest value of each
column of a partition key: a report skips parts by `setup_time`, a look-up by `first_day` and `last_day`."""
_ORDER: Final = "state, session_kind, account_id, setup_time, key_hash"
_APPS: Final = (
    "PROJECTION apps (SELECT state, session_kind, app_id, intDiv(setup_time, 300000000), sum(sign)"
    " GROUP BY state, session_kind, app_id, intDiv(setup_time, 300000000))"
)
"""Sessions of each app in each five minutes."""
_FOLDER_KEYS: Final = (
    "state, session_kind, last_attempt, company, organization, folder, agent_id,"
    " intDiv(setup_time, 3600000000)"
)
_FOLDERS: Final = (
    f"PROJECTION folders (SELECT {_FOLDER_KEYS},"
    f" sum(sign), sumIf(sign, answer_time != {ABSENT}), sum(toInt128(sign * duration_ms))"
    f" GROUP BY {_FOLDER_KEYS})"
)
"""Calls, answered calls and milliseconds of each folder and agent in each hour. ClickHouse lets a sum of 64
bits wrap around in silence; one of 128 bits takes no longer."""
_SPANS: Final = f"INDEX spans ({FIRST_US}, {NEGATIVE_LAST_US}) TYPE minmax GRANULARITY 1"
"""By which a report finds the calls of other days that reach into its range, however long they are."""
LEDGER_SETTINGS: Final = (
    # Without it, ClickHouse refuses projections of a table that removes rows when it merges.
    ("deduplicate_merge_projection_mode", "'rebuild'"),
    # A batch is acknowledged once it would survive a power cut.
    ("fsync_after_insert", "1"),
    ("fsync_part_directory", "1"),
    ("min_compressed_bytes_to_fsync_after_merge", "1"),
    # For how many commits the server knows which numbers are taken; without it, two writers could take one.
    ("non_replicated_deduplication_window", "10000"),
    ("replicated_deduplication_window", "10000"),
    ("replicated_deduplication_window_seconds", "604800"),
)
SETTING_NAMES: Final = tuple(name for name, _ in LEDGER_SETTINGS)
"""The settings of a table that a server must know."""


def create_ledger_statement(engine: str) -> str:
    """Returns the statement that creates the table if it does not exist.

    `engine` is the name of the engine and its arguments, for example `CollapsingMergeTree(sign)`.
    """
    columns = ", ".join(f"{name} {definition}" for name, definition in column_definitions())
    settings = ", ".join(f"{name} = {value}" for name, value in LEDGER_SETTINGS)
    return (
        f"CREATE TABLE IF NOT EXISTS {LEDGER} ({columns}, {_SPANS}, {_APPS}, {_FOLDERS}) ENGINE = {engine}"
        f" PARTITION BY ({_HOME_KEYS}) ORDER BY ({_ORDER}) SETTINGS {settings}"
    )


def column_definitions() -> list[tuple[str, str]]:
    """Returns the name of each column, and its type with its default and its codec."""
    return [(name, _definition(name, type_)) for name, type_ in core.ledger_columns()]


def add_column_statement(name: str, definition: str) -> str:
    """Returns the statement that adds a column of `column_definitions` if the table lacks it."""
    return f"ALTER TABLE {LEDGER} ADD COLUMN IF NOT EXISTS {name} {definition}"


def span_index_statements() -> tuple[str, str]:
    """Returns the statements that give the index of spans to a table that lacks it, and to its rows."""
    added = _SPANS.replace("INDEX", "INDEX IF NOT EXISTS", 1)
    return f"ALTER TABLE {LEDGER} ADD {added}", f"ALTER TABLE {LEDGER} MATERIALIZE INDEX spans"


def _definition(name: str, type_: str) -> str:
    # A column that is added later is absent in the rows that are there by then.
    default = f" DEFAULT {ABSENT}" if type_ == "Int64" and name in core.record_fields() else ""
    return f"{type_}{default}{_codec(name, type_)}"


def _codec(name: str, type_: str) -> str:
    # A hash does not compress, and a dictionary has a compact form of its own.
    if name == "key_hash" or type_.startswith("LowCardinality"):
        return ""
    return " CODEC(Delta, ZSTD(1))" if name in _TIMES else " CODEC(ZSTD(1))"
