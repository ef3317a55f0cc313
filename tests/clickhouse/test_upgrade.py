"""Servers of two versions of the tables over one cluster: who goes on, who may not, and what both must count.

PEGCOUNT_UPGRADE_BATCHES is how many batches each writer writes in each step of the upgrade: 1 by default, and
60 in `make test-clickhouse`.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from conformance.stores import EmbeddedStores
from google.protobuf.timestamp_pb2 import Timestamp
from moved_stores import exported, imported
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.errors import ArchiveError, StoreOpenError, StoreUnavailableError
from pegcount.store.clickhouse.shared import upgrade
from pegcount.store.clickhouse.shared.change_log import Change, ChangeLog
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.store.clickhouse.tables import schema
from pegcount.store.clickhouse.tables.ledger_table import ABSENT
from pegcount.store.clickhouse.tables.migrations import (
    MIGRATIONS,
    Migration,
    fields_after,
    oldest_beside,
    statements_after,
)
from pegcount.store.clickhouse.tables.status import status_of
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.moving.sides import JoinCounts
from pegcount.v1 import records_pb2, records_pb2_grpc, reports_pb2_grpc
from pegcount_client import Client
from server_tests.example_requests import ASK_QUALITY, SETUP_S, active_record, call_record
from service import NOW_US, Service
from waiting import wait_until

from clickhouse.conftest import Drill
from clickhouse.next_version import NEXT
from clickhouse.rig import LONG, Rig
from clickhouse.test_two_servers import PLACE, OneCluster

PROGRAM = Path(__file__).parent / "next_version.py"
BATCHES = int(os.environ.get("PEGCOUNT_UPGRADE_BATCHES", "60" if LONG else "1"))
BATCH_SIZE = 20
PAUSE_SECONDS = 0.0 if LONG else 0.2
"""Between two batches of a writer: the load goes on for as long as servers take to start."""
SECONDS_MAX = 60.0
S_PER_DAY = 86_400
NO_LIMIT = CancelToken(None)


class Place(OneCluster):
    """A cluster of the present version, and its next version."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig)
        self.rig = rig
        self.url = rig.url(self.database)
        self.address = ClusterAddress.parse(self.url)

    def ask(self, statement: str) -> list[str]:
        """Asks each shard."""
        return [answer.strip() for answer in self.rig.ask(statement, database=self.database)]

    def service(self) -> Service:
        """Returns a server of the present version."""
        return Service(PLACE, stores=self)

    def remove(self, place: Path) -> None:
        """Other tests must not get tables of the next version."""
        self.rig.ask(f"DROP DATABASE {self.database} SYNC")

    def migrate(self, *, is_finishing: bool = False) -> list[schema.MigratedServer]:
        with closing(Cluster(self.address, SECONDS_MAX)) as cluster:
            end_older = partial(upgrade.end_older, cluster, cancel_token=NO_LIMIT)
            return schema.migrate(cluster, NO_LIMIT, end_older if is_finishing else None)

    def versions(self) -> list[int | None]:
        """Those of the tables, and the oldest that servers may know."""
        with closing(Cluster(self.address, SECONDS_MAX)) as cluster:
            return versions_of(cluster)


def versions_of(cluster: Cluster) -> list[int | None]:
    first, second = status_of(cluster, NO_LIMIT)
    assert (first.problem, second.problem) == (None, None)
    return [first.schema_version, second.schema_version, first.oldest_version]


@pytest.fixture
def place(cluster: Rig) -> Iterator[Place]:
    place = Place(cluster)
    yield place
    place.remove(PLACE)


