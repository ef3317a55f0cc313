"""Calls over TLS: versions, client certificates, certificates that change, and the limits of connections."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import grpc
import pytest
from certificate_authority import CertificateAuthority
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from load.http2_peer import PREFACE
from pegcount.config import Config
from pegcount.server import ListenOptions
from pegcount.server.certificate_files import TlsFileError
from pegcount.server.certificates import Certificates
from pegcount.server.client_certificates import client_certificate
from pegcount.v1 import reports_pb2_grpc
from service import NOW_US, Service
from waiting import stays, wait_until

from server_tests.example_requests import ASK_USAGE, call_record
from server_tests.streams import Stream, batch
from server_tests.tls_files import Tls

Code = grpc.StatusCode
State = grpc.ChannelConnectivity
HALF_DONE_COUNT = 200
RELOAD_COUNT = 10


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path / "tls")


Serve = Callable[..., Service]


@pytest.fixture
def serve(tls: Tls, tmp_path: Path) -> Iterator[Serve]:
    """Starts a service with TLS; its channel trusts it."""
    with ExitStack() as stack:

        def start(config: Config | None = None, admin_address: str | None = None) -> Service:
            return stack.enter_context(
                Service(
                    tmp_path / "data",
                    config or Config(),
                    listen_options=ListenOptions(tls.files, admin_address),
                    channel_credentials=tls.trusted(),
                )
            )

        yield start


# ---- Versions and plain text ----


def test_a_report_over_tls(serve: Serve) -> None:
    service = serve()
    service.write(call_record("s1"))
    assert service.reports.QueryAsrUsage(ASK_USAGE, timeout=20).bins


def test_tls_at_both_addresses(serve: Serve) -> None:
    service = serve(admin_address="127.0.0.1:0")
    for address in service.addresses:
        with service.new_channel(address) as channel:
            assert health(channel, "pegcount.tls") == health_pb2.HealthCheckResponse.SERVING
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as raised:
            health(channel, "")
        assert raised.value.code() is Code.UNAVAILABLE


def test_a_unix_socket_has_no_tls(serve: Serve, tmp_path: Path) -> None:
    service = serve(admin_address=f"unix:{tmp_path}/admin")
    with grpc.insecure_channel(service.addresses[1]) as channel:
        assert health(channel, "pegcount.tls") == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_that_are_accepted(version: ssl.TLSVersion, serve: Serve, tls: Tls) -> None:
    assert negotiated(serve().address, tls, version) == (version.name.replace("_", "."), "h2")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_versions_that_are_refused(version: ssl.TLSVersion, serve: Serve, tls: Tls) -> None:
    with pytest.raises(ssl.SSLError):
        negotiated(serve().address, tls, version)


def negotiated(address: str, tls: Tls, version: ssl.TLSVersion) -> tuple[str | None, str | None]:
    """Connects with exactly one version; returns the version and the protocol agreed upon."""
    context = ssl.create_default_context(cadata=tls.authority.certificate.decode())
    # Else the client itself would refuse old versions.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with tls_socket(address, context) as client:
        return client.version(), client.selected_alpn_protocol()


def tls_socket(address: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    host, _, port = address.rpartition(":")
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(socket.create_connection((host, int(port)), 20), server_hostname=host)


@pytest.mark.parametrize("hello", [PREFACE, b"GET / HTTP/1.1\r\nHost: example\r\n\r\n", bytes(64)])
def test_plain_text_at_a_port_of_tls_ends_at_once(hello: bytes, serve: Serve) -> None:
    host, _, port = serve().address.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as client:
        client.sendall(hello)
        assert all(iter(lambda: client.recv(4_096), b""))


def test_a_client_of_tls_at_a_port_of_plain_text(tmp_path: Path, tls: Tls) -> None:
    with (
        Service(tmp_path / "data") as service,
        grpc.secure_channel(service.address, tls.trusted()) as channel,
    ):
        assert code_of(channel) is Code.UNAVAILABLE


def test_a_client_that_trusts_another_authority(serve: Serve) -> None:
    other = grpc.ssl_channel_credentials(CertificateAuthority().certificate)
    with grpc.secure_channel(serve().address, other) as channel:
        assert code_of(channel) is Code.UNAVAILABLE


def code_of(channel: grpc.Channel) -> grpc.StatusCode:
    """Returns the status of a failing report."""
    with pytest.raises(grpc.RpcError) as raised:
        reports_pb2_grpc.ReportServiceStub(channel).QueryAsrUsage(ASK_USAGE, timeout=20)
    code: grpc.StatusCode = raised.value.code()
    return code


def health(channel: grpc.Channel, name: str) -> int:
    request = health_pb2.HealthCheckRequest(service=name)
    return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=20).status)


# ---- Client certificates ----


def names_seen(
    tls: Tls, credentials: grpc.ChannelCredentials | None, *, asks: bool = True
) -> tuple[str, ...]:
    """Calls a server that answers with the names of the client's certificate."""
    return asyncio.run(_names_seen(tls, credentials, asks=asks))


