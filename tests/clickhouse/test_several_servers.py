"""Three servers over one cluster of two shards: servers and shards die or freeze in turn while clients work.

Nothing acknowledged is lost, nothing counts twice, and each report has all that was acknowledged before it
was asked. PEGCOUNT_CLICKHOUSE_KILLS is how many deaths there are, 2 by default and 200 in
`make test-clickhouse`.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import grpc
import pytest
from pegcount.auth import Scope
from pegcount.config import Config
from pegcount.v1 import admin_pb2, admin_pb2_grpc
from server_tests.keys import Request, create, sent
from service import NOW_US
from waiting import wait_until

from clickhouse.conftest import Drill
from clickhouse.fleet_load import Reports, Running, Writer, today_seconds, totals, wait_for_batches
from clickhouse.ledgers import Ledgers
from clickhouse.pegcount_servers import PegcountServer, servers_over
from clickhouse.rig import LONG, Rig, Server
from clickhouse.test_two_servers import PLACE, OneCluster

KILL_COUNT = int(os.environ.get("PEGCOUNT_CLICKHOUSE_KILLS", "200" if LONG else "2"))
TURNS_BETWEEN_FREEZES = 10
SHARD_FROZEN_SECONDS, SERVER_FROZEN_SECONDS = 4.0, 1.0
"""A shard that does not answer is given up after 3 s."""
WAIT_SECONDS_MAX = 120.0
IN_FLIGHT_COUNT = 80
"""More records than a writer has on their way: it waits for an answer first."""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path) as rig:
        yield rig


class Keys:
    """Keys that are revoked through a server which dies right after it has said so."""

    def __init__(self, root: str) -> None:
        self._root = sent(root)

    def create(self, server: PegcountServer, name: str) -> tuple[str, str]:
        """Returns the id and the secret of a new key."""
        with _admin(server) as admin:
            request = Request(name=name, scopes=[admin_pb2.SCOPE_ADMIN])
            answer = admin.CreateCredential(request, metadata=self._root, timeout=WAIT_SECONDS_MAX)
        return answer.id, answer.secret

    def revoke(self, server: PegcountServer, key_id: str) -> None:
        with _admin(server) as admin:
            request = admin_pb2.RevokeCredentialRequest(id=key_id)
            admin.RevokeCredential(request, metadata=self._root, timeout=WAIT_SECONDS_MAX)


@contextmanager
def _admin(server: PegcountServer) -> Iterator[admin_pb2_grpc.AdminServiceStub]:
    with grpc.insecure_channel(server.address) as channel:
        yield admin_pb2_grpc.AdminServiceStub(channel)


def refuses(server: PegcountServer, secret: str) -> None:
    """Waits until the server refuses a key; `test_two_servers` has how soon that is."""
    with _admin(server) as admin:

        def is_refused() -> bool:
            request = admin_pb2.ListCodeDecksRequest()
            try:
                admin.ListCodeDecks(request, metadata=sent(secret), timeout=WAIT_SECONDS_MAX)
            except grpc.RpcError as error:
                return error.code() is grpc.StatusCode.UNAUTHENTICATED
            return False

        wait_until(is_refused, "the refusal of a revoked key", WAIT_SECONDS_MAX)


class Deaths:
    """What dies, or freezes, and comes back."""

    def __init__(
        self, rig: Rig, servers: Sequence[PegcountServer], writers: Sequence[Writer], keys: Keys
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._servers = servers
        self._writers = writers
        self._keys = keys
        # Each server that takes records as often as a shard; the one for reports alone now and then.
        first, second, third = servers
        self._shards = cycle(rig.servers)
        self._next_servers = cycle([first, second, first, second, third])

    def freeze_one(self) -> None:
        """Freezes a shard or a server, in turn, for longer than its callers wait for a sign of life."""
        is_shard = self.counts["freezes"] % 2 == 0
        victim = next(self._shards) if is_shard else self._servers[0]
        if is_shard:
            assert isinstance(victim, Server)
            wait_until(lambda: is_inserting(victim), "an insert", WAIT_SECONDS_MAX, 0)
        victim.freeze()
        # The freeze itself: nothing tells when everybody has noticed it.
        time.sleep(SHARD_FROZEN_SECONDS if is_shard else SERVER_FROZEN_SECONDS)
        victim.thaw()
        self.counts["freezes"] += 1

    def kill_shard(self) -> None:
        """Kills the next shard while it inserts, and starts it again."""
        shard = next(self._shards)
        wait_until(lambda: all(each.unanswered for each in self._writers), "records on their way")
        wait_until(lambda: is_inserting(shard), "an insert", WAIT_SECONDS_MAX, 0)
        shard.restart()
        self.counts["shards"] += 1

    def kill_server(self, reports: Sequence[Reports]) -> None:
        """Kills the next server right after it has revoked a key, while it writes and answers reports."""
        server = next(self._next_servers)
        number = self._servers.index(server)
        others = [each for each in self._servers if each is not server]
        key_id, secret = self._keys.create(others[0], f"key {self.counts['servers']}")
        self._keys.revoke(server, key_id)
        mine = [each for each in self._writers if each.own == server.address]
        wait_until(lambda: all(each.unanswered for each in mine), "records on their way")
        wait_until(lambda: reports[number].is_asking, "a report", WAIT_SECONDS_MAX)
        server.kill()
        enough = [each.acknowledged + IN_FLIGHT_COUNT for each in mine]
        for other in others:
            refuses(other, secret)
        # Another server gives the last of these answers, whatever was on its way when this one was killed.
        wait_until(
            lambda: all(each.acknowledged >= count for each, count in zip(mine, enough, strict=True)),
            "answers of another server",
            WAIT_SECONDS_MAX,
        )
        server.start()
        refuses(server, secret)
        self.counts["servers"] += 1


def is_inserting(shard: Server) -> bool:
    """Whether the shard works on an insert of records."""
    return shard.ask("SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO ledger%'") != "0\n"


def test_kills_under_load_lose_nothing_and_double_nothing(rig: Rig, tmp_path: Path, drill: Drill) -> None:
    stores = OneCluster(rig)
    owner = stores.open(PLACE, Config(), lambda: NOW_US)
    issued = {scope: create(owner, scope).key.text for scope in Scope}
    owner.close()
    start_s = time.monotonic()
    today_s = today_seconds()
    with servers_over(rig.url(stores.database), tmp_path, 3) as servers:
        first, second = (each.address for each in servers[:2])
        addresses = ((first, second), (second, first), (first, second))
        key = issued[Scope.WRITE_RECORDS]
        writers = [Writer(f"w{n}", pair, key, today_s) for n, pair in enumerate(addresses)]
        key = issued[Scope.READ_REPORTS]
        reports = [Reports(each.address, key, writers, today_s) for each in servers]
        deaths = Deaths(rig, servers, writers, Keys(issued[Scope.ROOT]))
        # Reports refuse the name of a company that no record has.
        with Running([each.run for each in writers]) as writing:
            wait_for_batches(writers, writing)
        with Running([each.run for each in reports]) as asking:
            for number in range(1, KILL_COUNT // 2 + 1):
                # In each turn, the writers begin at their own servers.
                with Running([each.run for each in writers]) as writing:
                    wait_for_batches(writers, writing)
                    deaths.kill_shard()
                    wait_for_batches(writers, writing)
                    if number % TURNS_BETWEEN_FREEZES == 0:
                        deaths.freeze_one()
                        wait_for_batches(writers, writing)
                    deaths.kill_server(reports)
                    wait_for_batches(writers, writing)
                writing.require_success()
                asking.require_success()
                assert [text for each in reports for text in each.wrong] == []
        asking.require_success()
        found = totals(reports)
        expected = Ledgers(rig, stores.database).require_exactly(writers)
        for server in servers:
            asked = Reports(server.address, key, writers, today_s)
            assert (asked.folder_totals(), asked.usage_count()) == (expected, expected[0])
            asked.close()
            server.stop()
    written = sum(each.sent for each in writers)
    resent = sum(each.resent for each in writers)
    seconds = time.monotonic() - start_s
    counts = deaths.counts
    drill.note(
        "OK",
        seconds,
        f"{counts['shards']} kills of shards, {counts['servers']} of servers, {counts['freezes']} freezes:"
        f" {written} records acknowledged and found, 0 doubled, {resent} batches sent again",
    )
    drill.note("OK", seconds, f"reports: {dict(found)}")
    assert [text for each in reports for text in each.wrong] == []
    assert found["UNAVAILABLE"] > 0
