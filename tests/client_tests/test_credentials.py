"""How both clients show who calls: keys and tokens, renewed ones, and what a server says to them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from pegcount.auth import Credentials, Scope, Tokens
from pegcount.config import Config
from pegcount.server import Authentication, RunningServer
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2
from pegcount_client import AsyncClient, Client, PegcountError, Record, RecordWriter
from pegcount_client.channel import ChannelSettings
from pegcount_client.retry import RetryPolicy
from server_tests.keys import guarded
from service import NOW_US
from token_issuer import claims, signer, token_config
from waiting import wait_until

from client_tests.recording_server import Recorder, recording
from client_tests.twins import CLIENTS, ClientOf

USAGE: dict[str, Any] = {"from_time": "2026-03-29", "granularity": "DAY"}
RAW_USAGE = reports_pb2.QueryAsrUsageRequest()
SECOND_US = 1_000_000


@pytest.fixture(params=CLIENTS)
def client_of(request: pytest.FixtureRequest) -> ClientOf:
    """Returns what makes a client of either kind."""
    kind: ClientOf = request.param
    return kind


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as running:
        yield running


def record(number: int) -> Record:
    return Record(session_id=f"s{number}", setup_time=datetime(2026, 3, 30, 11, tzinfo=UTC))


def write(client: Client, *numbers: int) -> None:
    with client.write_records() as writer:
        for number in numbers:
            writer.write(record(number))


def sent_tokens(recorder: Recorder) -> list[str | bytes]:
    return [call.metadata["authorization"] for call in recorder.calls]


# ---- What is sent ----


def test_the_token_goes_with_each_call(recorder: Recorder, client_of: ClientOf) -> None:
    with client_of(recorder.address, token="t1") as client:
        client.reports.QueryAsrUsage(RAW_USAGE, metadata=[("x-more", "1")])
        client.asr_usage(**USAGE)
        write(client, 1)
    assert [call.method for call in recorder.calls] == ["QueryAsrUsage", "QueryAsrUsage", "WriteRecords"]
    assert sent_tokens(recorder) == ["Bearer t1"] * 3
    assert recorder.calls[0].metadata["x-more"] == "1"
    assert all("x-api-key" not in call.metadata for call in recorder.calls)


def test_the_raw_stream_has_the_token(recorder: Recorder) -> None:
    with Client(recorder.address, token=lambda: "t1") as client:
        answers = client.records.WriteRecords(iter([records_pb2.WriteRecordsRequest()]))
        assert [answer.accepted for answer in answers] == [0]
    assert sent_tokens(recorder) == ["Bearer t1"]


def test_a_function_is_asked_for_the_token_of_each_call(recorder: Recorder, client_of: ClientOf) -> None:
    tokens = iter(["t1", "t2", "t3"])
    with client_of(recorder.address, token=lambda: next(tokens)) as client:
        client.asr_usage(**USAGE)
        write(client, 1)
        client.asr_usage(**USAGE)
    assert sent_tokens(recorder) == ["Bearer t1", "Bearer t2", "Bearer t3"]


def test_the_token_of_an_asyncio_client_may_be_awaited(recorder: Recorder) -> None:
    async def token() -> str:
        await asyncio.sleep(0)
        return "t1"

    async def call() -> None:
        async with AsyncClient(recorder.address, token=token) as client:
            await client.asr_usage(**USAGE)
            async with client.write_records() as writer:
                await writer.write(record(1))

    asyncio.run(call())
    assert sent_tokens(recorder) == ["Bearer t1", "Bearer t1"]


# ---- What is refused before it is sent ----


def test_a_key_and_a_token_are_refused(client_of: ClientOf) -> None:
    with pytest.raises(ValueError, match="give either api_key or token"):
        client_of("127.0.0.1:1", api_key="k1", token="t1").__enter__()


@pytest.mark.parametrize("address", ["traffic.example:50051", "192.0.2.1:50051", "dns:///[2001:db8::1]:1"])
@pytest.mark.parametrize("token", ["secret", lambda: "secret"], ids=["text", "function"])
def test_a_token_does_not_cross_the_network_readable(address: str, token: Any, client_of: ClientOf) -> None:
    with pytest.raises(ValueError, match="token would cross the network") as raised:
        client_of(address, token=token).__enter__()
    assert "secret" not in str(raised.value)


def test_no_text_of_the_settings_has_the_token() -> None:
    settings = ChannelSettings(address="127.0.0.1:1", token="secret")
    assert "secret" not in repr(settings) + repr(settings.credential())


@pytest.mark.parametrize(
    ("token", "error", "sentence"),
    [
        ("", ValueError, "token must be printable ASCII text without spaces"),
        ("se cret", ValueError, "token must be printable ASCII text without spaces"),
        ("secret\n", ValueError, "token must be printable ASCII text without spaces or line ends"),
        ("Bearer secret", ValueError, "leave out the word Bearer"),
        (b"secret", TypeError, "token must be a text, or return one, not bytes"),
    ],
)
def test_a_token_that_cannot_be_sent(
    token: Any, error: type[Exception], sentence: str, client_of: ClientOf
) -> None:
    with pytest.raises(error, match=sentence) as raised:
        client_of("127.0.0.1:1", token=token).__enter__()
    assert "secret" not in str(raised.value)
    with client_of("127.0.0.1:1", token=lambda: token) as client, pytest.raises(error, match=sentence):
        client.asr_usage(**USAGE)


def test_a_token_that_cannot_be_had_loses_no_record(recorder: Recorder, client_of: ClientOf) -> None:
    """The error of the function reaches the caller, and the writer goes on once there is a token."""
    answers: list[str | Exception] = [RuntimeError("the vault is sealed"), "t1"]

    def token() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with client_of(recorder.address, token=token) as client, client.write_records() as writer:
        writer.write(record(1))
        with pytest.raises(RuntimeError, match="the vault is sealed"):
            writer.flush()
        writer.write(record(2))
        writer.flush()
        assert (writer.summary.written, writer.summary.accepted) == (2, 2)
    assert sent_tokens(recorder) == ["Bearer t1"]


# ---- What a server says ----


def test_a_server_accepts_keys_by_their_scopes(tmp_path: Path, client_of: ClientOf) -> None:
    with guarded(tmp_path) as held:
        address = held.service.address
        with client_of(address, api_key=held.issued[Scope.WRITE_RECORDS].key.text) as client:
            write(client, 1, 2)
            with pytest.raises(PegcountError, match="a credential with the scope read_reports") as raised:
                client.asr_usage(**USAGE, kind="CALL")
            assert (raised.value.code, raised.value.reason) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "ACCESS_DENIED",
            )
        with client_of(address, api_key=held.issued[Scope.READ_REPORTS].key.text) as client:
            assert client.asr_usage(**USAGE, kind="CALL").totals.session_count == 2
            with pytest.raises(PegcountError, match="a credential with the scope write_records"):
                write(client, 3)


def test_a_server_refuses_what_is_outside_the_data_scope_of_a_key(
    tmp_path: Path, client_of: ClientOf
) -> None:
    with guarded(tmp_path) as held:
        scope = admin_pb2.DataScope(source=["pbx"])
        made = held.create("switch", Scope.WRITE_RECORDS, data_scope=scope)
        with client_of(held.service.address, api_key=made.secret) as client:
            with pytest.raises(PegcountError, match=r"records\[0\]\.source: no value is outside") as raised:
                write(client, 1)
            assert (raised.value.code, raised.value.reason) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "ACCESS_DENIED",
            )
            assert raised.value.metadata == {"field": "source", "value": "", "index": "0"}
        assert held.service.store.info().records == 0


@pytest.mark.parametrize("settings", [{}, {"api_key": "pk_secret"}, {"token": "secret"}])
def test_a_server_refuses_other_credentials(
    settings: dict[str, str], tmp_path: Path, client_of: ClientOf
) -> None:
    with guarded(tmp_path) as held, client_of(held.service.address, **settings) as client:
        for call in (lambda: client.asr_usage(**USAGE), lambda: write(client, 1)):
            with pytest.raises(PegcountError, match="needs a credential that it accepts") as raised:
                call()
            assert raised.value.code is grpc.StatusCode.UNAUTHENTICATED
            assert raised.value.reason == "CREDENTIAL_REFUSED"
            assert "secret" not in str(raised.value)


@dataclass
class Issuing:
    """A server that accepts tokens by its clock, and an issuer whose tokens last for a minute of it."""

    directory: Path
    now_us: int = NOW_US
    issued: list[str] = field(default_factory=list)
    address: str = ""

    def token(self) -> str:
        """Returns a new token, which lasts for a minute."""
        now_s = self.now_us // SECOND_US
        new = claims(exp=now_s + 60, iat=now_s, scope="everything", jti=str(len(self.issued)))
        self.issued.append(signer("HS256").token(new))
        return self.issued[-1]

    def serve(self) -> Iterator["Issuing"]:
        config = Config(stream_look_seconds=0.05)
        tokens = Tokens(token_config(self.directory, signer("HS256")), config)
        with closing(EmbeddedStore(self.directory / "data", config, create=True, clock=self.clock)) as store:
            authentication = Authentication(Credentials(config, store, self.clock), self.clock, tokens)
            server = RunningServer(config, store, "127.0.0.1:0", self.clock, authentication=authentication)
            self.address = server.addresses[0]
            yield self
            server.stop()

    def clock(self) -> int:
        return self.now_us


@pytest.fixture
def issuing(tmp_path: Path) -> Iterator[Issuing]:
    yield from Issuing(tmp_path).serve()


def test_a_server_accepts_a_token_until_it_expires(issuing: Issuing, client_of: ClientOf) -> None:
    with client_of(issuing.address, token=issuing.token()) as client:
        write(client, 1)
        assert client.call(client.admin.GetStoreInfo, admin_pb2.GetStoreInfoRequest()).records == 1
        issuing.now_us += 120 * SECOND_US
        with pytest.raises(PegcountError, match="needs a credential that it accepts"):
            client.asr_usage(**USAGE)


def written_until(writer: RecordWriter, issuing: Issuing, ends: Callable[[], bool]) -> int:
    """Writes a record in each of many minutes, until a condition holds; returns how many."""
    numbers = count()

    def write_one() -> bool:
        writer.write(record(next(numbers)))
        writer.flush()
        issuing.now_us += 60 * SECOND_US
        return ends()

    wait_until(write_one, "what ends the writing", look_seconds=0.05)
    return next(numbers)


def test_a_writer_goes_on_with_the_next_token(issuing: Issuing, client_of: ClientOf) -> None:
    with client_of(issuing.address, token=issuing.token) as client:
        with client.write_records() as writer:
            written = written_until(writer, issuing, lambda: len(issuing.issued) == 3)
        assert writer.summary.accepted == written
        assert client.call(client.admin.GetStoreInfo, admin_pb2.GetStoreInfoRequest()).records == written


def test_a_writer_with_one_token_ends_with_it(issuing: Issuing, client_of: ClientOf) -> None:
    with (
        client_of(issuing.address, token=issuing.token()) as client,
        pytest.raises(PegcountError, match="needs a credential that it accepts"),
        client.write_records() as writer,
    ):
        written_until(writer, issuing, lambda: False)


def test_a_token_that_expired_on_its_way_is_replaced(issuing: Issuing, client_of: ClientOf) -> None:
    expired = issuing.token()
    issuing.now_us += 120 * SECOND_US
    tokens = iter([expired, issuing.token()])
    with client_of(issuing.address, token=lambda: next(tokens)) as client, client.write_records() as writer:
        writer.write(record(1))
        writer.flush()
        assert (writer.summary.accepted, writer.summary.resent) == (1, 1)


def test_tokens_that_are_all_refused_end_a_writer(issuing: Issuing, client_of: ClientOf) -> None:
    asked: list[str] = []

    def token() -> str:
        asked.append("wrong")
        return "wrong"

    with (
        client_of(issuing.address, token=token) as client,
        pytest.raises(PegcountError, match="needs a credential that it accepts"),
    ):
        write(client, 1)
    # One more, in case that the first has just expired. With asyncio, gRPC may hide that one was refused,
    # which then counts as a lost stream.
    asked_max = 2 if client_of is Client else 1 + RetryPolicy().count_max
    assert 2 <= len(asked) <= asked_max