def next_program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@contextmanager
def next_server(url: str) -> Iterator[str]:
    """Runs a server of the next version, and yields its address."""
    command = [sys.executable, str(PROGRAM), "serve", "--store", url, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.startswith("listening on "):
                _, said = process.communicate(timeout=30)
                raise AssertionError(said)
            yield line.removeprefix("listening on ").strip()
        finally:
            process.terminate()
            process.wait(30)


class Load:
    """Writers that begin each call through one server and end it through the next one."""

    def __init__(self, *addresses: str, count: int = 2) -> None:
        self.addresses = list(addresses)
        """Servers that take batches, as a load balancer has them."""
        self.failures: list[BaseException] = []
        self._batches = [0] * count
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(count)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def calls(self) -> int:
        """Calls whose end was acknowledged."""
        return sum(self._batches) * BATCH_SIZE

    def wait_for_more(self) -> None:
        """Waits until each writer has written further batches after this moment."""
        due = [count + BATCHES for count in self._batches]
        wait_until(
            lambda: self.failures or all(a >= b for a, b in zip(self._batches, due, strict=True)),
            "batches",
            SECONDS_MAX,
        )
        assert self.failures == []

    def _write(self, writer: int) -> None:
        try:
            while not self._stop.wait(PAUSE_SECONDS):
                number = self._batches[writer]
                ids = [f"{writer}-{number}-{row}" for row in range(BATCH_SIZE)]
                setup = Timestamp(seconds=SETUP_S - number % 3 * S_PER_DAY)
                self._send(number + writer, [active_record(each, setup_time=setup) for each in ids])
                self._send(number + writer + 1, [call_record(each, setup_time=setup) for each in ids])
                self._batches[writer] += 1
        except BaseException as error:
            self.failures.append(error)

    def _send(self, turn: int, records: list[records_pb2.SessionRecord]) -> None:
        addresses = tuple(self.addresses)
        with Client(addresses[turn % len(addresses)]) as client, client.write_records() as stream:
            for record in records:
                stream.write(record)
        assert stream.summary.accepted + stream.summary.replaced == len(records)


def total_calls(address: str) -> int:
    request = type(ASK_QUALITY)()
    request.CopyFrom(ASK_QUALITY)
    request.from_time = "2026-03-25"
    with grpc.insecure_channel(address) as channel:
        answer = reports_pb2_grpc.ReportServiceStub(channel).QueryOriginationQuality(request, timeout=20)
    return int(answer.totals.total_calls)


def refusal_of(call: Callable[[], object]) -> str:
    with pytest.raises(grpc.RpcError) as refused:
        call()
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    return str(refused.value.details())


def write(address: str, *records: records_pb2.SessionRecord) -> None:
    batch = records_pb2.WriteRecordsRequest(records=records)
    with grpc.insecure_channel(address) as channel:
        next(records_pb2_grpc.RecordServiceStub(channel).WriteRecords(iter([batch]), timeout=20))


def test_servers_are_upgraded_one_by_one_under_load(place: Place, drill: Drill) -> None:
    with ExitStack() as opened:
        first, second = (opened.enter_context(place.service()) for _ in range(2))
        load = opened.enter_context(Load(first.address, second.address))
        load.wait_for_more()
        migrated = next_program("clickhouse", "migrate", "--store", place.url)
        assert migrated.stdout.count("tables of version 3 (before: 2)") == 2, migrated.stderr
        assert place.versions() == [3, 3, 2]
        load.wait_for_more()
        new = opened.enter_context(next_server(place.url))
        load.addresses = [first.address, second.address, new]
        load.wait_for_more()
        load.addresses = [new, second.address]
        load.wait_for_more()
        first.close()
        # A server of the version before still starts: the upgrade can be taken back until it is finished.
        with place.service() as again:
            before = load.calls
            assert total_calls(again.address) >= before
            assert total_calls(new) >= before
        load.addresses = [new]
        load.wait_for_more()
        finished = next_program("clickhouse", "migrate", "--finish", "--store", place.url)
        assert "servers that do not know version 3 may not use the cluster" in finished.stdout
        load.wait_for_more()
        text = "the cluster is for servers that know version 3 of its tables, and this one knows version 2"
        assert text in refusal_of(lambda: write(second.address, call_record("late")))
        wait_until(lambda: text in refusal_of(lambda: total_calls(second.address)), "the refusal")
        wait_until(lambda: second.store.write_fault is not None, "the fault that balancers see")
        load.__exit__()
        assert load.failures == []
        drill.note("OK", 0.0, f"{load.calls} calls by servers of two versions")
        assert total_calls(new) == load.calls
    with pytest.raises(StoreOpenError, match=re.escape(text)):
        place.service()
    require_exact(place, load.calls)


def require_exact(place: Place, call_count: int) -> None:
    """Each call counts once, in what both versions know and in the column that only one of them does."""
    live = "FROM ledger WHERE state < 9 GROUP BY ALL HAVING live != 0"
    keys = place.ask(f"SELECT count(), max(live) FROM (SELECT session_id, sum(sign) AS live {live})")
    assert sum(int(each.split()[0]) for each in keys) == call_count
    assert {each.split()[1] for each in keys} == {"1"}
    rows = place.ask(
        f"SELECT count(), max(live) FROM (SELECT * EXCEPT sign, ring_us, sum(sign) AS live {live})"
    )
    assert rows == keys
    rings = place.ask(
        "SELECT ring_us, sum(sign) FROM ledger WHERE state < 9 GROUP BY ALL HAVING sum(sign) != 0"
    )
    times = {line.split("\t")[0] for answer in rings for line in answer.splitlines()}
    counts = [int(line.split("\t")[1]) for answer in rings for line in answer.splitlines()]
    assert min(counts) > 0
    assert sum(counts) == call_count
    assert len(times) <= 3  # One for each day of setup, as the answer of all calls is at one time.


def test_a_value_that_an_older_server_does_not_know_would_not_cancel(place: Place) -> None:
    """Why new columns have the values of their DEFAULT alone until the upgrade is finished."""
    place.ask("ALTER TABLE ledger ADD COLUMN note String DEFAULT ''")
    with place.service() as service:
        service.write(active_record("a"))
        place.rig.ask(
            "ALTER TABLE ledger UPDATE note = 'new' WHERE state < 9",
            database=place.database,
            mutations_sync=1,
        )
        service.write(call_record("a"))
    found = place.ask("SELECT state, note, sum(sign) FROM ledger WHERE state < 9 GROUP BY ALL ORDER BY ALL")
    assert [each.splitlines() for each in found if each] == [["0\t\t1", "1\t\t-1", "1\tnew\t1"]]


def test_a_new_field_is_refused_until_all_servers_know_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MIGRATIONS, 3, NEXT)
    place.migrate()
    record = call_record("a", part=1, part_class=1)
    batch = records_pb2.WriteRecordsRequest(records=[call_record("b"), record]).SerializeToString()
    with closing(ClickHouseStore(place.address, Config())) as store:
        with pytest.raises(
            StoreUnavailableError, match="servers that do not know part_class may still write"
        ):
            store.write(batch)
        assert store.info().records == 0
        place.migrate(is_finishing=True)
        wait_until(lambda: not _is_refused(store, batch), "the end of the refusal")
        assert store.info().records == 2


