"""A shard over the wire, against a server that does what a test says: also what a real one rarely does."""

import ssl
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from certificate_authority import CertificateAuthority
from pegcount.core import CancelToken
from pegcount.errors import (
    CancelledError,
    DeadlineError,
    PegcountError,
    ShardFaultError,
    StoreUnavailableError,
    WriteFateUnknownError,
)
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.clickhouse.wire.workers import Workers
from waiting import at_best, wait_until

from clickhouse.scripted_server import Answer, ScriptedServer, answer

ONE = Query("SELECT 1")
LATE = 30.0
_opened = ExitStack()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Closes the clusters of a test."""
    with _opened:
        yield


def shard_of(*servers: ScriptedServer, scheme: str = "clickhouse", options: str = "") -> Shard:
    return cluster_of(*servers, scheme=scheme, options=options).shards[0]


def cluster_of(*servers: ScriptedServer, scheme: str = "clickhouse", options: str = "") -> Cluster:
    hosts = ",".join(each.address for each in servers)
    cluster = Cluster(ClusterAddress.parse(f"{scheme}://counter@{hosts}/calls{options}", "hunter2"), 30.0)
    _opened.callback(cluster.close)
    return cluster


def error_of_select(answers: Sequence[Answer]) -> PegcountError:
    with ScriptedServer(answers, closes=lambda number: number == len(answers)) as server:
        with pytest.raises(PegcountError) as caught:
            shard_of(server).select(ONE, CancelToken(LATE))
        return caught.value


def test_a_request_has_its_values_in_the_body_and_its_settings_in_the_address() -> None:
    with ScriptedServer([answer(b"rows")]) as server:
        query = Query("SELECT {a:String}", {"a": "+15550100"}, {"max_threads": 3, "readonly": 0})
        assert shard_of(server).select(query, CancelToken(LATE)) == b"rows"
    line, _, rest = server.requests[0].partition(b"\r\n")
    for setting in (b"database=calls", b"max_threads=3", b"max_execution_time=31.0", b"readonly=2"):
        assert setting in line
    assert b"readonly=0" not in line
    assert b"0100" not in line
    assert b"hunter2" not in server.requests[0]
    head, _, body = rest.partition(b"\r\n\r\n")
    assert b"Authorization: Basic Y291bnRlcjpodW50ZXIy" in head
    assert b"+15550100" in body


def test_a_connection_is_kept() -> None:
    with ScriptedServer([answer(b"a"), answer(b"b")]) as server:
        shard = shard_of(server)
        assert [shard.select(ONE, CancelToken(LATE)) for _ in range(2)] == [b"a", b"b"]
        assert server.connection_count == 1


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    with ScriptedServer([answer(b"a"), answer(b"b")]) as server:
        shard = shard_of(server)
        shard.select(ONE, CancelToken(LATE))
        server.close_connections()
        assert shard.select(ONE, CancelToken(LATE)) == b"b"
        assert server.connection_count == 2


def test_a_select_on_a_connection_that_closes_at_once_is_sent_again() -> None:
    """The server closes it while the request is on its way."""
    with ScriptedServer([answer(b"a"), None, answer(b"b")]) as server:
        shard = shard_of(server)
        shard.select(ONE, CancelToken(LATE))
        assert shard.select(ONE, CancelToken(LATE)) == b"b"


def test_the_fate_of_an_insert_on_such_a_connection_is_unknown() -> None:
    with ScriptedServer([answer(b""), None, answer(b"")]) as server:
        shard = shard_of(server)
        shard.insert("t", b"block", CancelToken(LATE))
        with pytest.raises(WriteFateUnknownError, match="shard 1 was lost during a write"):
            shard.insert("t", b"block", CancelToken(LATE))
        assert len(server.requests) == 2


def test_a_select_on_a_new_connection_is_not_sent_again() -> None:
    with ScriptedServer([None, answer(b"a")]) as server:
        with pytest.raises(StoreUnavailableError, match="shard 1 does not answer"):
            shard_of(server).select(ONE, CancelToken(LATE))
        assert len(server.requests) == 1


def test_an_insert_that_reaches_nobody_is_known_to_be_lost() -> None:
    server = ScriptedServer()
    server.close()
    with pytest.raises(StoreUnavailableError) as caught:
        shard_of(server).insert("t", b"block", CancelToken(LATE))
    assert type(caught.value) is StoreUnavailableError


def test_an_insert_has_its_token_and_is_not_asynchronous() -> None:
    with ScriptedServer([answer(b"")]) as server:
        shard_of(server).insert("ledger", b"block", CancelToken(LATE), token="20000:7")
    line = server.requests[0].partition(b"\r\n")[0]
    expected = (
        b"query=INSERT+INTO+ledger+FORMAT+Native",
        b"insert_deduplication_token=20000%3A7",
        b"async_insert=0",
    )
    assert [setting for setting in expected if setting not in line] == []
    assert server.requests[0].endswith(b"\r\n\r\nblock")


def test_a_server_without_newer_settings_for_tokens_is_asked_without_them() -> None:
    unknown = b"HTTP/1.1 404 Not Found\r\nX-ClickHouse-Exception-Code: 115\r\nContent-Length: 0\r\n\r\n"
    with ScriptedServer([unknown, answer(b""), answer(b"")]) as server:
        shard = shard_of(server)
        for token in ("1", "2"):
            shard.insert("ledger", b"block", CancelToken(LATE), token=token)
    asked = [b"deduplicate_insert=enable" in request for request in server.requests]
    assert asked == [True, False, False]
    assert all(b"use_strict_insert_block_limits=0" in request for request in server.requests)


HEAD = b"HTTP/1.1 200 OK\r\nX-ClickHouse-Format: Native\r\n"


@pytest.mark.parametrize(
    "broken",
    [
        HEAD + b"Content-Length: 5\r\n\r\nrow",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nrow\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nrow\r\n5\r\nro",
        HEAD + b"\r\nrows until the connection ends",
        HEAD,
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        b"no HTTP\r\n\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_none(broken: bytes) -> None:
    assert str(error_of_select([broken])) == "shard 1 does not answer"


def test_an_answer_that_is_not_that_of_clickhouse_is_a_fault() -> None:
    for head in (b"", b"X-ClickHouse-Format: TabSeparated\r\n"):
        error = error_of_select([answer(b"<html>", head)])
        assert isinstance(error, ShardFaultError)
        assert "whose port is 8123" in str(error)


def test_an_error_beside_the_status_200_is_an_error() -> None:
    """ClickHouse sends it if the error comes after the head of the answer."""
    head = b"X-ClickHouse-Format: Native\r\nX-ClickHouse-Exception-Code: 241\r\n"
    assert "memory" in str(error_of_select([answer(b"rows", head)]))


def test_callers_learn_neither_the_text_nor_the_place_and_the_log_has_both(
    caplog: pytest.LogCaptureFixture,
) -> None:
    head = b"X-ClickHouse-Exception-Code: 62\r\n"
    with ScriptedServer([answer(b"DB::Exception: +15550100", head)]) as server:
        with pytest.raises(ShardFaultError) as caught:
            shard_of(server).select(ONE, CancelToken(LATE))
        assert "0100" not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)
    said = "refused a statement with code 62 (SYNTAX_ERROR): DB::Exception: +15550100"
    assert [record.getMessage() for record in caplog.records] == [f"shard 1 ({server.address}) {said}"]


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_whoever_waits_leaves_within_50_ms(is_cancelled: bool) -> None:
    at_best(partial(_seconds_until_left, is_cancelled), 0.05 + 0.2)  # The last is for a busy host.


def _seconds_until_left(is_cancelled: bool) -> float:
    """Returns how long after its end a call still waits."""
    hang = threading.Event()
    with ScriptedServer([b""], closes=lambda _number: hang.wait(LATE)) as server:
        start_s, shard = time.monotonic(), shard_of(server)
        token = CancelToken(LATE if is_cancelled else 0.5)
        ended_s: list[float] = []

        def cancel() -> None:
            wait_until(lambda: server.requests)
            ended_s.append(time.monotonic())
            token.cancel()

        if is_cancelled:
            threading.Thread(target=cancel).start()
        with pytest.raises(CancelledError if is_cancelled else DeadlineError):
            shard.select(ONE, token)
        seconds = time.monotonic() - (ended_s[0] if is_cancelled else start_s + 0.5)
        hang.set()
        return seconds


def test_a_token_that_has_ended_sends_nothing() -> None:
    with ScriptedServer([answer(b"a")]) as server:
        token = CancelToken(LATE)
        token.cancel()
        with pytest.raises(CancelledError):
            shard_of(server).select(ONE, token)
        assert server.connection_count == 0


def test_the_first_shard_that_fails_ends_the_wait_for_the_others() -> None:
    hang = threading.Event()
    with (
        ScriptedServer([b""], closes=lambda _number: hang.wait(LATE)) as slow,
        ScriptedServer([None]) as lost,
    ):
        cluster = cluster_of(slow, lost)
        with pytest.raises(StoreUnavailableError, match="shard 2 does not answer"):
            cluster.ask_all(ONE, CancelToken(LATE * 2))
        assert not hang.is_set()
        hang.set()


def test_answers_are_in_the_order_of_the_shards() -> None:
    with ScriptedServer([answer(b"a")]) as first, ScriptedServer([answer(b"b")]) as second:
        assert cluster_of(first, second).ask_all(ONE, CancelToken(LATE)) == [b"a", b"b"]


def test_each_calls_the_function_for_all_shards_also_if_one_fails() -> None:
    called: list[str] = []

    def fail(shard: Shard) -> str:
        called.append(shard.name)
        if shard.name == "shard 1":
            raise ValueError("of shard 1")
        return shard.name

    with ScriptedServer() as first, ScriptedServer() as second:
        cluster = cluster_of(first, second)
        assert cluster.each(lambda shard: shard.name, CancelToken(LATE)) == ["shard 1", "shard 2"]
        with pytest.raises(ValueError, match="of shard 1"):
            cluster.each(fail, CancelToken(LATE))
    assert sorted(called) == ["shard 1", "shard 2"]


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[ScriptedServer]:
    """A server with a certificate of the authority in the file `ca`."""
    authority = CertificateAuthority()
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    authority.issue().write(certificate, key)
    (tmp_path / "ca").write_bytes(authority.certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with ScriptedServer([answer(b"a"), answer(b"b")], tls=context) as server:
        yield server


def test_tls_with_a_trusted_authority(tls_server: ScriptedServer, tmp_path: Path) -> None:
    shard = shard_of(tls_server, scheme="clickhouses", options=f"?ca={tmp_path / 'ca'}")
    assert [shard.select(ONE, CancelToken(LATE)) for _ in range(2)] == [b"a", b"b"]
    assert tls_server.connection_count == 1


def test_tls_with_another_authority(tls_server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "ca").write_bytes(CertificateAuthority().certificate)
    shard = shard_of(tls_server, scheme="clickhouses", options=f"?ca={tmp_path / 'ca'}")
    with pytest.raises(StoreUnavailableError, match="shard 1 does not answer"):
        shard.select(ONE, CancelToken(LATE))
    assert tls_server.requests == []


def test_rows_are_texts_without_escapes() -> None:
    head = b"X-ClickHouse-Format: TabSeparated\r\n"
    with ScriptedServer([answer(b"1\ta\\tb\\\\n\n\\N\t\n", head)]) as server:
        rows = shard_of(server).rows(ONE, CancelToken(LATE))
    assert rows == [["1", "a\tb\\n"], [r"\N", ""]]


def test_a_thread_that_waits_for_a_task_keeps_nothing_of_the_one_before() -> None:
    class Task:
        def __call__(self) -> None:
            done.release()

    workers, done = Workers(), threading.Semaphore(0)
    _opened.callback(workers.close)
    for _ in range(2):
        task = Task()
        kept = weakref.ref(task)
        workers.run(task)
        del task
        done.acquire()
        wait_until(lambda: kept() is None, "the end of the task")  # noqa: B023