async def _names_seen(
    tls: Tls, credentials: grpc.ChannelCredentials | None, *, asks: bool
) -> tuple[str, ...]:
    found: list[tuple[str, ...]] = []

    async def note(_: bytes, context: "grpc.aio.ServicerContext[object, object]") -> bytes:
        certificate = client_certificate(context)
        found.append(() if certificate is None else certificate.names)
        return b""

    server = grpc.aio.server()
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Note": grpc.unary_unary_rpc_method_handler(note)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Names", methods),))
    if credentials is None:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    else:
        certificates = Certificates(tls.with_clients if asks else tls.files, lambda: NOW_US, 14)
        port = server.add_secure_port("127.0.0.1:0", certificates.credentials())
        channel = grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials)
    await server.start()
    try:
        async with channel:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Names/Note")
            await call(b"", timeout=20)
    finally:
        await server.stop(None)
    return found[0]


def test_the_names_of_a_client_certificate(tls: Tls) -> None:
    names: Sequence[x509.GeneralName] = [
        x509.RFC822Name("ops@example.com"),
        x509.UniformResourceIdentifier("spiffe://example.com/billing"),
        *(x509.DNSName(name) for name in ("billing.example.com", "Reports.example.com")),
        x509.IPAddress(ip_address("192.0.2.1")),
    ]
    assert names_seen(tls, tls.trusted(tls.clients.issue(names))) == (
        "billing.example.com",
        "Reports.example.com",
        "spiffe://example.com/billing",
        "ops@example.com",
    )


@pytest.mark.parametrize(
    "name",
    [
        x509.DNSName("billing.example.com\0.evil.example.com"),
        x509.UniformResourceIdentifier("billing.example.com\0"),
        x509.RFC822Name("billing.example.com\n@evil.example.com"),
    ],
)
def test_a_name_with_a_control_character_stands_for_nobody(name: x509.GeneralName, tls: Tls) -> None:
    names = [x509.DNSName("billing.example.com"), name]
    assert names_seen(tls, tls.trusted(tls.clients.issue(names))) == ()


def test_a_certificate_without_names_has_none(tls: Tls) -> None:
    assert names_seen(tls, tls.trusted(tls.clients.issue([x509.DirectoryName(x509.Name([]))]))) == ()


def test_without_an_authority_of_clients_no_certificate_counts(tls: Tls) -> None:
    """gRPC does not ask for one, and would not verify it."""
    identity = tls.clients.issue([x509.DNSName("billing.example.com")])
    assert names_seen(tls, tls.trusted(identity), asks=False) == ()


def test_plain_text_has_no_certificate(tls: Tls) -> None:
    assert names_seen(tls, None) == ()


@pytest.mark.parametrize("kind", ["none", "unknown authority", "expired", "authority of the server"])
def test_client_certificates_that_are_refused(kind: str, tls: Tls, tmp_path: Path) -> None:
    name = [x509.DNSName("billing.example.com")]
    identity = {
        "none": None,
        "unknown authority": CertificateAuthority("authority of clients").issue(name),
        "expired": tls.clients.issue(name, timedelta(seconds=-60)),
        "authority of the server": tls.authority.issue(name),
    }[kind]
    accepted = tls.trusted(tls.clients.issue(name))
    options = ListenOptions(tls.with_clients)
    with Service(tmp_path / "data", listen_options=options, channel_credentials=accepted) as service:
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)
        with grpc.secure_channel(service.address, tls.trusted(identity)) as channel:
            assert code_of(channel) is Code.UNAVAILABLE