def _is_refused(store: ClickHouseStore, batch: bytes) -> bool:
    try:
        store.write(batch)
    except StoreUnavailableError:
        return True
    return False


NEW_FIELDS = ("alert_time", "vendor_price", "currency", "vendor_currency", "sip_status", "release_party")
"""Those of version 2 of the tables."""


class FirstVersion(Place):
    """A cluster as version 1 of the tables has left it, with the record of a call."""

    def __init__(self, rig: Rig, as_then: pytest.MonkeyPatch) -> None:
        self.rig = rig
        self.database = "of_version_1"
        self.url = rig.url(self.database)
        self.address = ClusterAddress.parse(self.url)
        as_then.delitem(MIGRATIONS, 2)
        with closing(Cluster(self.address, SECONDS_MAX)) as cluster:
            schema.create(cluster)
        with closing(ClickHouseStore(self.address, Config())) as store:
            store.write(batch_of(call_record("old", customer_price="0.5")))
        self.ask("ALTER TABLE ledger DROP INDEX spans")
        self.ask(f"ALTER TABLE ledger {', '.join(f'DROP COLUMN {name}' for name in NEW_FIELDS)}")


@pytest.fixture
def first_version(cluster: Rig) -> Iterator[FirstVersion]:
    with pytest.MonkeyPatch.context() as as_then:
        place = FirstVersion(cluster, as_then)
    yield place
    place.remove(PLACE)


