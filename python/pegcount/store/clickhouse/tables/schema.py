"""The tables of a cluster: makes them, brings them to a new version, and checks them when a server starts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from pegcount.core import CancelToken, ledger_columns
from pegcount.errors import StoreOpenError, StoreUnavailableError
from pegcount.store.clickhouse.tables.ledger_table import (
    LEDGER,
    add_column_statement,
    column_definitions,
    create_ledger_statement,
)
from pegcount.store.clickhouse.tables.migrations import known_version, oldest_beside, statements_after
from pegcount.store.clickhouse.tables.places import (
    Place,
    meta_of,
    places_of,
    require_places,
    require_shards_present,
    tables_of,
)
from pegcount.store.clickhouse.tables.programs import oldest_version, require_known
from pegcount.store.clickhouse.tables.servers import (
    ANYWHERE,
    facts_of,
    opening,
    require_usable_server,
)
from pegcount.store.clickhouse.tables.settings_tables import (
    CHANGES,
    EVERY_SHARD_TABLES,
    FIRST_SHARD_TABLES,
    SettingsTable,
    create_statement,
)
from pegcount.store.clickhouse.tables.shard_meta import CREATE_META, META, ShardMeta, new_cluster, write_meta
from pegcount.store.clickhouse.tables.table_settings import require_table_settings
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard

_OPEN_SECONDS_MAX: Final = 30.0
_SHOWN_TABLE_COUNT_MAX: Final = 5
_SHOWN_COLUMN_COUNT_MAX: Final = 5
_COLUMNS: Final = Query(
    "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {name:String}",
    {"name": LEDGER},
)


@dataclass(frozen=True, slots=True)
class ClusterKeys:
    """What all servers of a cluster agree on."""

    hash_key: bytes = field(repr=False)
    """By which records are distributed over the shards and looked up; 16 bytes."""
    party_key: bytes = field(repr=False)
    """Of the digests of erased numbers; 16 bytes."""
    epochs: tuple[int, ...] = ()
    """By shard, how often a replica was promoted in place of one that was lost."""
    cluster_id: str = ""


@dataclass(frozen=True, slots=True)
class MigratedServer:
    """The versions of the tables of one server before and after a migration."""

    place: str
    version_before: int
    version: int


def create(cluster: Cluster, cancel_token: CancelToken | None = None) -> ClusterKeys:
    """Makes the database and the tables on each server, or finishes what was begun; again, it does nothing.

    Raises StoreOpenError, before it makes anything, if a server cannot be used, or if the database has tables
    of another cluster or of another program.
    """
    token = cancel_token or CancelToken(None)
    with places_of(cluster.address, cluster.query_seconds_max) as places:
        _require_usable_servers(places, token)
        metas = _metas(places, token)
        require_places(cluster.address, metas)
        require_shards_present(places, metas)
        for place in places:
            with opening(place.server):
                _require_own_tables(place, metas.get(place), token)
        for place in places:
            with opening(place.server):
                place.server.run(f"CREATE DATABASE IF NOT EXISTS {cluster.database}", token, ANYWHERE)
                place.server.run(CREATE_META, token)
        metas = _with_identity(cluster, places, metas, token)
        for place in places:
            if not metas[place].is_complete:
                with opening(place.server):
                    _make_tables(place, metas[place], token)
        for place in places:
            if not metas[place].is_complete:
                made = replace(metas[place], schema_version=known_version(), is_complete=True)
                with opening(place.server):
                    write_meta(place.server, made, token)
    return require_usable(cluster, token)


def migrate(
    cluster: Cluster,
    cancel_token: CancelToken | None = None,
    end_older: Callable[[int], object] | None = None,
) -> list[MigratedServer]:
    """Brings the tables of each server to the version of this program; again, it does nothing.

    `end_older` keeps older servers from going on. It is called with the epoch of the first shard before
    anything is changed; None: they go on. Raises StoreOpenError if a server cannot be used, if it has tables
    of a newer program, or if older servers cannot go on and `end_older` is None. What was done until then
    stays done, and the next call goes on from there.
    """
    token = cancel_token or CancelToken(None)
    with places_of(cluster.address, cluster.query_seconds_max) as places:
        _require_usable_servers(places, token)
        metas = _metas(places, token)
        require_places(cluster.address, metas)
        _require_complete(cluster, places, metas)
        for place in places:
            _require_not_newer(place, metas[place])
            with opening(place.server):
                _require_own_tables(place, metas[place], token)
        if end_older is None:
            _require_older_go_on(places[0], min(meta.schema_version for meta in metas.values()), token)
        else:
            with opening(places[0].server):
                end_older(metas[places[0]].epoch)
        for place in places:
            with opening(place.server):
                _migrate_server(place, metas[place], token)
        return [
            MigratedServer(place.server.place, metas[place].schema_version, known_version())
            for place in places
        ]


def require_usable(cluster: Cluster, cancel_token: CancelToken | None = None) -> ClusterKeys:
    """Returns the keys of a cluster whose shards are all there, in order, with tables for this program.

    Of each shard, the replica that takes the writes has to be there. Raises StoreOpenError with the next
    step otherwise; also if a server is too old, or if its clock is far from that of this host.
    """
    token = cancel_token or CancelToken(_OPEN_SECONDS_MAX)
    address = cluster.address
    writers = [
        Place(number, 1, len(address.shards[number - 1]), server, address.database)
        for number, server in enumerate(cluster.shards, 1)
    ]
    place_of = {place.server: place for place in writers}
    found = cluster.each(lambda server: _looked_at(place_of[server], token), token)
    metas = {place: meta for place, meta in found if meta is not None}
    require_places(address, metas)
    _require_complete(cluster, writers, metas)
    for place in writers:
        _require_not_older(cluster, place, metas[place])
    cluster.each(lambda server: _require_tables(place_of[server], token), token)
    _require_known(writers[0], token)
    cluster.each(lambda server: require_table_settings(place_of[server], token), token)
    _require_not_promoted(cluster, metas, token)
    first = metas[writers[0]]
    epochs = tuple(metas[place].epoch for place in writers)
    return ClusterKeys(first.hash_key, first.party_key, epochs, first.cluster_id)


def _looked_at(place: Place, cancel_token: CancelToken) -> tuple[Place, ShardMeta | None]:
    require_usable_server(place.server, facts_of(place.server, cancel_token))
    return place, meta_of(place, cancel_token)


def _require_usable_servers(places: Sequence[Place], cancel_token: CancelToken) -> None:
    for place in places:
        require_usable_server(place.server, facts_of(place.server, cancel_token))


def _metas(places: Sequence[Place], cancel_token: CancelToken) -> dict[Place, ShardMeta]:
    found = {place: meta_of(place, cancel_token) for place in places}
    return {place: meta for place, meta in found.items() if meta is not None}


def _with_identity(
    cluster: Cluster, places: Sequence[Place], metas: Mapping[Place, ShardMeta], cancel_token: CancelToken
) -> dict[Place, ShardMeta]:
    """Tells each server that does not know it which shard of which cluster it is."""
    known = dict(metas)
    for place in places:
        if place not in known:
            pattern = next(iter(known.values()), new_cluster(len(cluster.shards)))
            own = replace(pattern, shard=place.shard, schema_version=0, is_complete=False, revision=0)
            with opening(place.server):
                known[place] = write_meta(place.server, own, cancel_token)
    # Another program may have been faster on some of them.
    require_places(cluster.address, known)
    return known


def _make_tables(place: Place, meta: ShardMeta, cancel_token: CancelToken) -> None:
    """Makes the tables that a server lacks."""
    ledger = _engine(place, meta, LEDGER, "Collapsing", "sign")
    place.server.run(create_ledger_statement(ledger), cancel_token)
    for table in _settings_tables(place):
        engine = _engine(place, meta, table.name, "Replacing", table.version_column)
        place.server.run(create_statement(table, engine), cancel_token)


def _settings_tables(place: Place) -> Sequence[SettingsTable]:
    return (*FIRST_SHARD_TABLES, *EVERY_SHARD_TABLES) if place.shard == 1 else EVERY_SHARD_TABLES


def _engine(place: Place, meta: ShardMeta, table: str, kind: str, argument: str) -> str:
    if not place.is_replicated:
        return f"{kind}MergeTree({argument})"
    # ClickHouse puts in the name that the configuration of each server gives it.
    path = f"/pegcount/{meta.cluster_id}/{place.shard}/{table}"
    return f"Replicated{kind}MergeTree('{path}', '{{replica}}', {argument})"


def _require_older_go_on(first: Place, version: int, cancel_token: CancelToken) -> None:
    """Raises StoreOpenError if a server may run that cannot go on while tables of a version are migrated."""
    with opening(first.server):
        oldest = oldest_version(first.server, cancel_token)
    if oldest < (needed := oldest_beside(version)):
        raise StoreOpenError(
            f"the tables have version {version}; on the way to version {known_version()}, servers that do not"
            f" know version {needed} cannot go on. Upgrade them to one that does, and run its `pegcount"
            " clickhouse migrate --finish` before; or stop all servers, and run that of this program"
        )


def _migrate_server(place: Place, meta: ShardMeta, cancel_token: CancelToken) -> None:
    _make_tables(place, meta, cancel_token)
    present = _columns(place.server, cancel_token)
    for name, definition in column_definitions():
        if name not in present:
            place.server.run(add_column_statement(name, definition), cancel_token)
    for statement in statements_after(meta.schema_version):
        place.server.run(statement, cancel_token)
    # Another program may change something else of it at the same time.
    while meta.schema_version < known_version():
        meta = write_meta(place.server, replace(meta, schema_version=known_version()), cancel_token)


def _columns(server: Shard, cancel_token: CancelToken) -> dict[str, str]:
    return dict(server.rows(_COLUMNS, cancel_token))


# ---- Checks ----


def _require_own_tables(place: Place, meta: ShardMeta | None, cancel_token: CancelToken) -> None:
    """Raises StoreOpenError for a database of another program, or one that lost tables of this one."""
    tables = tables_of(place, cancel_token)
    if meta is None and tables - {META}:
        shown = ", ".join(sorted(tables - {META})[:_SHOWN_TABLE_COUNT_MAX])
        raise StoreOpenError(
            f"the database {place.database} of {place.server.place} has tables of another program"
            f" ({shown}): name a database that does not exist yet"
        )
    if meta is not None and meta.is_complete:
        _require_no_lost_table(place, tables)


def _require_no_lost_table(place: Place, tables: Collection[str]) -> None:
    """Raises StoreOpenError without the records or the settings: an empty table must not take their place."""
    for table in (LEDGER, CHANGES.name) if place.shard == 1 else (LEDGER,):
        if table not in tables:
            raise StoreOpenError(f"{place.server.place} has lost its table {table}: restore it from a backup")


def _require_complete(cluster: Cluster, places: Sequence[Place], metas: Mapping[Place, ShardMeta]) -> None:
    init = f"pegcount clickhouse init --store '{cluster.address}'"
    if not metas:
        raise StoreOpenError(
            f"the servers have no database {cluster.database} of Pegcount: check its name, or make it:"
            f" `{init}`"
        )
    require_shards_present(places, metas)
    for place in places:
        if place not in metas or not metas[place].is_complete:
            raise StoreOpenError(f"{place.server.place} was not made to the end: finish it by `{init}`")


def _require_not_older(cluster: Cluster, place: Place, meta: ShardMeta) -> None:
    if meta.schema_version < known_version():
        raise StoreOpenError(
            f"{place.server.place} has tables of version {meta.schema_version}, and this program needs"
            f" version {known_version()}: run `pegcount clickhouse migrate --store '{cluster.address}'` while"
            " servers of the version before go on"
        )


def _require_not_newer(place: Place, meta: ShardMeta) -> None:
    if meta.schema_version > known_version():
        raise StoreOpenError(
            f"{place.server.place} has tables of version {meta.schema_version}, which a newer Pegcount made;"
            f" this program knows version {known_version()}: install the newer one on this host"
        )


def _require_known(first: Place, cancel_token: CancelToken) -> None:
    """Raises StoreOpenError if the tables are for newer programs alone."""
    with opening(first.server):
        oldest = oldest_version(first.server, cancel_token)
    try:
        require_known(oldest)
    except StoreUnavailableError as error:
        raise StoreOpenError(str(error)) from error


def _require_tables(place: Place, cancel_token: CancelToken) -> None:
    with opening(place.server):
        _require_no_lost_table(place, tables_of(place, cancel_token))
        present = _columns(place.server, cancel_token)
    wrong = [f"{name} {type_}" for name, type_ in ledger_columns() if present.get(name) != type_]
    if wrong:
        raise StoreOpenError(
            f"the table {LEDGER} of {place.server.place} lacks columns that this program writes"
            f" ({', '.join(wrong[:_SHOWN_COLUMN_COUNT_MAX])}): another program has changed it; restore it"
            " from a backup"
        )


def _require_not_promoted(
    cluster: Cluster, metas: Mapping[Place, ShardMeta], cancel_token: CancelToken
) -> None:
    """Raises StoreOpenError if another replica of a shard was promoted than the one that is named first."""
    epoch_of = {place.shard: meta.epoch for place, meta in metas.items()}
    with places_of(cluster.address, cluster.query_seconds_max) as places:
        for place in places:
            # A replica that cannot be reached must not keep a server from starting.
            with suppress(StoreOpenError):
                meta = meta_of(place, cancel_token) if place.replica > 1 else None
            if meta is not None and meta.epoch > epoch_of[place.shard]:
                raise StoreOpenError(
                    f"{place.server.place} was promoted and takes the writes of its shard: name it first"
                    " among its replicas, on every server"
                )
