"""Makes another replica of a shard the one that takes its writes.

All writes of a shard go to one replica, which every server names first: two replicas that take commits of one
day at once could each keep one with the same number. Two cases differ:

- The present one answers: the other one gets all that it has (SYNC REPLICA), and the operator changes the
  order on all servers. Numbers of commits stay valid, as Keeper has those of all replicas.
- It is lost: Keeper forgets it (DROP REPLICA), so that it cannot come back with commits of its own; the other
  one completes what it can, and the epoch of the shard grows. The epoch is a part of the token of each
  commit: a number that the lost replica had taken, and whose rows are gone with it, can be taken again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import StoreOpenError
from pegcount.store.clickhouse.tables.places import Place, meta_of
from pegcount.store.clickhouse.tables.servers import facts_of, opening
from pegcount.store.clickhouse.tables.shard_meta import ShardMeta, write_meta
from pegcount.store.clickhouse.wire.form import Query

_REPLICATED: Final = Query(
    "SELECT table, is_readonly OR is_session_expired FROM system.replicas WHERE database = currentDatabase()"
    " ORDER BY table"
)
_REPLICAS: Final = Query(
    "SELECT name, max(replica_is_active[name]) FROM (SELECT arrayJoin(mapKeys(replica_is_active)) AS name,"
    " replica_is_active FROM system.replicas WHERE database = currentDatabase()) GROUP BY name ORDER BY name"
)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was done."""

    place: str
    """The replica that takes the writes from now on."""
    epoch: int
    synced_tables: tuple[str, ...]
    dropped: str | None
    """The replica that Keeper has forgotten, by the name that it had there; None if none was lost."""


def promote(
    places: Sequence[Place], shard: int, replica: int, lost: str | None, cancel_token: CancelToken
) -> Promotion:
    """Prepares a replica to take the writes of its shard; the servers have to name it first afterwards.

    `lost` is the name that Keeper has for the present one if that does not come back. Raises StoreOpenError
    if the replica does not exist, if it cannot take writes, or if the present one is in another state than
    `lost` says. It may be called again after an error.
    """
    present, new = _of_shard(places, shard, replica)
    meta = _meta(new, cancel_token)
    tables = _replicated_tables(new, cancel_token)
    if _answers(present, cancel_token):
        if lost is not None:
            raise StoreOpenError(
                f"{present.server.place} answers: stop ClickHouse there for good, or leave --lost out"
            )
        _sync(new, tables, cancel_token)
        return Promotion(new.server.place, meta.epoch, tables, None)
    if lost is None:
        raise StoreOpenError(_advice(present, _is_active_by_name(new, cancel_token)))
    _forget(new, tables, lost, cancel_token)
    _sync(new, tables, cancel_token)
    epoch = _raised_epoch(places, new, meta, cancel_token)
    return Promotion(new.server.place, epoch, tables, lost)


def _of_shard(places: Sequence[Place], shard: int, replica: int) -> tuple[Place, Place]:
    """Returns the replica that takes the writes of a shard, and the one to promote."""
    of_shard = [place for place in places if place.shard == shard]
    if not of_shard:
        count = max(place.shard for place in places)
        raise StoreOpenError(f"there is not a shard {shard}: the address names shards 1 to {count}")
    found = [place for place in of_shard if place.replica == replica]
    if not found:
        names = ", ".join(f"{place.replica} is {place.server.place}" for place in of_shard)
        raise StoreOpenError(f"shard {shard} has not a replica {replica}: {names}")
    if replica == 1:
        raise StoreOpenError(
            f"{found[0].server.place} takes the writes of its shard already: it is named first"
        )
    return of_shard[0], found[0]


def _meta(place: Place, cancel_token: CancelToken) -> ShardMeta:
    meta = meta_of(place, cancel_token)
    if meta is None or not meta.is_complete or meta.shard != place.shard:
        raise StoreOpenError(f"{place.server.place} is not a replica of shard {place.shard} of this cluster")
    return meta


def _replicated_tables(place: Place, cancel_token: CancelToken) -> tuple[str, ...]:
    with opening(place.server):
        rows = place.server.rows(_REPLICATED, cancel_token)
    if not rows:
        raise StoreOpenError(
            f"the tables of {place.server.place} are not replicated: it has no other replica's rows"
        )
    read_only = [table for table, is_read_only in rows if is_read_only != "0"]
    if read_only:
        raise StoreOpenError(
            f"{place.server.place} cannot take writes at present, as it is without Keeper"
            f" ({', '.join(read_only)}): see system.replicas there"
        )
    return tuple(table for table, _ in rows)


def _answers(place: Place, cancel_token: CancelToken) -> bool:
    try:
        facts_of(place.server, cancel_token)
    except StoreOpenError:
        return False
    return True


def _is_active_by_name(place: Place, cancel_token: CancelToken) -> dict[str, bool]:
    """Returns the replicas of a shard by their names in Keeper, and whether each is connected to it."""
    with opening(place.server):
        return {name: is_active != "0" for name, is_active in place.server.rows(_REPLICAS, cancel_token)}


def _advice(present: Place, is_active: Mapping[str, bool]) -> str:
    named = (
        ", ".join(name for name in is_active if not is_active[name])
        or "none yet; Keeper needs some seconds to notice"
    )
    return (
        f"{present.server.place} does not answer. If it comes back, wait for it. If it is lost, give --lost"
        f" NAME, its name in Keeper (inactive there: {named}): records that only it had are lost with it"
    )


def _forget(place: Place, tables: Sequence[str], lost: str, cancel_token: CancelToken) -> None:
    """Lets Keeper forget a lost replica; ClickHouse refuses it for one that is active."""
    is_active = _is_active_by_name(place, cancel_token)
    inactive = [name for name in is_active if not is_active[name]]
    if lost not in is_active and not inactive:
        # An earlier call has done so.
        return
    if lost not in inactive:
        named = ", ".join(inactive) or "none"
        raise StoreOpenError(f"Keeper has not an inactive replica {lost!r} of this shard; inactive: {named}")
    with opening(place.server):
        for table in tables:
            place.server.run(f"SYSTEM DROP REPLICA '{_escaped(lost)}' FROM TABLE {table}", cancel_token)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _sync(place: Place, tables: Sequence[str], cancel_token: CancelToken) -> None:
    with opening(place.server):
        for table in tables:
            place.server.run(f"SYSTEM SYNC REPLICA {table}", cancel_token)


def _raised_epoch(places: Sequence[Place], new: Place, meta: ShardMeta, cancel_token: CancelToken) -> int:
    """Stores the next epoch on the promoted replica, and on the others of its shard that answer."""
    with opening(new.server):
        raised = write_meta(new.server, replace(meta, epoch=meta.epoch + 1), cancel_token)
    for place in places:
        if place.shard == new.shard and place.replica not in (1, new.replica):
            other = meta_of(place, cancel_token)
            if other is not None and other.epoch < raised.epoch:
                with opening(place.server):
                    write_meta(place.server, replace(other, epoch=raised.epoch), cancel_token)
    return raised.epoch
