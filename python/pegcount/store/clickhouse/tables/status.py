"""What `pegcount clickhouse status` shows: what each server of a cluster is and holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pegcount.core import CancelToken
from pegcount.errors import StoreOpenError
from pegcount.store.clickhouse.tables.ledger_table import LEDGER, MARKER
from pegcount.store.clickhouse.tables.places import Place, meta_of, places_of
from pegcount.store.clickhouse.tables.programs import oldest_version
from pegcount.store.clickhouse.tables.servers import facts_of, opening, require_usable_server
from pegcount.store.clickhouse.tables.settings_tables import CHANGES
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query

_SIGNS: Final = Query(f"SELECT state, sum(sign) FROM {LEDGER} GROUP BY state")
_PARTS: Final = Query(
    "SELECT count(), sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active"
    " AND database = currentDatabase() AND table = {name:String}",
    {"name": LEDGER},
)
_HEADS: Final = Query(
    "SELECT count(), sum(head), max(day), argMax(head, day) FROM"
    f" (SELECT day, max(seq) AS head FROM {LEDGER} WHERE state = {MARKER} GROUP BY day)"
)
_SETTINGS_HEAD: Final = Query(f"SELECT max(seq) FROM {CHANGES.name}")


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a server holds of its shard."""

    records: int
    rows: int
    """Rows on its disk: those of records, of the commits, and of pairs that are not merged yet."""
    unmerged_pairs: int
    """Pairs of rows that cancel each other and that ClickHouse has not removed yet; about, under writes."""
    parts: int
    bytes: int
    days: int
    """Home days with commits."""
    commits: int
    """Commits of all days."""
    newest_day: int | None
    """In days since 1970-01-01; None without commits."""
    newest_day_commits: int
    settings_changes: int | None
    """Number of the last change of the settings; None on all shards but the first."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server of a cluster."""

    shard: int
    replica: int
    place: str
    problem: str | None = None
    """Why it cannot be used; None if it can."""
    version: str | None = None
    clock_offset_seconds: float | None = None
    """By how much its clock is ahead of that of this host."""
    schema_version: int | None = None
    """Version of its tables."""
    oldest_version: int | None = None
    """Which version of the tables a program must know to use the cluster; only the first shard tells."""
    epoch: int | None = None
    """How often a replica of its shard was promoted in place of one that was lost."""
    holdings: Holdings | None = None


def status_of(cluster: Cluster, cancel_token: CancelToken) -> Sequence[ServerStatus]:
    """Asks each server of a cluster, all replicas too; raises nothing for those that cannot be used."""
    with places_of(cluster.address, cluster.query_seconds_max) as places:
        return [_status_of(place, cancel_token) for place in places]


def _status_of(place: Place, cancel_token: CancelToken) -> ServerStatus:
    server, found, problem = place.server, dict[str, Any](), None
    try:
        facts = facts_of(server, cancel_token)
        found |= {"version": facts.version, "clock_offset_seconds": facts.clock_offset_seconds}
        require_usable_server(server, facts)
        meta = meta_of(place, cancel_token)
        if meta is None:
            raise StoreOpenError(f"{server.place} has no tables of Pegcount in {place.database}")
        found |= {"schema_version": meta.schema_version, "epoch": meta.epoch}
        with opening(server):
            if place.shard == 1:
                found["oldest_version"] = oldest_version(server, cancel_token)
            found["holdings"] = _holdings(place, cancel_token)
    except StoreOpenError as error:
        problem = str(error)
    return ServerStatus(place.shard, place.replica, server.place, problem, **found)


def _holdings(place: Place, cancel_token: CancelToken) -> Holdings:
    server = place.server
    signs = {int(state): int(count) for state, count in server.rows(_SIGNS, cancel_token)}
    markers = signs.pop(MARKER, 0)
    records = sum(signs.values())
    ((parts, rows, size),) = server.rows(_PARTS, cancel_token)
    ((days, commits, newest_day, newest_head),) = server.rows(_HEADS, cancel_token)
    has_settings = place.shard == 1
    return Holdings(
        records=records,
        rows=int(rows),
        unmerged_pairs=max(0, int(rows) - markers - records) // 2,
        parts=int(parts),
        bytes=int(size),
        days=int(days),
        commits=int(commits),
        newest_day=int(newest_day) if int(days) else None,
        newest_day_commits=int(newest_head),
        settings_changes=int(server.rows(_SETTINGS_HEAD, cancel_token)[0][0]) if has_settings else None,
    )
