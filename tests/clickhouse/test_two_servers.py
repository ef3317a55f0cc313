"""Two servers over one cluster: what is changed through one holds for the callers of the other."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from conformance.stores import Clock, StoreFactory
from pegcount.auth import Issued, Scope
from pegcount.config import Config
from pegcount.store import Store
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.v1 import admin_pb2, records_pb2
from server_tests.keys import Guarded, create, sent
from server_tests.refusal import refusal
from service import NOW_US, Service
from waiting import at_best, wait_until

from clickhouse import databases
from clickhouse.rig import Rig

PLACE = Path("unused")


class OneCluster(StoreFactory):
    """Opens stores over one database, whatever their place."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.database = databases.take(rig)
        self._address = ClusterAddress.parse(rig.url(self.database))

    def open(self, place: Path, config: Config, clock: Clock) -> Store:
        return ClickHouseStore(self._address, config, clock=clock)

    def flush(self, store: Store) -> None:
        """Records have one place."""

    def maintain(self, store: Store) -> None:
        """Upkeep has a thread of its own."""

    def remove(self, place: Path) -> None:
        databases.give_back(self._rig, self.database)


class Servers:
    """Two servers over one cluster, whose credentials a store without a server has made."""

    def __init__(self, stores: StoreFactory, opened: ExitStack) -> None:
        owner = stores.open(PLACE, Config(), lambda: NOW_US)
        issued: dict[Scope, Issued] = {scope: create(owner, scope) for scope in Scope}
        owner.close()
        self.first, self.second = (
            Guarded(opened.enter_context(Service(PLACE, stores=stores)), issued) for _ in range(2)
        )


@pytest.fixture
def servers(cluster: Rig) -> Iterator[Servers]:
    stores = OneCluster(cluster)
    with ExitStack() as opened:
        yield Servers(stores, opened)
    stores.remove(PLACE)


def decks(server: Guarded, metadata: Any) -> str:
    """What a caller who asks for the code decks is told: OK, or why it is refused."""
    try:
        server.service.admin.ListCodeDecks(admin_pb2.ListCodeDecksRequest(), metadata=metadata, timeout=20)
    except grpc.RpcError as error:
        caught = error
        return str(refusal(lambda: _raise(caught)).info.reason)
    return "OK"


def _raise(error: grpc.RpcError) -> None:
    raise error


def listed(server: Guarded, scope: Scope) -> admin_pb2.Credential:
    (row,) = (row for row in server.rows() if row.id == server.id(scope))
    return row


def revoke(server: Guarded, credential_id: str) -> None:
    server.call("RevokeCredential", admin_pb2.RevokeCredentialRequest(id=credential_id))


def seconds_until(condition: Any) -> float:
    begin = time.monotonic()
    wait_until(condition)
    return time.monotonic() - begin


def test_a_revoked_credential_is_refused_by_every_server_within_a_second(servers: Servers) -> None:
    first, second = servers.first, servers.second
    metadata = second.sent(Scope.ADMIN)
    assert decks(second, metadata) == "OK"
    revoke(first, first.id(Scope.ADMIN))
    assert decks(first, metadata) == "CREDENTIAL_REFUSED"
    wait_until(lambda: decks(second, metadata) == "CREDENTIAL_REFUSED")

    def seconds_until_refused() -> float:
        made = first.create("revoked", Scope.ADMIN)
        wait_until(lambda: decks(second, sent(made.secret)) == "OK")
        revoke(first, made.id)
        return seconds_until(lambda: decks(second, sent(made.secret)) == "CREDENTIAL_REFUSED")

    at_best(seconds_until_refused, 1.0)
    # The second server saves when it accepted the credential last, which does not revive it.
    second.service.stop()
    assert decks(first, metadata) == "CREDENTIAL_REFUSED"
    wait_until(lambda: listed(first, Scope.ADMIN).HasField("last_use_time"))
    assert listed(first, Scope.ADMIN).HasField("revoke_time")


def test_a_new_credential_is_accepted_by_every_server_within_a_second(servers: Servers) -> None:
    def seconds_until_accepted() -> float:
        made = servers.first.create("new", Scope.ADMIN)
        return seconds_until(lambda: decks(servers.second, sent(made.secret)) == "OK")

    at_best(seconds_until_accepted, 1.0)


def test_a_stream_of_a_revoked_credential_ends_at_every_server_within_a_second(servers: Servers) -> None:
    first, second = servers.first, servers.second

    def seconds_until_ended() -> float:
        made = first.create("writer", Scope.WRITE_RECORDS, Scope.ADMIN)
        wait_until(lambda: decks(second, sent(made.secret)) == "OK")
        requests: SimpleQueue[records_pb2.WriteRecordsRequest] = SimpleQueue()
        records = second.service.records
        call = records.WriteRecords(iter(requests.get, None), metadata=sent(made.secret), timeout=20)
        requests.put(records_pb2.WriteRecordsRequest(batch_id="a"))
        assert next(call).batch_id == "a"
        revoke(first, made.id)
        begin = time.monotonic()
        assert refusal(lambda: next(call)).info.reason == "CREDENTIAL_REFUSED"
        requests.put(records_pb2.WriteRecordsRequest())
        return time.monotonic() - begin

    at_best(seconds_until_ended, 1.0)


def test_of_two_roots_that_are_revoked_through_two_servers_one_stays(servers: Servers) -> None:
    other = servers.first.create("second root", Scope.ROOT)
    wait_until(lambda: len(servers.second.rows()) == len(Scope) + 1)
    revoke(servers.first, other.id)
    last = admin_pb2.RevokeCredentialRequest(id=servers.first.id(Scope.ROOT))
    refused = refusal(lambda: servers.second.call("RevokeCredential", last))
    assert refused.info.reason == "LAST_ROOT_CREDENTIAL"


def test_audit_entries_of_all_servers_are_one_list(servers: Servers) -> None:
    for number, server in enumerate((servers.first, servers.second, servers.first)):
        server.create(f"audited {number}", Scope.ADMIN)
    answers = [
        server.call("ListAuditEntries", admin_pb2.ListAuditEntriesRequest())
        for server in (servers.first, servers.second)
    ]
    assert answers[0].entries == answers[1].entries
    assert [entry.entry_id for entry in answers[0].entries] == [3, 2, 1]
    assert {entry.outcome for entry in answers[0].entries} == {"OK"}
