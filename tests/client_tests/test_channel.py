"""How both clients reach a server: addresses, the key, TLS, deadlines, retries and large answers."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pegcount_client
import pytest
from cli_tests.test_entry import closed_port, silent_port
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2, traffic_pb2
from pegcount.v1.admin_pb2 import GetStoreInfoRequest
from pegcount_client import AsyncClient, Client, PegcountError, Record, Tls
from pegcount_client.channel import ChannelSettings
from service import Service
from waiting import stays

from client_tests.certificates import SERVER_NAME, Certificates, make_certificates
from client_tests.recording_server import Recorder, recording
from client_tests.twins import CLIENTS, ClientOf

USAGE: dict[str, Any] = {"from_time": "2026-03-29", "granularity": "DAY"}
RAW_USAGE = reports_pb2.QueryAsrUsageRequest()


@pytest.fixture(params=CLIENTS)
def client_of(request: pytest.FixtureRequest) -> ClientOf:
    """Returns what makes a client of either kind."""
    kind: ClientOf = request.param
    return kind


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as running:
        yield running


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


# ---- Addresses ----


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("127.0.0.1", 'has no port; did you mean "127.0.0.1:50051"?'),
        ("traffic.example", 'has no port; did you mean "traffic.example:50051"?'),
        ("[::1]", 'has no port; did you mean "[::1]:50051"?'),
        ("dns:///traffic.example", 'has no port; did you mean "traffic.example:50051"?'),
        ("::1", 'may be an IPv6 address without a port; did you mean "[::1]:50051"?'),
        ("http://traffic.example:50051/", 'has a scheme; did you mean "traffic.example:50051"?'),
        ("https://traffic.example:443", 'has a scheme; did you mean "traffic.example:443" with tls=True?'),
        ("127.0.0.1:0", "must be HOST:PORT with a port from 1 to 65535"),
        ("127.0.0.1:65536", "must be HOST:PORT with a port from 1 to 65535"),
        ("127.0.0.1:grpc", "must be HOST:PORT with a port from 1 to 65535"),
        (":50051", "must be HOST:PORT"),
        (
            "192.0.2.1:50051,192.0.2.2:50051",
            'is a list; did you mean "ipv4:192.0.2.1:50051,192.0.2.2:50051"?',
        ),
        ("", "has no port"),
    ],
)
def test_an_address_that_gRPC_would_never_reach_is_refused(address: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"address {address!r} {sentence}")):
        ChannelSettings(address=address)


@pytest.mark.parametrize(
    "address",
    [
        "localhost:1",
        "[::1]:50051",
        "dns:///traffic.example:50051",
        "ipv4:127.0.0.1:1",
        "ipv4:192.0.2.1:1,192.0.2.2:1",
        "ipv6:[2001:db8::1]:1,[2001:db8::2]:1",
        "unix:a.sock",
    ],
)
def test_an_address_that_gRPC_reaches_is_taken(address: str) -> None:
    assert ChannelSettings(address=address).address == address


def test_an_address_in_a_list_is_checked() -> None:
    with pytest.raises(ValueError, match=re.escape('"192.0.2.2:50051"')):
        ChannelSettings(address="ipv4:192.0.2.1:50051,192.0.2.2")


def test_of_several_servers_one_that_can_be_reached_is_called(tmp_path: Path, client_of: ClientOf) -> None:
    with Service(tmp_path / "data") as service:
        address = f"ipv4:127.0.0.1:1,{service.address}"
        with client_of(address, timeout=20) as client:
            assert client.call(client.admin.GetStoreInfo, GetStoreInfoRequest()).records == 0


def test_a_key_goes_to_several_servers_without_tls_only_if_all_are_of_this_host() -> None:
    ChannelSettings(address="ipv4:127.0.0.1:1,127.0.0.1:2", api_key="k1")
    with pytest.raises(ValueError, match="readable by others"):
        ChannelSettings(address="ipv4:127.0.0.1:1,192.0.2.1:2", api_key="k1")


def test_a_unix_socket_is_an_address(tmp_path: Path, client_of: ClientOf) -> None:
    with (
        recording(listen=f"unix:{tmp_path / 'socket'}") as recorder,
        client_of(recorder.address, api_key="k1") as client,
    ):
        client.reports.QueryAsrUsage(RAW_USAGE)
    assert [call.metadata["x-api-key"] for call in recorder.calls] == ["k1"]


@pytest.mark.parametrize("name", ["a b", "a#b", "a?b", "a%20b", "ж"])
def test_a_unix_socket_may_have_any_name(name: str, tmp_path: Path, client_of: ClientOf) -> None:
    """Regression: gRPC reads an address as a URI, and looked for `a` in place of `a#b`."""
    listen = f"unix:{tmp_path / name}"
    with Service(tmp_path / "data", listen=listen), client_of(listen, timeout=20) as client:
        assert client.call(client.admin.GetStoreInfo, GetStoreInfoRequest()).records == 0


# ---- The key ----


def write_one(client: Client) -> None:
    with client.write_records() as writer:
        writer.write(Record(session_id="s1", setup_time=datetime(2026, 3, 29, tzinfo=UTC)))


def test_the_key_goes_with_each_call(recorder: Recorder, client_of: ClientOf) -> None:
    with client_of(recorder.address, api_key="k1") as client:
        client.reports.QueryAsrUsage(RAW_USAGE, metadata=[("x-more", "1")])
        client.call(client.reports.QueryAsrUsage, RAW_USAGE)
        write_one(client)
        calls = recorder.calls
    assert [call.method for call in calls] == ["QueryAsrUsage", "QueryAsrUsage", "WriteRecords"]
    assert [call.metadata["x-api-key"] for call in calls] == ["k1"] * 3
    assert calls[0].metadata["x-more"] == "1"


def test_the_raw_stream_has_the_key(recorder: Recorder) -> None:
    with Client(recorder.address, api_key="k1") as client:
        answers = client.records.WriteRecords(iter([records_pb2.WriteRecordsRequest()]))
        assert [answer.accepted for answer in answers] == [0]
    assert [call.metadata["x-api-key"] for call in recorder.calls] == ["k1"]


def test_without_a_key_none_is_sent(recorder: Recorder, client_of: ClientOf) -> None:
    with client_of(recorder.address) as client:
        client.reports.QueryAsrUsage(RAW_USAGE)
        write_one(client)
    assert ["x-api-key" in call.metadata for call in recorder.calls] == [False, False]


@pytest.mark.parametrize("address", ["traffic.example:50051", "192.0.2.1:50051", "dns:///[2001:db8::1]:1"])
def test_a_key_does_not_cross_the_network_readable(address: str, client_of: ClientOf) -> None:
    with pytest.raises(ValueError, match="api_key would cross the network") as raised:
        client_of(address, api_key="secret").__enter__()
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(ChannelSettings(address=address, api_key="secret", tls=True))


@pytest.mark.parametrize("key", ["", "two\nlines", "ключ"])
def test_a_key_that_is_no_header_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="api_key must be printable ASCII text"):
        ChannelSettings(address="127.0.0.1:1", api_key=key)


# ---- TLS ----


def server_credentials(certificates: Certificates, *, is_mutual: bool) -> grpc.ServerCredentials:
    pair = (certificates.server_key.read_bytes(), certificates.server_certificate.read_bytes())
    roots = certificates.authority.read_bytes() if is_mutual else None
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=is_mutual)


def test_tls_with_roots_of_the_caller(certificates: Certificates, client_of: ClientOf) -> None:
    tls = Tls(root_certificates=certificates.authority, server_name=SERVER_NAME)
    with (
        recording(server_credentials(certificates, is_mutual=False)) as recorder,
        client_of(recorder.address, tls=tls, api_key="k1") as client,
    ):
        client.reports.QueryAsrUsage(RAW_USAGE)
        write_one(client)
    assert [call.metadata["x-api-key"] for call in recorder.calls] == ["k1", "k1"]


def test_mutual_tls(certificates: Certificates, client_of: ClientOf) -> None:
    roots = certificates.authority.read_bytes()
    with_certificate = Tls(
        root_certificates=roots,
        private_key=certificates.client_key.read_bytes(),
        certificate_chain=certificates.client_certificate,
        server_name=SERVER_NAME,
    )
    without = Tls(root_certificates=roots, server_name=SERVER_NAME)
    with recording(server_credentials(certificates, is_mutual=True)) as recorder:
        with client_of(recorder.address, tls=with_certificate) as client:
            client.reports.QueryAsrUsage(RAW_USAGE)
        with (
            client_of(recorder.address, tls=without, timeout=2.0) as client,
            pytest.raises(PegcountError, match=f"answer.* {re.escape(recorder.address)}"),
        ):
            client.asr_usage(**USAGE)
    assert len(recorder.calls) == 1


@pytest.mark.parametrize(
    "tls", [True, Tls(server_name=SERVER_NAME)], ids=["another authority", "another authority and name"]
)
def test_a_server_that_is_not_trusted_is_told(
    tls: Tls | bool, certificates: Certificates, client_of: ClientOf
) -> None:
    with (
        recording(server_credentials(certificates, is_mutual=False)) as recorder,
        client_of(recorder.address, tls=tls, timeout=2.0) as client,
        pytest.raises(PegcountError, match=r"no Pegcount server answers at .*CERTIFICATE_VERIFY_FAILED"),
    ):
        client.asr_usage(**USAGE)
    assert recorder.calls == []


def test_a_client_certificate_needs_its_key(certificates: Certificates) -> None:
    with pytest.raises(ValueError, match="needs both private_key and certificate_chain"):
        Tls(certificate_chain=certificates.client_certificate)
    assert "PRIVATE" not in repr(Tls(private_key=b"PRIVATE", certificate_chain=b"c"))


def test_a_certificate_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
        Client("127.0.0.1:1", tls=Tls(root_certificates=tmp_path / "missing.pem"))


# ---- Deadlines, retries, large answers ----


def test_a_call_has_the_deadline_of_the_client_or_its_own(recorder: Recorder, client_of: ClientOf) -> None:
    with client_of(recorder.address, timeout=20.0) as client:
        client.reports.QueryAsrUsage(RAW_USAGE)
        client.reports.QueryAsrUsage(RAW_USAGE, timeout=5.0)
        client.call(client.reports.QueryAsrUsage, RAW_USAGE, timeout=10.0)
        write_one(client)
    with client_of(recorder.address) as client:
        client.reports.QueryAsrUsage(RAW_USAGE)
    with client_of(recorder.address, timeout=None) as client:
        client.reports.QueryAsrUsage(RAW_USAGE)
    seconds = [call.seconds_left for call in recorder.calls]
    assert [None if each is None else round(each / 5) * 5 for each in seconds] == [20, 5, 10, None, 30, None]


def test_a_silent_server_fails_a_call_at_its_deadline(client_of: ClientOf) -> None:
    begin = time.monotonic()
    with (
        silent_port() as address,
        client_of(address, timeout=0.3) as client,
        pytest.raises(PegcountError) as raised,
    ):
        client.asr_usage(**USAGE)
    assert raised.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert str(raised.value) == f"no answer from {address} within 0.3 s; a longer timeout gives it more time"
    assert time.monotonic() - begin < 10


def test_a_call_to_a_closed_port_tells_that_no_server_answers(client_of: ClientOf) -> None:
    with (
        closed_port() as address,
        client_of(address, timeout=2.0) as client,
        pytest.raises(PegcountError) as raised,
    ):
        client.asr_usage(**USAGE)
    assert raised.value.code is grpc.StatusCode.UNAVAILABLE
    assert str(raised.value) == f"no server answers at {address}; `pegcount serve` starts one"


def test_a_call_waits_for_a_server_that_is_away(client_of: ClientOf) -> None:
    with closed_port() as address, client_of(address) as client:
        done = threading.Event()

        def call() -> None:
            client.reports.QueryAsrUsage(RAW_USAGE)
            done.set()

        thread = threading.Thread(target=call)
        thread.start()
        stays(lambda: not done.is_set(), 1.0)
        with recording(listen=address):
            assert done.wait(20)
            thread.join()


def test_a_call_that_ends_with_unavailable_is_sent_again(recorder: Recorder, client_of: ClientOf) -> None:
    recorder.failures = 2
    with client_of(recorder.address) as client:
        client.reports.QueryAsrUsage(RAW_USAGE)
    assert len(recorder.calls) == 3


def test_without_retries_it_is_not(recorder: Recorder, client_of: ClientOf) -> None:
    recorder.failures = 1
    with (
        client_of(recorder.address, retry=False) as client,
        pytest.raises(PegcountError, match="not yet"),
    ):
        client.asr_usage(**USAGE)
    assert len(recorder.calls) == 1


def test_answers_beyond_the_limit_of_gRPC_are_read(recorder: Recorder, client_of: ClientOf) -> None:
    recorder.answer.range.from_time = "x" * (60 * 2**20)
    with client_of(recorder.address) as client:
        assert len(client.reports.QueryAsrUsage(RAW_USAGE).range.from_time) == 60 * 2**20
    limited = [("grpc.max_receive_message_length", 1_000)]
    with (
        client_of(recorder.address, options=limited) as client,
        pytest.raises(PegcountError, match="RESOURCE_EXHAUSTED"),
    ):
        client.asr_usage(**USAGE)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"timeout": 0}, "timeout=0 must be more than 0 seconds and at most 864,000 (10 days), or None"),
        ({"timeout": float("nan")}, "timeout=nan must be more than 0 seconds"),
        ({"timeout": 864_001}, "timeout=864001 must be more than 0 seconds and at most 864,000"),
        ({"timeout": float("inf")}, "timeout=inf must be more than 0 seconds and at most 864,000"),
        ({"keepalive_timeout_seconds": 0}, "keepalive_timeout_seconds=0 must be more than 0 seconds"),
        ({"keepalive_seconds": 5}, "keepalive_seconds=5 must be at least 10, or None"),
    ],
)
def test_settings_that_cannot_work_are_refused(setting: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Client("127.0.0.1:1", **setting)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"timeout": "10"}, "timeout is a number of seconds, not '10'"),
        ({"timeout": True}, "timeout is a number of seconds, not True"),
        (
            {"timeout": timedelta(seconds=3)},
            "timeout is a number of seconds, not datetime.timedelta(seconds=3); next step: its total_sec",
        ),
        ({"keepalive_seconds": "30"}, "keepalive_seconds is a number of seconds, not '30'"),
        ({"keepalive_timeout_seconds": None}, "keepalive_timeout_seconds is a number of seconds, not None"),
        ({"retry": 3}, "retry is True or False, not 3"),
    ],
)
def test_settings_of_other_types_are_refused(setting: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TypeError, match=re.escape(sentence)):
        Client("127.0.0.1:1", **setting)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 864_001, "3", True, timedelta(1)])
def test_a_timeout_of_a_call_that_cannot_be_is_refused(timeout: Any, client_of: ClientOf) -> None:
    with client_of("127.0.0.1:1") as client:
        with pytest.raises((TypeError, ValueError), match="timeout"):
            client.asr_usage(**USAGE, timeout=timeout)
        with pytest.raises((TypeError, ValueError), match="timeout"):
            client.call(client.reports.QueryAsrUsage, RAW_USAGE, timeout=timeout)


def test_a_client_without_retries_has_writers_without_retries(client_of: ClientOf) -> None:
    start_time = time.monotonic()
    with (
        client_of("127.0.0.1:1", retry=False) as client,
        pytest.raises(PegcountError, match="no server answers"),
    ):
        write_one(client)
    assert time.monotonic() - start_time < 60


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_and_a_writer_show_their_server_and_never_the_key(kind: Any) -> None:
    async def shown() -> list[str]:
        client = kind("127.0.0.1:1", api_key="made-up-key")
        writer = client.write_records()
        before = [repr(client), repr(writer)]
        closing = client.close()
        if closing is not None:
            await closing
        return [*before, repr(client)]

    name, writer = kind.__name__, kind.__name__.replace("Client", "RecordWriter")
    assert asyncio.run(shown()) == [
        f"<{name} of 127.0.0.1:1>",
        f"<{writer} to 127.0.0.1:1, new, 0 written>",
        f"<{name} of 127.0.0.1:1, closed>",
    ]


def test_the_policy_of_retries_has_each_call_of_one_answer_that_writes_no_records() -> None:
    policy = json.loads(Path(pegcount_client.__file__).with_name("service_config.json").read_text("utf-8"))
    (config,) = policy["methodConfig"]
    named = {(name["service"], name.get("method")) for name in config["name"]}
    files = (admin_pb2, reports_pb2, traffic_pb2)
    services = [each for file in files for each in file.DESCRIPTOR.services_by_name.values()]
    calls = {(each.full_name, call.name): call for each in services for call in each.methods}
    is_retried = {of: of in named or (of[0], None) in named for of in calls}
    assert is_retried == {of: not call.server_streaming for of, call in calls.items()}
