"""Client certificates that stand for credentials, and the health of the key files of tokens."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount.auth import Credentials, Scope, Tokens
from pegcount.config import Config
from pegcount.model import NewCredential
from pegcount.server import Authentication, ListenOptions, RunningServer
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2, admin_pb2_grpc
from service import NOW_US
from token_issuer import claims, signer, token_config, write_key_set
from waiting import wait_until

from server_tests.tls_files import Tls

Code = grpc.StatusCode
ASK_INFO = admin_pb2.GetStoreInfoRequest()
CONFIG = Config(token_key_look_seconds=0.05)
SERVING: int = health_pb2.HealthCheckResponse.SERVING
Serve = Callable[..., RunningServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server that accepts tokens, and client certificates of noc.example.com as an admin."""
    with ExitStack() as stack:

        def start(
            options: ListenOptions, tokens: Tokens | None = None, clock: Callable[[], int] = lambda: NOW_US
        ) -> RunningServer:
            store = EmbeddedStore(tmp_path / "data", CONFIG, create=True, clock=clock)
            stack.callback(store.close)
            credentials = Credentials(CONFIG, store, clock)
            new = NewCredential("noc", (int(Scope.ADMIN),), None, ("noc.example.com",))
            credentials.create(lambda _: new)
            authentication = Authentication(credentials, clock, tokens)
            server = RunningServer(CONFIG, store, "127.0.0.1:0", clock, options, authentication)
            stack.callback(server.stop)
            return server

        yield start


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["noc.example.com"], Code.OK),
        (["other.example.com", "noc.example.com"], Code.OK),
        (["other.example.com"], Code.UNAUTHENTICATED),
        (["noc.example.com.other.example.net"], Code.UNAUTHENTICATED),
        (["noc.example.com\0.other.example.net"], Code.UNAUTHENTICATED),
        (["noc.example.com", "noc.example.com\0.other.example.net"], Code.UNAUTHENTICATED),
    ],
)
def test_a_client_certificate_stands_for_a_credential(
    names: list[str], code: Code, serve: Serve, tmp_path: Path
) -> None:
    tls = Tls(tmp_path / "tls")
    trusted = tls.trusted(tls.clients.issue([x509.DNSName(name) for name in names]))
    port = serve(ListenOptions(tls.with_clients)).port
    with grpc.secure_channel(f"127.0.0.1:{port}", trusted) as channel:
        call = admin_pb2_grpc.AdminServiceStub(channel).GetStoreInfo.future(ASK_INFO, timeout=20)
        assert call.code() is code


def test_a_certificate_that_expires_while_it_is_connected_is_refused(serve: Serve, tmp_path: Path) -> None:
    tls, now_us = Tls(tmp_path / "tls"), NOW_US
    identity = tls.clients.issue([x509.DNSName("noc.example.com")])
    end = x509.load_pem_x509_certificate(identity.certificate).not_valid_after_utc
    port = serve(ListenOptions(tls.with_clients), clock=lambda: now_us).port
    with grpc.secure_channel(f"127.0.0.1:{port}", tls.trusted(identity)) as channel:
        ask = admin_pb2_grpc.AdminServiceStub(channel).GetStoreInfo
        assert ask.future(ASK_INFO, timeout=20).code() is Code.OK
        now_us = int(end.timestamp()) * 1_000_000
        assert ask.future(ASK_INFO, timeout=20).code() is Code.UNAUTHENTICATED


def test_health_while_a_key_file_cannot_be_used(serve: Serve, tmp_path: Path) -> None:
    port = serve(ListenOptions(), Tokens(token_config(tmp_path, signer("HS256")), CONFIG)).port
    secret = (tmp_path / "secret").read_bytes()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        check = health_pb2_grpc.HealthStub(channel).Check

        def status(service: str) -> int:
            found: int = check(health_pb2.HealthCheckRequest(service=service), timeout=20).status
            return found

        def is_serving() -> bool:
            return status("pegcount.credentials") == SERVING

        assert is_serving()
        (tmp_path / "secret").write_bytes(b"short")
        wait_until(lambda: not is_serving())
        assert status("") == SERVING
        (tmp_path / "secret").write_bytes(secret)
        wait_until(is_serving)


def test_an_empty_key_set_withdraws_all_keys_of_a_running_server(serve: Serve, tmp_path: Path) -> None:
    key = signer("ES256")
    port = serve(ListenOptions(), Tokens(token_config(tmp_path, key), CONFIG)).port
    metadata = (("authorization", f"Bearer {key.token(claims(scope='everything'))}"),)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        info = admin_pb2_grpc.AdminServiceStub(channel).GetStoreInfo
        check = health_pb2_grpc.HealthStub(channel).Check

        def code() -> Code:
            found: Code = info.future(ASK_INFO, timeout=20, metadata=metadata).code()
            return found

        assert code() is Code.OK
        write_key_set(tmp_path / "keys.json")
        wait_until(lambda: code() is Code.UNAUTHENTICATED)
        of_credentials = health_pb2.HealthCheckRequest(service="pegcount.credentials")
        wait_until(lambda: check(of_credentials, timeout=20).status != SERVING)
        write_key_set(tmp_path / "keys.json", key)
        wait_until(lambda: code() is Code.OK)