def batch_of(*records: records_pb2.SessionRecord) -> bytes:
    return records_pb2.WriteRecordsRequest(records=records).SerializeToString()


def test_records_of_version_1_stay_and_new_fields_follow(first_version: FirstVersion, tmp_path: Path) -> None:
    with pytest.raises(StoreOpenError, match="has tables of version 1, and this program needs version 2"):
        ClickHouseStore(first_version.address, Config())
    first_version.migrate()
    assert first_version.versions() == [2, 2, 1]
    rated = call_record("new", currency="USD", vendor_price="0.25", sip_status=200)
    with closing(ClickHouseStore(first_version.address, Config())) as store:
        refusal = "servers that do not know currency, sip_status, vendor_price may still write"
        with pytest.raises(StoreUnavailableError, match=refusal):
            store.write(batch_of(rated))
        archive = archive_of(rated, tmp_path)
        with pytest.raises(ArchiveError, match="servers that do not know alert_time, currency"):
            imported(archive, store)
        assert store.write(batch_of(call_record("old", revision=1, disconnect_cause=17))).replaced == 1
        assert store.info().records == 1
        first_version.migrate(is_finishing=True)
        wait_until(lambda: not _is_refused(store, batch_of(rated)), "the end of the refusal", 1.0)
        assert store.write(batch_of(call_record("old", revision=2, currency="EUR"))).replaced == 1
        assert imported(archive, store).records == JoinCounts(unchanged=1)
    assert first_version.versions() == [2, 2, 2]
    values = "session_id, currency, vendor_price, sip_status, customer_price, disconnect_cause, sum(sign)"
    rows = first_version.ask(
        f"SELECT {values} FROM ledger WHERE state < 9 GROUP BY ALL HAVING sum(sign) != 0"
    )
    found = {line.split("\t")[0]: line.split("\t")[1:] for each in rows for line in each.splitlines()}
    assert found["old"] == ["EUR", str(ABSENT), str(ABSENT), "500000000", "17", "1"]
    assert found["new"][:3] + found["new"][-1:] == ["USD", "250000000", "200", "1"]
    assert len(found) == 2


def archive_of(record: records_pb2.SessionRecord, tmp_path: Path) -> Path:
    place, archive = tmp_path / "directory", tmp_path / "archive"
    with closing(EmbeddedStores().open(place, Config(), lambda: NOW_US)) as store:
        store.write(batch_of(record))
        assert exported(store, place, archive) == 1
    return archive


def test_a_step_that_older_servers_cannot_take_needs_the_end_of_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.service() as service:
        service.write(call_record("a"))
        monkeypatch.setitem(MIGRATIONS, 3, Migration(is_compatible=False))
        text = "servers that do not know version 3 cannot go on. Upgrade them"
        with pytest.raises(StoreOpenError, match=text):
            place.migrate()
        assert place.versions() == [2, 2, 2]
        place.migrate(is_finishing=True)
        assert place.versions() == [3, 3, 3]
        monkeypatch.delitem(MIGRATIONS, 3)
        # This program is the older one again.
        assert "upgrade this server" in refusal_of(lambda: write(service.address, call_record("b")))
        wait_until(lambda: service.store.write_fault is not None, "the fault that balancers see")
        assert "upgrade this server" in refusal_of(lambda: total_calls(service.address))
        assert place.ask("SELECT sum(sign) FROM ledger WHERE state < 9") in (["1", "0"], ["0", "1"])


def test_a_version_may_not_be_skipped_beside_servers(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MIGRATIONS, 3, Migration())
    monkeypatch.setitem(MIGRATIONS, 4, Migration())
    with pytest.raises(StoreOpenError, match="servers that do not know version 3 cannot go on"):
        place.migrate()
    assert place.versions() == [2, 2, 2]
    place.migrate(is_finishing=True)
    assert place.versions() == [4, 4, 4]


