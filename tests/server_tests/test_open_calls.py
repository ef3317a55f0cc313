"""Calls that need no credential, and so are the ones that anybody may flood."""

import gzip
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from load.http2_peer import Peer, message
from pegcount.config import Config
from service import Service

from server_tests.keys import guarded
from server_tests.refusal import refusal

BURST = 50
INFLATED_BYTES = 2**20
HEALTH = "/grpc.health.v1.Health/"
ASK = health_pb2.HealthCheckRequest()


@pytest.mark.parametrize("method", ["Check", "List", "Watch"])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_flood_of_large_health_requests_ends_its_connection(
    method: str, is_compressed: bool, tmp_path: Path
) -> None:
    config = Config(abandoned_call_burst_max=BURST)
    # A compressed message has 1 as its first byte, and the size of what is sent.
    inflating = gzip.compress(bytes(INFLATED_BYTES))
    body = (
        b"\1" + message(inflating)[1:] if is_compressed else message(bytes(config.name_request_bytes_max + 1))
    )
    with guarded(tmp_path, config) as held, Peer(held.service.address) as peer:
        for _ in range(4 * BURST):
            more = [("grpc-encoding", "gzip")] if is_compressed else []
            stream = peer.open_call(peer.block(HEALTH + method, more=more))
            peer.send_data(stream, body, time.monotonic() + 20)
            peer.wait_for_ends(20)
        assert peer.is_closed
        assert {end.how for end in peer.ends()[:BURST]} == {"INVALID_ARGUMENT"}
        assert health_pb2_grpc.HealthStub(held.service.channel).Check(ASK, timeout=20).status


def test_watches_that_take_all_places_refuse_no_checks(tmp_path: Path) -> None:
    with Service(tmp_path, Config(health_watch_count_max=2)) as service:
        watches = []
        for _ in range(2):
            watches.append(health_pb2_grpc.HealthStub(service.channel).Watch(ASK, timeout=20))
            next(watches[-1])
        stub = health_pb2_grpc.HealthStub(service.channel)
        refused = refusal(lambda: next(stub.Watch(ASK, timeout=20)))
        assert (refused.code, refused.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        with service.new_channel(service.address) as prober:
            status = health_pb2_grpc.HealthStub(prober).Check(ASK, timeout=20).status
        assert status == health_pb2.HealthCheckResponse.SERVING
