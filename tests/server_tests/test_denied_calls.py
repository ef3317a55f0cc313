"""Calls that are refused for their credential: few of them are answered, a flood ends its connection."""

import time
from pathlib import Path
from typing import Any

import pytest
from load.http2_peer import Peer, message
from pegcount.auth import Scope
from pegcount.config import Config
from pegcount.errors import OverloadedError
from pegcount.server.report_runner import ReportRunner

from server_tests.example_requests import ASK_USAGE
from server_tests.keys import guarded, sent
from server_tests.refusal import refusal

BURST = 50
CONFIG = Config(abandoned_call_burst_max=BURST)
USAGE = "/pegcount.v1.ReportService/QueryAsrUsage"
STREAM = "/pegcount.v1.RecordService/WriteRecords"
HEALTH = "/grpc.health.v1.Health/Check"


def send(peer: Peer, method: str, metadata: Any = (), body: bytes = b"") -> None:
    """Sends a call with its message, and waits until it has ended or the connection has."""
    stream = peer.open_call(peer.block(method, more=list(metadata)))
    peer.send_data(stream, message(body), time.monotonic() + 20)
    peer.wait_for_ends(20)


@pytest.mark.parametrize("between", [(), (HEALTH,)])
@pytest.mark.parametrize(
    ("method", "scope"),
    [(USAGE, None), (USAGE, Scope.WRITE_RECORDS), (STREAM, None), ("/no.Service/Method", None)],
)
def test_a_client_that_floods_refused_calls_is_disconnected(
    method: str, scope: Scope | None, between: tuple[str, ...], tmp_path: Path
) -> None:
    with guarded(tmp_path, CONFIG) as held:
        metadata = () if scope is None else held.sent(scope)
        with Peer(held.service.address) as peer:
            for _ in range(10 * BURST):
                for each in (method, *between):
                    send(peer, each, metadata)
            assert peer.is_closed


def test_a_client_with_a_wrong_key_is_not_cut_off_at_once(tmp_path: Path) -> None:
    with guarded(tmp_path, CONFIG) as held, Peer(held.service.address) as peer:
        for _ in range(BURST - 10):
            send(peer, USAGE, sent("pk_wrong"), ASK_USAGE.SerializeToString())
        send(peer, USAGE, held.sent(Scope.READ_REPORTS), ASK_USAGE.SerializeToString())
        assert [end.how for end in peer.ends()][-2:] == ["UNAUTHENTICATED", "OK"]


def test_an_overloaded_server_says_so_to_those_whom_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReportRunner, "refusal", lambda *_: OverloadedError("too many", 1.0))
    with guarded(tmp_path) as held:

        def reason(metadata: Any) -> str:
            ask = held.service.reports.QueryAsrUsage
            return str(refusal(lambda: ask(ASK_USAGE, metadata=metadata, timeout=20)).info.reason)

        assert reason(held.sent(Scope.READ_REPORTS)) == reason(held.sent(Scope.ROOT)) == "OVERLOADED"
        assert reason(()) == reason(sent("pk_wrong")) == "CREDENTIAL_REFUSED"
        assert reason(held.sent(Scope.WRITE_RECORDS)) == "ACCESS_DENIED"