# ---- Certificates that change ----


def test_new_certificates_drop_no_stream(serve: Serve, tls: Tls) -> None:
    service = serve()
    states: list[grpc.ChannelConnectivity] = []
    with service.new_channel(service.address) as channel, Stream(channel) as stream:
        for number in range(RELOAD_COUNT):
            tls.replace()
            wait_until(lambda: tls.served(service.address) == tls.identity.certificate, "the new one")
            stream.send(batch(str(number), f"s{number}"))
            assert stream.answer().batch_id == str(number)
            if not states:
                channel.subscribe(states.append)
            with service.new_channel(service.address) as another:
                reports_pb2_grpc.ReportServiceStub(another).QueryAsrUsage(ASK_USAGE, timeout=20)
        assert stream.end() == []
        assert states == [State.READY]


def test_a_wrong_pair_keeps_the_old_one_and_shows_in_the_health(
    serve: Serve, tls: Tls, caplog: pytest.LogCaptureFixture
) -> None:
    service, old = serve(), tls.identity
    other = tls.authority.issue()
    tls.files.key.write_bytes(other.key)

    def is_serving() -> bool:
        return bool(health(service.channel, "pegcount.tls") == health_pb2.HealthCheckResponse.SERVING)

    wait_until(lambda: not is_serving(), "a fault of the health")
    assert health(service.channel, "") == health_pb2.HealthCheckResponse.SERVING
    assert tls.served(service.address) == old.certificate
    stays(lambda: len(caplog.messages) == 1, 1.0)
    assert "the old ones stay in use: the key" in caplog.text
    tls.files.certificate.write_bytes(other.certificate)
    wait_until(is_serving, "the end of the fault")
    assert tls.served(service.address) == other.certificate


def test_new_authorities_of_clients_are_used(tls: Tls, tmp_path: Path) -> None:
    new = CertificateAuthority("new authority of clients")
    accepted = tls.trusted(new.issue([x509.DNSName("billing.example.com")]))
    options = ListenOptions(tls.with_clients)
    with Service(tmp_path / "data", listen_options=options, channel_credentials=accepted) as service:
        assert code_of(service.channel) is Code.UNAVAILABLE
        assert tls.with_clients.client_authorities is not None
        tls.with_clients.client_authorities.write_bytes(tls.clients.certificate + new.certificate)
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=20, wait_for_ready=True)


def test_an_unusable_certificate_prevents_the_start(tls: Tls, tmp_path: Path) -> None:
    tls.files.key.unlink()
    with pytest.raises(TlsFileError, match="No such file or directory"):
        Service(tmp_path / "data", listen_options=ListenOptions(tls.files))


# ---- Limits ----


def test_half_done_handshakes_end_and_hold_up_nobody(serve: Serve) -> None:
    service = serve(Config(request_read_seconds=4.0))
    host, _, port = service.address.rpartition(":")
    with ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection((host, int(port)), 20))
            for _ in range(HALF_DONE_COUNT)
        ]
        for client in clients:
            # The header of a ClientHello whose rest never comes.
            client.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        with service.new_channel(service.address) as channel:
            reports_pb2_grpc.ReportServiceStub(channel).QueryAsrUsage(ASK_USAGE, timeout=3.5)
        assert all(client.recv(1) == b"" for client in clients)


def test_calls_within_the_limits_are_no_flood(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """TLS adds bytes to each message, which must not count as control frames."""
    service = serve(Config(control_burst_bytes_max=4_000, control_bytes_per_second_max=1))
    with Stream(service.channel) as stream:
        for number in range(30):
            stream.send(batch(str(number), *(f"{number}-{row}" for row in range(2_000))))
            assert stream.answer().accepted == 2_000
    for _ in range(200):
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)
    assert caplog.messages == []
