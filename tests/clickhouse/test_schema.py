"""The tables of a cluster: who makes them twice, in part, or over those of others, and who may use them."""

import itertools
from collections.abc import Iterator
from contextlib import closing

import pytest
from pegcount.core import CancelToken, ledger_columns
from pegcount.errors import StoreOpenError
from pegcount.store.clickhouse.tables import migrations, schema
from pegcount.store.clickhouse.tables.servers import ServerFacts, opening, require_usable_server
from pegcount.store.clickhouse.tables.shard_meta import ShardMeta, read_meta, write_meta
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.failures import failure

from clickhouse.rig import Rig

_NUMBERS = itertools.count(1)
NO_LIMIT = CancelToken(None)


def cluster_at(url: str) -> Cluster:
    return Cluster(ClusterAddress.parse(url), 30.0)


class Place:
    """A database of its own on the servers of the rig."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.database = f"schema_{next(_NUMBERS)}"

    def cluster(self, *servers: int, user: str = "default", database: str | None = None) -> Cluster:
        """Returns the cluster of the servers with these numbers, by default of both."""
        hosts = ",".join(self.rig.servers[number].address for number in servers or (0, 1))
        url = f"clickhouse://{user}@{hosts}/{database or self.database}"
        return cluster_at(url)

    def create(self, *servers: int, database: str | None = None) -> schema.ClusterKeys:
        with closing(self.cluster(*servers, database=database)) as cluster:
            return schema.create(cluster)

    def keys(self, *servers: int) -> schema.ClusterKeys:
        with closing(self.cluster(*servers)) as cluster:
            return schema.require_usable(cluster)

    def refusal(self, *servers: int, user: str = "default") -> str:
        """Returns why a server of Pegcount does not start."""
        with closing(self.cluster(*servers, user=user)) as cluster:
            with pytest.raises(StoreOpenError) as refused:
                schema.require_usable(cluster)
            return str(refused.value)

    def refusal_of_init(self, *servers: int) -> str:
        with closing(self.cluster(*servers)) as cluster:
            with pytest.raises(StoreOpenError) as refused:
                schema.create(cluster)
            return str(refused.value)

    def ask(self, server: int, statement: str, database: str = "") -> str:
        return self.rig.servers[server].ask(statement, database=database or self.database).strip()

    def meta(self, server: int) -> ShardMeta:
        with closing(self.cluster()) as cluster:
            found = read_meta(cluster.shards[server], NO_LIMIT)
        assert found is not None
        return found

    def put_meta(self, server: int, meta: ShardMeta) -> ShardMeta:
        with closing(self.cluster()) as cluster:
            return write_meta(cluster.shards[server], meta, NO_LIMIT)


@pytest.fixture
def place(cluster: Rig) -> Iterator[Place]:
    made = Place(cluster)
    yield made
    cluster.ask(f"DROP DATABASE IF EXISTS {made.database} SYNC")


def changed(meta: ShardMeta, **fields: object) -> ShardMeta:
    values = {name: getattr(meta, name) for name in ShardMeta.__slots__}
    return ShardMeta(**{**values, **fields})


def test_a_new_cluster_can_be_used_and_is_made_once(place: Place) -> None:
    keys = place.create()
    assert keys == place.create() == place.keys()
    assert [len(key) for key in (keys.hash_key, keys.party_key)] == [16, 16]
    assert keys.hash_key != keys.party_key
    assert keys.epochs == (0, 0)
    assert [place.meta(number).shard for number in (0, 1)] == [1, 2]
    assert "hash_key" not in repr(keys)


def test_the_ledger_has_the_columns_of_the_core_and_what_reports_need(place: Place) -> None:
    place.create()
    columns = place.ask(
        1,
        f"SELECT name, type FROM system.columns WHERE database = '{place.database}'"
        " AND table = 'ledger' ORDER BY position",
    )
    assert [tuple(line.split("\t")) for line in columns.splitlines()] == ledger_columns()
    made = place.ask(1, "SHOW CREATE TABLE ledger")
    for part in (
        "CollapsingMergeTree(sign)",
        "PROJECTION apps",
        "PROJECTION folders",
        "fsync_after_insert = 1",
    ):
        assert part in made


def test_the_settings_are_on_the_first_shard_alone(place: Place) -> None:
    place.create()
    assert place.ask(0, "SHOW TABLES").split() == ["audit", "changes", "deck_entries", "ledger", "meta"]
    assert place.ask(1, "SHOW TABLES").split() == ["deck_entries", "ledger", "meta"]


@pytest.mark.parametrize("left", ["database", "identity", "tables"])
def test_an_init_that_was_cut_short_is_finished(place: Place, left: str) -> None:
    first = place.create()
    meta = changed(place.meta(0), schema_version=0, is_complete=False)
    place.ask(1, f"DROP DATABASE {place.database} SYNC", "default")
    for table in ("audit", "changes", "deck_entries", "ledger"):
        if left != "tables":
            place.ask(0, f"DROP TABLE {table} SYNC")
    if left == "database":
        place.ask(0, f"DROP DATABASE {place.database} SYNC", "default")
    else:
        place.put_meta(0, meta)
        assert "was not made to the end: finish it by `pegcount clickhouse init" in place.refusal()
    keys = place.create()
    assert (keys == first) is (left != "database")
    assert place.keys() == keys


def test_two_that_begin_at_once_agree(place: Place) -> None:
    """The row of one of them counts on the first shard, and both take the cluster from it."""
    place.create()
    meta = place.meta(0)
    one, other = (changed(meta, epoch=epoch) for epoch in (7, 8))
    assert place.put_meta(0, one).epoch == 7
    assert place.put_meta(0, other).epoch == 7


def test_servers_without_tables_are_refused_with_the_command(place: Place) -> None:
    text = f"the servers have no database {place.database} of Pegcount: check its name, or make it: `pegcount"
    assert place.refusal().startswith(text)


def test_shards_in_another_order_are_refused_with_the_right_one(place: Place) -> None:
    place.create()
    hosts = ",".join(server.address for server in place.rig.servers)
    for refusal in (place.refusal(1, 0), place.refusal_of_init(1, 0)):
        assert refusal.endswith(f"is shard 2 of the cluster: name the shards in their order: {hosts}")


def test_a_missing_shard_is_refused(place: Place) -> None:
    place.create()
    text = "the cluster has 2 shards, and the address names 1 shard: name the servers of all shards"
    assert text in place.refusal(0)
    assert text in place.refusal_of_init(0)


def test_a_shard_of_another_cluster_is_refused(place: Place) -> None:
    place.create()
    other = f"{place.database}_other"
    place.create(database=other)
    place.rig.servers[1].ask(f"DROP DATABASE {place.database} SYNC")
    place.rig.servers[1].ask(f"RENAME DATABASE {other} TO {place.database}")
    place.rig.servers[0].ask(f"DROP DATABASE {other} SYNC")
    assert "belong to two clusters" in place.refusal()
    assert "belong to two clusters" in place.refusal_of_init()


def test_one_server_for_two_shards_is_refused(place: Place) -> None:
    port = place.rig.servers[0].port
    url = f"clickhouse://127.0.0.1:{port},localhost:{port}/{place.database}"
    text = "are one server: each shard, and each replica, needs"
    with closing(cluster_at(url)) as cluster, pytest.raises(StoreOpenError, match=text):
        schema.create(cluster)


@pytest.mark.parametrize("lost", ["DATABASE {} SYNC", "TABLE ledger SYNC"])
def test_a_shard_that_lost_its_records_is_never_made_anew(place: Place, lost: str) -> None:
    """An empty one in its place would make every figure wrong without a sign of it."""
    place.create()
    place.ask(1, f"DROP {lost.format(place.database)}", "" if "TABLE" in lost else "default")
    assert "has lost its table" in place.refusal()
    assert "has lost its table" in place.refusal_of_init()
    with closing(place.cluster()) as cluster, pytest.raises(StoreOpenError, match="has lost its table"):
        schema.migrate(cluster)


def test_lost_settings_are_never_made_anew(place: Place) -> None:
    """They have the rules of deletions and erasures, which writes would no longer be held to."""
    place.create()
    place.ask(0, "DROP TABLE changes SYNC")
    assert "has lost its table changes" in place.refusal()
    assert "has lost its table changes" in place.refusal_of_init()


def test_a_database_of_another_program_is_left_alone(place: Place) -> None:
    place.rig.ask(f"CREATE DATABASE {place.database}")
    place.ask(1, "CREATE TABLE orders (n Int64) ENGINE = Memory")
    assert "has tables of another program (orders): name a database that" in place.refusal_of_init()
    assert place.ask(0, "SHOW TABLES") == ""


def test_tables_of_a_newer_program_are_used_and_not_migrated(place: Place) -> None:
    """`test_upgrade` has who may use them."""
    keys = place.create()
    place.put_meta(1, changed(place.meta(1), schema_version=migrations.known_version() + 1))
    assert place.keys() == keys
    with closing(place.cluster()) as cluster, pytest.raises(StoreOpenError, match="install the newer one"):
        schema.migrate(cluster)


def test_older_tables_need_a_migration_that_may_be_repeated(place: Place) -> None:
    place.create()
    place.put_meta(1, changed(place.meta(1), schema_version=0))
    place.ask(1, "ALTER TABLE ledger DROP COLUMN part_class")
    place.ask(1, "DROP TABLE deck_entries SYNC")
    assert "run `pegcount clickhouse migrate --store" in place.refusal()
    for before in (0, migrations.known_version()):
        with closing(place.cluster()) as cluster:
            servers = schema.migrate(cluster)
        assert [each.version_before for each in servers] == [migrations.known_version(), before]
        assert place.keys() == place.create()
    kind = f"SELECT type FROM system.columns WHERE database = '{place.database}' AND name = 'part_class'"
    assert place.ask(1, kind) == "Int64"


def test_a_column_that_another_program_changed_is_named(place: Place) -> None:
    place.create()
    place.ask(0, "ALTER TABLE ledger DROP COLUMN part")
    assert "lacks columns that this program writes (part Int64)" in place.refusal()


@pytest.mark.parametrize(
    ("shard", "table", "lowered"),
    [
        (1, "ledger", "non_replicated_deduplication_window = 0"),
        (1, "ledger", "fsync_after_insert = 0"),
        (0, "changes", "non_replicated_deduplication_window = 100"),
        (0, "audit", "fsync_part_directory = 0"),
    ],
)
def test_settings_that_commits_rely_on_are_required(
    place: Place, shard: int, table: str, lowered: str
) -> None:
    """Without the window, the server takes two commits of one number, and records count twice."""
    place.create()
    place.ask(shard, f"ALTER TABLE {table} MODIFY SETTING {lowered}")
    refusal = place.refusal()
    assert f"table {table} of shard {shard + 1}" in refusal
    assert f"has {lowered}, with which records could count twice or be lost: ALTER TABLE" in refusal


def test_a_user_that_is_not_let_in_is_told_so(place: Place) -> None:
    assert "does not accept the user and the password" in place.refusal(user="nobody")


def test_a_server_that_does_not_answer_is_named(place: Place) -> None:
    text = r"^shard 1 \(127.0.0.1:1\) does not answer; see .*HTTP port"
    url = "clickhouse://127.0.0.1:1/calls"
    with closing(cluster_at(url)) as cluster, pytest.raises(StoreOpenError, match=text):
        schema.require_usable(cluster)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (60, " has lost a table of the store: its operator has to restore it"),
        (193, " does not accept the user and the password: check both, also for typing errors"),
        (210, " lost a connection that it needs; see that ClickHouse runs there"),
        (392, " lets its user make and change no tables: set allow_ddl to 1 in its profile"),
        (396, " refused a statement by a limit of the user's profile (code 396, TOO_MANY_ROWS_OR_BYTES); "),
        (48, " refused a statement (code 48, another error); the log of this server has its text"),
    ],
)
@pytest.mark.parametrize("is_write", [False, True])
def test_a_server_that_cannot_be_opened_is_named_once_with_the_cause(
    code: int, said: str, is_write: bool
) -> None:
    """Also if a statement may have been carried out, as far as its error tells."""
    with closing(cluster_at("clickhouse://127.0.0.1:1/calls")) as cluster:
        (server,) = cluster.shards
        with pytest.raises(StoreOpenError) as refused, opening(server):
            raise failure(server.name, code, is_write)
    text = str(refused.value)
    if code == 210 and is_write:
        said = " was lost during a write, which is stored as a whole or not at all; see that"
    assert text.startswith(f"shard 1 (127.0.0.1:1){said}")
    assert text.count("shard 1") == 1


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (ServerFacts("25.3.2.39", 0.0), "runs ClickHouse 25.3.2.39; Pegcount needs 25.8 or newer: upgrade"),
        (ServerFacts("24.8", 0.0, ("a", "b")), "runs ClickHouse 24.8, which lacks a, b; Pegcount needs"),
        (ServerFacts("26.7.2.1", 0.0, ("a",)), "runs ClickHouse 26.7.2.1, which lacks a; Pegcount needs"),
        (ServerFacts("head", 0.0), "runs ClickHouse head; Pegcount needs"),
        (ServerFacts("25.8", 60.1), "is 60.1 s ahead of that of this host; 60 s are allowed"),
        (ServerFacts("25.8", -7_200.0), "is 7,200.0 s behind that of this host; 60 s are allowed"),
    ],
)
def test_a_server_that_cannot_be_relied_on_is_refused(facts: ServerFacts, text: str) -> None:
    url = "clickhouse://h1/calls"
    with closing(cluster_at(url)) as cluster, pytest.raises(StoreOpenError) as refused:
        require_usable_server(cluster.shards[0], facts)
    assert text in str(refused.value)


def test_a_clock_that_is_off_by_seconds_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with closing(cluster_at("clickhouse://h1/calls")) as cluster:
        require_usable_server(cluster.shards[0], ServerFacts("25.8.1.1", 1.9))
        assert caplog.text == ""
        require_usable_server(cluster.shards[0], ServerFacts("25.10.1.1", -3.0))
    assert "is 3.0 s behind that of this host: set both by NTP" in caplog.text


def test_a_change_of_the_columns_has_a_version_of_its_own() -> None:
    """Whoever changes the columns adds a migration, and says here what the new version has."""
    assert (migrations.known_version(), len(ledger_columns()), ledger_columns()[-1]) == (
        2,
        75,
        ("release_party", "Int64"),
    )
