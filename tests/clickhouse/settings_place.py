"""A database with the tables of settings, and change logs over it, as of several servers."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from pegcount.core import CancelToken
from pegcount.store.clickhouse.shared.change_log import ChangeLog
from pegcount.store.clickhouse.tables.settings_tables import (
    EVERY_SHARD_TABLES,
    FIRST_SHARD_TABLES,
    create_statement,
)
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster

from clickhouse.rig import Rig

SECONDS_MAX = 30.0
_NUMBERS = count(1)


def token(seconds: float = SECONDS_MAX) -> CancelToken:
    return CancelToken(seconds)


class SettingsPlace:
    """The tables of settings in a database of their own."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.database = f"settings_{next(_NUMBERS)}"
        self._opened: list[Cluster] = []
        rig.ask(f"CREATE DATABASE {self.database}")
        for table in FIRST_SHARD_TABLES + EVERY_SHARD_TABLES:
            rig.ask(
                create_statement(table, f"ReplacingMergeTree({table.version_column})"), database=self.database
            )

    def cluster(self) -> Cluster:
        """Returns the cluster as one more server sees it, with connections of its own."""
        cluster = Cluster(ClusterAddress.parse(self.rig.url(self.database)), SECONDS_MAX)
        self._opened.append(cluster)
        return cluster

    def log(self) -> ChangeLog:
        """Returns the change log of one more server."""
        return ChangeLog(self.cluster().shards[0])

    def ask(self, statement: str) -> str:
        """Asks the first shard."""
        return self.rig.servers[0].ask(statement, database=self.database)

    def close(self) -> None:
        for cluster in self._opened:
            cluster.close()
        self.rig.ask(f"DROP DATABASE {self.database} SYNC")


@contextmanager
def following(log: ChangeLog) -> Iterator[ChangeLog]:
    """Lets a log follow the changes of others within its block."""
    log.follow(token())
    try:
        yield log
    finally:
        log.close()
