"""`pegcount clickhouse`: the tables of a cluster, what its servers hold, and which replica takes writes."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Annotated, Final

import typer

from pegcount.cli.exit_status import PROBLEM_STATUS, errors_as_exit_status
from pegcount.cli.store_option import ClusterStore
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.errors import PegcountError
from pegcount.store import StoreLocation
from pegcount.store.clickhouse.shared import upgrade
from pegcount.store.clickhouse.tables import promotion, schema, status
from pegcount.store.clickhouse.tables.migrations import known_version
from pegcount.store.clickhouse.tables.places import places_of
from pegcount.store.clickhouse.wire.cluster import Cluster

clickhouse_app = typer.Typer(
    no_args_is_help=True, help="Make and look after the tables of a ClickHouse cluster."
)

_ASK_SECONDS_MAX: Final = 60.0
_SYNC_SECONDS_MAX: Final = 3_600.0


class StatusFormat(StrEnum):
    """How the state of a cluster is printed."""

    TABLE = "table"
    JSON = "json"


class ClusterMissingError(PegcountError):
    """A command about a cluster is given a data directory."""


@clickhouse_app.command("init")
def init(store: ClusterStore) -> None:
    """Make the database and the tables of a cluster on all its servers, or finish what was begun.

    Repeat it as often as you like: it changes nothing of a cluster that is complete.
    """
    with errors_as_exit_status(), _cluster(store) as cluster:
        keys = schema.create(cluster, CancelToken(_ASK_SECONDS_MAX))
        upgrade.begin(cluster, keys.epochs[0], CancelToken(_ASK_SECONDS_MAX))
        shards = "1 shard" if len(cluster.shards) == 1 else f"{len(cluster.shards)} shards"
        typer.echo(f"cluster {keys.cluster_id} is complete: {shards}, tables of version {known_version()}")
        typer.echo(f"next: pegcount key create --name NAME --scope root --store '{store}'", err=True)


@clickhouse_app.command("migrate")
def migrate(
    store: ClusterStore,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="All servers are upgraded: those of an older version may not go on."),
    ] = False,
) -> None:
    """Bring the tables of a cluster to the version of this program, while older servers go on.

    It changes nothing if they cannot, and says so. Then upgrade all servers, and end with --finish.
    """
    with errors_as_exit_status(), _cluster(store) as cluster:
        token = CancelToken(None)
        end_older = partial(upgrade.end_older, cluster, cancel_token=token) if finish else None
        migrated = schema.migrate(cluster, token, end_older)
    for one in migrated:
        is_same = one.version_before == one.version
        change = "" if is_same else f" (before: {one.version_before})"
        typer.echo(f"{one.place}: tables of version {one.version}{change}")
    if finish:
        typer.echo(f"servers that do not know version {known_version()} may not use the cluster")
    elif any(one.version_before != one.version for one in migrated):
        typer.echo(
            "older servers may go on; upgrade all, then run: pegcount clickhouse migrate --finish",
            err=True,
        )


@clickhouse_app.command("status")
def show_status(
    store: ClusterStore,
    output_format: Annotated[
        StatusFormat, typer.Option("--format", help="A table for people, or JSON.")
    ] = StatusFormat.TABLE,
) -> None:
    """Show what each server of a cluster is and holds; exits with 1 if one of them cannot be used."""
    with errors_as_exit_status(), _cluster(store) as cluster:
        servers = status.status_of(cluster, CancelToken(_ASK_SECONDS_MAX))
        problem = _problem_of(cluster, servers)
    if output_format is StatusFormat.JSON:
        typer.echo(json.dumps({"problem": problem, "servers": [asdict(one) for one in servers]}, indent=2))
    else:
        for one in servers:
            typer.echo("\n".join(_lines(one)))
        if problem is not None:
            typer.echo(f"problem: {problem}", err=True)
    if problem is not None or any(one.problem is not None for one in servers):
        raise typer.Exit(PROBLEM_STATUS)


@clickhouse_app.command("promote")
def promote(
    shard: Annotated[
        int, typer.Argument(min=1, help="Number of the shard, from 1, in the order of the URL.")
    ],
    replica: Annotated[int, typer.Argument(min=1, help="Number of the replica in its shard.")],
    store: ClusterStore,
    lost: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The replica that took the writes is lost: its name in Keeper, which forgets it.",
        ),
    ] = None,
) -> None:
    """Prepare a replica to take the writes of its shard in place of the one that is named first.

    Stop all Pegcount servers before, and start them again with the replica named first.
    """
    with (
        errors_as_exit_status(),
        _cluster(store) as cluster,
        places_of(cluster.address, cluster.query_seconds_max) as places,
    ):
        done = promotion.promote(places, shard, replica, lost, CancelToken(_SYNC_SECONDS_MAX))
        if done.dropped is not None:
            typer.echo(f"Keeper has forgotten {done.dropped}; the epoch of shard {shard} is {done.epoch}")
        typer.echo(f"{done.place} has all rows of its shard that there are ({', '.join(done.synced_tables)})")
        typer.echo("now name it first among its replicas, on every server, and start the servers", err=True)


@contextmanager
def _cluster(store: StoreLocation) -> Iterator[Cluster]:
    if store.cluster is None:
        raise ClusterMissingError(
            f"{store} is a directory; name a cluster: --store clickhouse://USER@HOST,HOST/DATABASE"
        )
    with closing(Cluster(store.cluster, Config().query_seconds_max)) as cluster:
        yield cluster


def _problem_of(cluster: Cluster, servers: Sequence[status.ServerStatus]) -> str | None:
    """Returns why a server of Pegcount would not start on servers that can be used each; None if it would."""
    if any(one.problem is not None and one.replica == 1 for one in servers):
        return None
    try:
        schema.require_usable(cluster)
    except PegcountError as error:
        return str(error)
    return None


def _lines(server: status.ServerStatus) -> Iterator[str]:
    yield server.place
    if server.problem is not None:
        yield f"  problem: {server.problem}"
    if server.version is not None:
        yield f"  ClickHouse {server.version}, clock {server.clock_offset_seconds:+.3f} s"
    if server.schema_version is not None:
        yield f"  tables of version {server.schema_version}, epoch {server.epoch}"
    if server.oldest_version is not None:
        yield f"  the cluster is for servers that know version {server.oldest_version} or newer"
    if server.holdings is not None:
        yield from _held_lines(server.holdings)


def _held_lines(held: status.Holdings) -> Iterator[str]:
    yield f"  {held.records:,} records in {held.parts:,} parts of {held.rows:,} rows, {held.bytes:,} bytes"
    yield f"  {held.unmerged_pairs:,} pairs of rows wait to be merged"
    if held.newest_day is not None:
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=held.newest_day)).date()
        yield (
            f"  {held.commits:,} commits of {held.days:,} days;"
            f" {held.newest_day_commits:,} of the newest, {day}"
        )
    if held.settings_changes is not None:
        yield f"  {held.settings_changes:,} changes of settings"
