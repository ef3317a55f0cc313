"""A shard or a server meets its end at each point of an insert: what the caller is told, and what is stored.

`make test-clickhouse` prints the status and the time of each, what the shard holds then, and what the answer
to the same batch says that is sent again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from conformance.stores import Clock
from pegcount.config import Config
from pegcount.store import Store
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.failures import FAILURES
from pegcount.v1 import records_pb2, records_pb2_grpc
from server_tests.example_requests import call_record
from service import Service
from waiting import wait_until

from clickhouse.conftest import BUSY_SECONDS, Drill
from clickhouse.held_shard import HeldShard, Point
from clickhouse.pegcount_servers import servers_over
from clickhouse.rig import LONG, Rig
from clickhouse.test_two_servers import PLACE, OneCluster

COMMIT_SECONDS = 3.0
SECONDS_MAX = COMMIT_SECONDS + 2.0 + BUSY_SECONDS
TAKEN_SECONDS_MAX = 60.0
RECORD_COUNT = 20
FATES = [(fate, point) for fate in ("killed", "frozen") for point in Point]
MEMORY, PARTS, DISK, NO_FSYNC = 241, 252, 243, 204
"""Codes of ClickHouse."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Servers of these tests alone: they do not live long."""
    with Rig(tmp_path_factory.mktemp("insert-drills")) as rig:
        yield rig


class Doored(OneCluster):
    """A cluster whose second shard is behind a door."""

    def __init__(self, rig: Rig, door: HeldShard) -> None:
        super().__init__(rig)
        self.url = f"clickhouse://{rig.servers[0].address},{door.address}/{self.database}"

    def open(self, place: Path, config: Config, clock: Clock) -> Store:
        return ClickHouseStore(ClusterAddress.parse(self.url), config, clock=clock)

    def stored(self) -> list[int]:
        """Returns how many records each shard holds."""
        return [
            int(each)
            for each in self._rig.ask(f"SELECT sum(sign) FROM {self.database}.ledger WHERE state < 9")
        ]

    def doubled(self) -> int:
        text = (
            f"SELECT session_id FROM {self.database}.ledger WHERE state < 9 GROUP BY 1 HAVING sum(sign) > 1"
        )
        return sum(map(int, self._rig.ask(f"SELECT count() FROM ({text})")))


@pytest.fixture
def door(rig: Rig) -> Iterator[HeldShard]:
    with HeldShard(rig.servers[1]) as door:
        yield door


def batch(name: str) -> records_pb2.WriteRecordsRequest:
    records = [call_record(f"{name}-{number}") for number in range(RECORD_COUNT)]
    return records_pb2.WriteRecordsRequest(batch_id=name, records=records)


def send(stub: records_pb2_grpc.RecordServiceStub, name: str) -> records_pb2.WriteRecordsResponse:
    answer: records_pb2.WriteRecordsResponse
    (answer,) = stub.WriteRecords(iter([batch(name)]), timeout=30)
    return answer


def send_again(stub: records_pb2_grpc.RecordServiceStub, name: str) -> records_pb2.WriteRecordsResponse:
    """Sends a batch until it is taken, as clients do."""
    answers: list[records_pb2.WriteRecordsResponse] = []

    def is_taken() -> bool:
        try:
            answers.append(send(stub, name))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        return bool(answers)

    wait_until(is_taken, "an answer", TAKEN_SECONDS_MAX)
    return answers[0]


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, float]:
    """Returns the status with which a call ends, and after how many seconds."""
    start_s = time.monotonic()
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), time.monotonic() - start_s
    return grpc.StatusCode.OK, time.monotonic() - start_s


def said(stored: list[int], answer: records_pb2.WriteRecordsResponse) -> str:
    return (
        f"{stored[1]} records on the shard; sent again: {answer.accepted} accepted, {answer.duplicates} known"
    )


@pytest.mark.parametrize(("fate", "point"), FATES if LONG else [("killed", Point.AFTER)])
def test_a_shard_meets_its_end(rig: Rig, door: HeldShard, drill: Drill, fate: str, point: Point) -> None:
    stores = Doored(rig, door)
    shard = rig.servers[1]
    drill.name = f"shard {fate} {point.value}"
    with Service(PLACE, Config(ledger_commit_seconds_max=COMMIT_SECONDS), stores=stores) as service:
        send_again(service.records, "first")
        whole = stores.stored()
        door.arm(point, shard.kill if fate == "killed" else shard.freeze)
        code, seconds = refused(lambda: send(service.records, "second"))
        wait_until(lambda: door.has_acted, "the insert")
        if fate == "killed":
            shard.start()
        else:
            shard.thaw()
        stored = stores.stored()
        answer = send_again(service.records, "second")
        drill.note(code.name, seconds, said([b - a for a, b in zip(whole, stored, strict=True)], answer))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert seconds <= SECONDS_MAX
        check(stores, answer, 2)


@pytest.mark.skipif(not LONG, reason="test_several_servers kills servers at any point")
@pytest.mark.parametrize("point", Point)
def test_a_server_is_killed(rig: Rig, tmp_path: Path, door: HeldShard, drill: Drill, point: Point) -> None:
    stores = Doored(rig, door)
    drill.name = f"server killed {point.value}"
    with ExitStack() as opened:
        server, other = opened.enter_context(servers_over(stores.url, tmp_path, 2))
        stubs = [
            records_pb2_grpc.RecordServiceStub(opened.enter_context(grpc.insecure_channel(each.address)))
            for each in (server, other)
        ]
        send_again(stubs[0], "first")
        whole = stores.stored()
        door.arm(point, server.kill)
        code, seconds = refused(lambda: send(stubs[0], "second"))
        wait_until(lambda: door.has_acted, "the insert")
        stored = stores.stored()
        answer = send_again(stubs[1], "second")
        drill.note(code.name, seconds, said([b - a for a, b in zip(whole, stored, strict=True)], answer))
        assert code is grpc.StatusCode.UNAVAILABLE
        check(stores, answer, 2)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (PARTS, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (DISK, grpc.StatusCode.RESOURCE_EXHAUSTED),
        # After these, the insert may be stored: the server sends it again until its time is over.
        *[(each, grpc.StatusCode.UNAVAILABLE) for each in ((MEMORY, NO_FSYNC) if LONG else ())],
    ],
)
def test_a_shard_refuses_inserts(
    rig: Rig, door: HeldShard, drill: Drill, code: int, status: grpc.StatusCode
) -> None:
    stores = Doored(rig, door)
    drill.name = f"shard refuses with {FAILURES[code][0]}"
    with Service(PLACE, Config(ledger_commit_seconds_max=COMMIT_SECONDS), stores=stores) as service:
        send_again(service.records, "first")
        whole = stores.stored()
        door.refusal = code
        found, seconds = refused(lambda: send(service.records, "second"))
        stored = stores.stored()
        door.refusal = None
        answer = send_again(service.records, "second")
        drill.note(found.name, seconds, said([b - a for a, b in zip(whole, stored, strict=True)], answer))
        assert found is status
        assert stored[1] == whole[1]
        check(stores, answer, 2)


def check(stores: Doored, answer: records_pb2.WriteRecordsResponse, batch_count: int) -> None:
    assert answer.accepted + answer.duplicates == RECORD_COUNT
    assert (sum(stores.stored()), stores.doubled()) == (batch_count * RECORD_COUNT, 0)
