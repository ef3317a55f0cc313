"""Ends the time in which servers of an older version may use a cluster."""

from pegcount.core import CancelToken
from pegcount.store.clickhouse.shared.change_log import ONLY_KEY, Change, ChangeLog, Snapshot
from pegcount.store.clickhouse.tables.migrations import known_version
from pegcount.store.clickhouse.tables.settings_tables import OLDEST_KIND
from pegcount.store.clickhouse.wire.cluster import Cluster


def end_older(cluster: Cluster, epoch: int, cancel_token: CancelToken) -> None:
    """Keeps servers that do not know the tables of this program from going on, and new ones from starting.

    `epoch` is that of the first shard. Raises as `ChangeLog.change` does.
    """
    _put(cluster, epoch, cancel_token, is_new=False)


def begin(cluster: Cluster, epoch: int, cancel_token: CancelToken) -> None:
    """Does the same for a new cluster, which no server has used; to any other one, it does nothing."""
    _put(cluster, epoch, cancel_token, is_new=True)


def _put(cluster: Cluster, epoch: int, cancel_token: CancelToken, *, is_new: bool) -> None:
    def decide(seen: Snapshot) -> list[Change]:
        if (is_new and seen.head) or seen.oldest_version >= known_version():
            return []
        return [Change(OLDEST_KIND, ONLY_KEY, str(known_version()))]

    ChangeLog(cluster.shards[0], epoch=epoch).change(decide, cancel_token)
