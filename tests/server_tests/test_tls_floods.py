"""Peers that break the rules, over TLS: the limits hold as with plain text, and others notice nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
from certificate_authority import CertificateAuthority
from hyperframe.frame import RstStreamFrame, WindowUpdateFrame
from load.http2_peer import CANCEL, Peer, message, opening_with_window
from pegcount.config import Config
from pegcount.server import ListenOptions, TlsFiles
from service import Service
from tls_tunnel import TlsTunnel

from server_tests.example_requests import ASK_USAGE
from server_tests.test_unread_answers import MINUTES, USAGE

CONFIG = Config(
    request_read_seconds=1.0,
    answer_read_seconds=1.0,
    abandoned_call_burst_max=50,
    control_burst_bytes_max=30_000,
    control_bytes_per_second_max=1_000,
)
CLOSE_SECONDS = 15


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    authority = CertificateAuthority()
    files = TlsFiles(tmp_path / "certificate.pem", tmp_path / "key.pem")
    authority.issue().write(files.certificate, files.key)
    (tmp_path / "authority.pem").write_bytes(authority.certificate)
    trusted = grpc.ssl_channel_credentials(authority.certificate)
    options = ListenOptions(files)
    with Service(tmp_path / "data", CONFIG, listen_options=options, channel_credentials=trusted) as running:
        yield running


@pytest.fixture
def peer_of(service: Service, tmp_path: Path) -> Iterator[Callable[[bytes | None], Peer]]:
    """Connects a raw peer over TLS, with an opening of its own if given."""
    with ExitStack() as stack:
        authority = (tmp_path / "authority.pem").read_bytes()
        tunnel = stack.enter_context(TlsTunnel(service.address, authority))
        yield lambda opening: stack.enter_context(Peer(tunnel.address, opening=opening))


PeerOf = Callable[[bytes | None], Peer]


@contextmanager
def others_notice_nothing(service: Service) -> Iterator[None]:
    """Asserts that the connection of another client stays open and answers, before and after the block."""
    states: list[grpc.ChannelConnectivity] = []
    service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)
    service.channel.subscribe(states.append)
    yield
    service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)
    assert states == [grpc.ChannelConnectivity.READY]


def test_calls_without_their_message_end(service: Service, peer_of: PeerOf) -> None:
    with others_notice_nothing(service):
        peer = peer_of(None)
        block = peer.block(USAGE)
        for _ in range(10):
            peer.open_call(block)
        peer.wait_for_ends(CLOSE_SECONDS)
        assert [end.how for end in peer.ends()] == ["DEADLINE_EXCEEDED"] * 10


def test_a_flood_of_cancelled_calls_ends_its_connection(service: Service, peer_of: PeerOf) -> None:
    with others_notice_nothing(service):
        peer = peer_of(None)
        block = peer.block(USAGE)
        # The server may notice none of the calls that were given up before it looked at them.
        deadline, is_open = time.monotonic() + CLOSE_SECONDS, True
        while is_open and time.monotonic() < deadline:
            stream, frame = peer.headers(block)
            is_open = peer.send(frame + RstStreamFrame(stream, error_code=CANCEL).serialize())
        assert peer.wait_for_close(CLOSE_SECONDS)


def test_a_flood_of_control_frames_ends_its_connection(service: Service, peer_of: PeerOf) -> None:
    with others_notice_nothing(service):
        peer = peer_of(None)
        frames = WindowUpdateFrame(0, window_increment=1).serialize() * 10_000
        peer.send(frames, time.monotonic() + CLOSE_SECONDS)
        assert peer.wait_for_close(CLOSE_SECONDS)


def test_unread_answers_end_their_connection(service: Service, peer_of: PeerOf) -> None:
    with others_notice_nothing(service):
        peer = peer_of(opening_with_window(0))
        stream = peer.open_call(peer.block(USAGE))
        request = message(MINUTES.SerializeToString())
        assert peer.send_data(stream, request, time.monotonic() + 5)
        assert peer.wait_for_close(CLOSE_SECONDS)


def test_a_peer_that_keeps_the_rules_is_answered(service: Service, peer_of: PeerOf) -> None:
    """Else the tests above would pass with a peer that nobody understands."""
    peer = peer_of(None)
    for _ in range(20):
        stream = peer.open_call(peer.block(USAGE))
        assert peer.send_data(stream, message(ASK_USAGE.SerializeToString()), time.monotonic() + 5)
    peer.wait_for_ends(CLOSE_SECONDS)
    assert [end.how for end in peer.ends()] == ["OK"] * 20
    assert not peer.is_closed
