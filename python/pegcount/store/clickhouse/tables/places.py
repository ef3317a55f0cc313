"""The servers of a cluster, and whether they are those that its address names, in this order."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pegcount.core import CancelToken
from pegcount.errors import StoreOpenError
from pegcount.store.clickhouse.tables.servers import ANYWHERE, opening
from pegcount.store.clickhouse.tables.shard_meta import META, ShardMeta, read_meta
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard


@dataclass(frozen=True, slots=True)
class Place:
    """A server, and where the address of the cluster names it."""

    shard: int
    """Number of its shard, from 1."""
    replica: int
    """Its number among the replicas of the shard, from 1: that takes the writes."""
    replica_count: int
    server: Shard
    database: str

    @property
    def is_replicated(self) -> bool:
        """Whether its shard has other replicas."""
        return self.replica_count > 1


@contextmanager
def places_of(address: ClusterAddress, query_seconds_max: float) -> Iterator[list[Place]]:
    """Yields all servers of an address, shard by shard, and closes their connections afterwards."""
    places = [
        Place(
            shard,
            replica,
            len(servers),
            _server(address, shard, replica, query_seconds_max),
            address.database,
        )
        for shard, servers in enumerate(address.shards, 1)
        for replica, _ in enumerate(servers, 1)
    ]
    try:
        yield places
    finally:
        for place in places:
            place.server.close()


def _server(address: ClusterAddress, shard: int, replica: int, query_seconds_max: float) -> Shard:
    servers = address.shards[shard - 1]
    name = f"shard {shard}" if len(servers) == 1 else f"shard {shard}, replica {replica}"
    return Shard(name, servers[replica - 1], address, query_seconds_max)


def meta_of(place: Place, cancel_token: CancelToken) -> ShardMeta | None:
    """Returns what a server holds about itself, None if it has no tables; raises StoreOpenError."""
    if META not in tables_of(place, cancel_token):
        return None
    with opening(place.server):
        return read_meta(place.server, cancel_token)


def tables_of(place: Place, cancel_token: CancelToken) -> set[str]:
    """Returns the tables of the database, which need not exist; raises StoreOpenError."""
    query = Query(
        "SELECT name FROM system.tables WHERE database = {name:String}", {"name": place.database}, ANYWHERE
    )
    with opening(place.server):
        return {row[0] for row in place.server.rows(query, cancel_token)}


def require_places(address: ClusterAddress, metas: Mapping[Place, ShardMeta]) -> None:
    """Raises StoreOpenError if servers belong to several clusters, or stand in another order or number."""
    found = list(metas.items())
    for place, meta in found:
        other, first = found[0]
        if meta.cluster_id != first.cluster_id:
            raise StoreOpenError(
                f"{other.server.place} and {place.server.place} belong to two clusters"
                f" ({first.cluster_id} and {meta.cluster_id}): name the servers of one"
            )
    for _, meta in found:
        if meta.shard_count != len(address.shards):
            raise StoreOpenError(
                f"the cluster has {_counted(meta.shard_count)}, and the address names"
                f" {_counted(len(address.shards))}: name the servers of all shards, in their order"
            )
    _require_different_servers(metas)
    for place, meta in found:
        if meta.shard != place.shard:
            raise StoreOpenError(
                f"{place.server.place} is shard {meta.shard} of the cluster: name the shards in their order"
                f"{_right_order(address, metas)}"
            )


def _require_different_servers(metas: Mapping[Place, ShardMeta]) -> None:
    place_of = dict[int, Place]()
    for place, meta in metas.items():
        # Each row has a random number of its own, so that one server was asked twice for it.
        other = place_of.setdefault(meta.nonce, place)
        if other != place:
            raise StoreOpenError(
                f"{other.server.place} and {place.server.place} are one server: each shard, and each replica,"
                " needs a server of its own"
            )


def _right_order(address: ClusterAddress, metas: Mapping[Place, ShardMeta]) -> str:
    """Returns the hosts in the right order, where it is known."""
    number_of = {place.shard: meta.shard for place, meta in metas.items() if place.replica == 1}
    place_of = {number: place for place, number in number_of.items()}
    if sorted(place_of) != list(range(1, len(address.shards) + 1)):
        return ""
    shards = (address.shards[place_of[number] - 1] for number in sorted(place_of))
    return ": " + ",".join("|".join(map(str, servers)) for servers in shards)


def _counted(shard_count: int) -> str:
    return "1 shard" if shard_count == 1 else f"{shard_count} shards"


def require_shards_present(places: Sequence[Place], metas: Mapping[Place, ShardMeta]) -> None:
    """Raises StoreOpenError if a shard of a cluster that was complete has lost its tables."""
    if not any(meta.is_complete for meta in metas.values()):
        return
    present = {place.shard for place in metas}
    for place in places:
        if place.shard not in present:
            raise StoreOpenError(
                f"{place.server.place} has lost its tables, and with them its part of the records: it was"
                " replaced, or is another server. Name the right one, or restore it from a backup"
            )
