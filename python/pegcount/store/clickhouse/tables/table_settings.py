"""Checks the settings of tables without which a commit could be made twice, or lost after it was answered."""

from collections.abc import Mapping
from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import StoreOpenError
from pegcount.store.clickhouse.tables.ledger_table import LEDGER, LEDGER_SETTINGS
from pegcount.store.clickhouse.tables.places import Place
from pegcount.store.clickhouse.tables.servers import opening
from pegcount.store.clickhouse.tables.settings_tables import AUDIT, CHANGES
from pegcount.store.clickhouse.wire.form import Query

_ENGINES: Final = Query("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()")
_WINDOWS: Final = ("non_replicated_deduplication_window", "replicated_deduplication_window")
_DURABLE: Final = ("fsync_after_insert", "fsync_part_directory")
_MADE: Final[Mapping[str, Mapping[str, str | int]]] = {
    LEDGER: dict(LEDGER_SETTINGS),
    CHANGES.name: dict(CHANGES.settings),
    AUDIT.name: dict(AUDIT.settings),
}


def require_table_settings(place: Place, cancel_token: CancelToken) -> None:
    """Raises StoreOpenError if somebody has lowered a setting that commits rely on."""
    with opening(place.server):
        engines = dict(place.server.rows(_ENGINES, cancel_token))
    for table, made in _MADE.items():
        if table in engines:
            _require_settings(place, table, engines[table], made)


def _require_settings(place: Place, table: str, engine: str, made: Mapping[str, str | int]) -> None:
    present = settings_of(engine)
    for name in (_WINDOWS[engine.startswith("Replicated")], *_DURABLE):
        value = present.get(name, "0")
        if int(value) < int(made[name]):
            raise StoreOpenError(
                f"the table {table} of {place.server.place} has {name} = {value}, with which records could"
                f" count twice or be lost: ALTER TABLE {table} MODIFY SETTING {name} = {made[name]}"
            )


def settings_of(engine: str) -> dict[str, str]:
    """Returns the settings that the full description of an engine ends with, as `system.tables` has it.

    >>> settings_of("MergeTree ORDER BY key SETTINGS fsync_after_insert = 1, index_granularity = 8192")
    {'fsync_after_insert': '1', 'index_granularity': '8192'}
    """
    _, _, listed = engine.rpartition(" SETTINGS ")
    pairs = (setting.partition(" = ") for setting in listed.split(", "))
    return {name: value for name, _, value in pairs}
