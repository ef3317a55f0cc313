"""Databases with the tables of a new cluster, which tests take and give back.

Making the tables takes a fifth of a second of the processors, and emptying them a hundredth of that. Servers
also look through all tables again and again, so that those which nobody needs would slow down all others.
"""

from contextlib import closing
from itertools import count
from weakref import WeakKeyDictionary

from pegcount.core import CancelToken
from pegcount.store.clickhouse.shared import upgrade
from pegcount.store.clickhouse.tables import schema
from pegcount.store.clickhouse.tables.ledger_table import LEDGER
from pegcount.store.clickhouse.tables.schema import ClusterKeys
from pegcount.store.clickhouse.tables.settings_tables import EVERY_SHARD_TABLES, FIRST_SHARD_TABLES
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster

from clickhouse.rig import Rig

_SECONDS_MAX = 60.0
_spare: WeakKeyDictionary[Rig, list[str]] = WeakKeyDictionary()
_of_new: dict[str, list[str]] = {}
"""By database, how its tables were made."""
_numbers = count(1)


def take(rig: Rig) -> str:
    """Returns the name of a database as `pegcount clickhouse init` leaves it."""
    spare = _spare.setdefault(rig, [])
    database = spare.pop() if spare else _made(rig)
    with closing(Cluster(ClusterAddress.parse(rig.url(database)), _SECONDS_MAX)) as cluster:
        upgrade.begin(cluster, 0, CancelToken(_SECONDS_MAX))
    return database


def give_back(rig: Rig, database: str) -> None:
    """Empties a database that nobody uses any more; a token of its commits counts as new again.

    One whose tables a test has changed is of no use to the next one, and goes.
    """
    if _definitions(rig, database) != _of_new[database]:
        rig.ask(f"DROP DATABASE {database} SYNC")
        return
    for number, server in enumerate(rig.servers):
        tables = (*FIRST_SHARD_TABLES, *EVERY_SHARD_TABLES) if number == 0 else EVERY_SHARD_TABLES
        for table in (LEDGER, *(each.name for each in tables)):
            server.ask(f"TRUNCATE TABLE {database}.{table} SYNC")
    _spare[rig].append(database)


def keys_of(rig: Rig, database: str) -> ClusterKeys:
    cluster = Cluster(ClusterAddress.parse(rig.url(database)), _SECONDS_MAX)
    try:
        return schema.require_usable(cluster)
    finally:
        cluster.close()


def _made(rig: Rig) -> str:
    database = f"shared_{next(_numbers)}"
    cluster = Cluster(ClusterAddress.parse(rig.url(database)), _SECONDS_MAX)
    try:
        schema.create(cluster)
    finally:
        cluster.close()
    _of_new[database] = _definitions(rig, database)
    return database


def _definitions(rig: Rig, database: str) -> list[str]:
    return rig.ask(
        f"SELECT name, create_table_query, (SELECT groupArray(tuple(*)) FROM {database}.meta)"
        f" FROM system.tables WHERE database = '{database}' ORDER BY name"
    )