def test_versions_follow_each_other(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next upgrade begins only when the one before was finished."""
    monkeypatch.setitem(MIGRATIONS, 3, Migration())
    place.migrate()
    monkeypatch.setitem(MIGRATIONS, 4, Migration())
    with pytest.raises(StoreOpenError, match=r"run its `pegcount clickhouse migrate --finish` before"):
        place.migrate()
    assert place.versions() == [3, 3, 2]
    monkeypatch.delitem(MIGRATIONS, 4)
    place.migrate(is_finishing=True)
    monkeypatch.setitem(MIGRATIONS, 4, Migration())
    place.migrate()
    assert place.versions() == [4, 4, 3]


def test_a_migration_that_is_killed_anywhere_is_done_by_the_next_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MIGRATIONS, 3, NEXT)
    run, insert = Shard.run, Shard.insert
    left = [0]

    def counted(call: Callable[..., None]) -> Callable[..., None]:
        def either(*arguments: Any, **more: Any) -> None:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            call(*arguments, **more)

        return either

    monkeypatch.setattr(Shard, "run", counted(run))
    monkeypatch.setattr(Shard, "insert", counted(insert))
    cuts = 0
    while place.versions()[:2] != [3, 3]:
        left[0] = cuts
        try:
            place.migrate()
        except KeyboardInterrupt:
            cuts += 1
    assert cuts > len(NEXT.statements) * 2
    tables = place.ask(
        "SELECT count() FROM system.columns WHERE database = currentDatabase() AND name = 'ring_us'"
    )
    assert tables == ["1", "1"]


def test_two_operators_at_once_make_one_migration(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MIGRATIONS, 3, NEXT)
    with ThreadPoolExecutor(4) as operators:
        for done in [operators.submit(place.migrate, is_finishing=bool(number % 2)) for number in range(4)]:
            assert [each.version for each in done.result()] == [3, 3]
    assert place.versions() == [3, 3, 3]


def test_a_new_cluster_is_for_programs_of_its_version(cluster: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Cluster(ClusterAddress.parse(cluster.url("new_cluster")), SECONDS_MAX)) as made:
        schema.create(made)
        assert versions_of(made) == [2, 2, 1]
        upgrade.begin(made, 0, NO_LIMIT)
        assert versions_of(made) == [2, 2, 2]
        # A repeated init must not end the servers of an upgrade that is not finished.
        monkeypatch.setitem(MIGRATIONS, 3, Migration())
        upgrade.begin(made, 0, NO_LIMIT)
        assert versions_of(made) == [2, 2, 2]
    cluster.ask("DROP DATABASE new_cluster SYNC")


def test_settings_of_newer_servers_stay(place: Place) -> None:
    with closing(Cluster(place.address, SECONDS_MAX)) as cluster:
        newer, older = (ChangeLog(cluster.shards[0]) for _ in range(2))
        newer.change(lambda _: [Change("unknown kind", "key", '{"version":9}')], NO_LIMIT)
        older.change(lambda _: [Change("document", "a", "x")], NO_LIMIT)
        older.tidy(NO_LIMIT)
        place.rig.servers[0].ask("OPTIMIZE TABLE changes FINAL", database=place.database)
        newer.refresh(NO_LIMIT)
        assert newer.entries("unknown kind")["key"].content == '{"version":9}'


def test_steps_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MIGRATIONS, 3, Migration(("c",), is_compatible=False, new_fields=frozenset({"z"})))
    monkeypatch.setitem(MIGRATIONS, 2, Migration(("a", "b"), new_fields=frozenset({"y"})))
    assert [statements_after(version) for version in (0, 2, 3)] == [["a", "b", "c"], ["c"], []]
    assert [oldest_beside(version) for version in (1, 2, 3)] == [3, 3, 1]
    assert [fields_after(version) for version in (1, 2, 3)] == [{"y", "z"}, {"z"}, frozenset()]
