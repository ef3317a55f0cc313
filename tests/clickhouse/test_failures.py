"""Drills: servers that die, freeze or refuse, and how soon their callers learn of it.

`make test-clickhouse` prints the status and the time of each. A call ends by its deadline plus 1 s at most.
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from time import monotonic

import pytest
from certificate_authority import LOOPBACK_NAMES, CertificateAuthority
from cryptography import x509
from pegcount.core import CancelToken
from pegcount.errors import CancelledError, StoreOpenError, WriteFateUnknownError
from pegcount.store.clickhouse.tables.servers import facts_of, require_usable_server
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from waiting import at_best, wait_until

from clickhouse.conftest import Drill
from clickhouse.during import during
from clickhouse.rig import Rig, Server
from clickhouse.scripted_server import ScriptedServer, answer

LONG_SECONDS = 30.0
"""A deadline that the drills never reach."""
SILENT_SECONDS_MAX = 4.5
"""A server that does not answer is asked for a sign of life after 1 s, which it has 2 s for."""
GRACE_SECONDS = 1.0
ENDLESS = Query("SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))")
ONE = Query("SELECT 1")
ONE_ROW = b"\x01\x01\x01n\x05Int64" + (7).to_bytes(8, "little")
"""A Native block of one column n."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Servers of these tests alone: they do not live long."""
    with Rig(tmp_path_factory.mktemp("drills")) as rig:
        yield rig


@pytest.fixture
def shards(rig: Rig) -> Iterator[Cluster]:
    """The cluster of both servers, which are there again for the next test."""
    cluster = cluster_of(rig)
    yield cluster
    cluster.close()
    for server in rig.servers:
        if server.is_running():
            server.thaw()
        else:
            server.stop()
            server.start()


@pytest.fixture
def second(rig: Rig) -> Server:
    """The server that fails."""
    return rig.servers[1]


def cluster_of(rig: Rig, database: str = "default", password: str | None = None) -> Cluster:
    return Cluster(ClusterAddress.parse(rig.url(database), password), LONG_SECONDS)


def running(server: Server) -> int:
    """How many endless queries a server runs."""
    return int(server.ask("SELECT count() FROM system.processes WHERE query LIKE '%ignore(sipHash64%'")) - 1


# ---- Servers that are not there ----


def test_shard_is_dead(shards: Cluster, second: Server, drill: Drill) -> None:
    second.kill()
    error = drill.fail(lambda: shards.ask_all(ONE, CancelToken(LONG_SECONDS)), "UNAVAILABLE", GRACE_SECONDS)
    assert str(error) == "shard 2 does not answer"


def test_shard_dies_before_the_next_call(shards: Cluster, second: Server, drill: Drill) -> None:
    shards.ask_all(ONE, CancelToken(LONG_SECONDS))
    second.kill()
    drill.fail(lambda: shards.ask_all(ONE, CancelToken(LONG_SECONDS)), "UNAVAILABLE", GRACE_SECONDS)


def test_shard_is_killed_during_a_select(shards: Cluster, second: Server, drill: Drill) -> None:
    select = during(
        lambda: running(second), second.kill, lambda: shards.ask_all(ENDLESS, CancelToken(LONG_SECONDS))
    )
    drill.fail(select, "UNAVAILABLE", GRACE_SECONDS * 3)


def test_shard_that_starts_again_answers(shards: Cluster, second: Server, drill: Drill) -> None:
    shards.ask_all(ONE, CancelToken(LONG_SECONDS))
    second.restart()
    start_s = monotonic()
    assert len(shards.ask_all(ONE, CancelToken(LONG_SECONDS))) == 2
    drill.note("OK", monotonic() - start_s, "its connections are replaced")


# ---- Servers that hang ----


def test_frozen_shard_and_a_near_deadline(shards: Cluster, second: Server, drill: Drill) -> None:
    second.freeze()
    drill.fail(lambda: shards.ask_all(ONE, CancelToken(1.0)), "DEADLINE_EXCEEDED", 1.0 + GRACE_SECONDS)


def test_frozen_shard_and_a_far_deadline(shards: Cluster, second: Server, drill: Drill) -> None:
    second.freeze()
    select = lambda: shards.ask_all(ONE, CancelToken(LONG_SECONDS))  # noqa: E731
    error = drill.fail(select, "UNAVAILABLE", SILENT_SECONDS_MAX)
    assert str(error) == "shard 2 does not answer"


def test_shard_freezes_during_a_select(shards: Cluster, second: Server, drill: Drill) -> None:
    select = during(
        lambda: running(second), second.freeze, lambda: shards.ask_all(ENDLESS, CancelToken(LONG_SECONDS))
    )
    drill.fail(select, "UNAVAILABLE", SILENT_SECONDS_MAX + GRACE_SECONDS)


def test_shard_freezes_during_a_select_with_a_near_deadline(
    shards: Cluster, second: Server, drill: Drill
) -> None:
    select = during(lambda: running(second), second.freeze, lambda: shards.ask_all(ENDLESS, CancelToken(2.0)))
    drill.fail(select, "DEADLINE_EXCEEDED", 2.0 + GRACE_SECONDS)


def test_slow_shard_and_a_near_deadline(shards: Cluster, drill: Drill) -> None:
    drill.fail(lambda: shards.ask_all(ENDLESS, CancelToken(1.0)), "DEADLINE_EXCEEDED", 1.0 + GRACE_SECONDS)


def test_slow_shard_that_shows_life_is_waited_for(shards: Cluster, drill: Drill) -> None:
    start_s = monotonic()
    slow = Query("SELECT sleep(3) + sleep(1.5) + 7")
    assert shards.shards[1].rows(slow, CancelToken(LONG_SECONDS)) == [["7"]]
    drill.note("OK", monotonic() - start_s, "it answers pings meanwhile")


# ---- Limits of a server ----


def test_memory_limit(shards: Cluster, drill: Drill) -> None:
    text = "SELECT number, count() FROM numbers(10000000) GROUP BY number"
    settings = {"max_memory_usage": 50_000_000, "max_bytes_ratio_before_external_group_by": 0}
    greedy = Query(text, settings=settings)
    select = lambda: shards.ask_all(greedy, CancelToken(LONG_SECONDS))  # noqa: E731
    error = drill.fail(select, "RESOURCE_EXHAUSTED", LONG_SECONDS)
    assert "MEMORY" not in str(error)


def test_max_execution_time(shards: Cluster, drill: Drill) -> None:
    endless = Query(ENDLESS.text, settings={"max_execution_time": 1})
    drill.fail(lambda: shards.ask_all(endless, CancelToken(LONG_SECONDS)), "DEADLINE_EXCEEDED", 3.0)


@pytest.mark.parametrize(
    ("mode", "limit", "value"),
    [
        ("timeout", "max_execution_time", 1),
        ("read", "max_rows_to_read", 1_000_000),
        ("result", "max_result_rows", 5),
    ],
)
def test_profile_that_breaks_off_is_overruled(
    shards: Cluster, drill: Drill, mode: str, limit: str, value: int
) -> None:
    """Such a profile has a server answer with the rows that it has by then, as if they were all."""
    count = 10**12 if mode == "timeout" else 10**7
    text = f"SELECT number % 10 AS k, sum(number) FROM numbers({count}) GROUP BY k"
    rows = Query(text, settings={f"{mode}_overflow_mode": "break", limit: value})
    status = "DEADLINE_EXCEEDED" if mode == "timeout" else "INTERNAL"
    drill.fail(lambda: shards.ask_all(rows, CancelToken(LONG_SECONDS)), status, LONG_SECONDS)


def test_too_many_parts(shards: Cluster, second: Server, drill: Drill) -> None:
    second.ask(
        "CREATE TABLE full (n Int64) ENGINE = MergeTree ORDER BY n"
        " SETTINGS parts_to_throw_insert = 1, parts_to_delay_insert = 0"
    )
    second.ask("SYSTEM STOP MERGES full")
    shard, token = shards.shards[1], CancelToken(LONG_SECONDS)
    shard.insert("full", ONE_ROW, token)
    drill.fail(lambda: shard.insert("full", ONE_ROW, token), "RESOURCE_EXHAUSTED", GRACE_SECONDS * 3)
    assert second.ask("SELECT count() FROM full") == "1\n"
    second.ask("DROP TABLE full")


# ---- Callers that leave ----


def test_caller_leaves(shards: Cluster, rig: Rig, drill: Drill) -> None:
    left_s = [0.0]

    def seconds_until_left() -> float:
        token = CancelToken(LONG_SECONDS)

        def leave() -> None:
            wait_until(lambda: all(running(server) for server in rig.servers), "the queries")
            left_s[0] = monotonic()
            token.cancel()

        select = during(lambda: running(rig.servers[0]), leave, lambda: shards.ask_all(ENDLESS, token))
        with pytest.raises(CancelledError):
            select()
        seconds = monotonic() - left_s[0]
        wait_until(lambda: not any(running(server) for server in rig.servers), "the end of the queries")
        return seconds

    drill.note("CANCELLED", at_best(seconds_until_left, 0.25), "since the caller left")
    drill.note("CANCELLED", monotonic() - left_s[0], "since the caller left: no server runs the query")


# ---- Faults of what is asked, or of the setup ----


@pytest.mark.parametrize(("text", "code"), [("SELEC 1", 62), ("SELECT x", 47), ("SELECT 1 +", 62)])
def test_fault_of_a_statement(shards: Cluster, drill: Drill, text: str, code: int) -> None:
    ask = lambda: shards.ask_all(Query(text), CancelToken(LONG_SECONDS))  # noqa: E731
    error = drill.fail(ask, "INTERNAL", GRACE_SECONDS * 3)
    assert f"(code {code}, " in str(error)
    assert text not in str(error)


def test_missing_table(shards: Cluster, drill: Drill) -> None:
    ask = lambda: shards.ask_all(Query("SELECT * FROM nothing"), CancelToken(LONG_SECONDS))  # noqa: E731
    drill.fail(ask, "DATA_LOSS", GRACE_SECONDS * 3)


def test_wrong_password(rig: Rig, drill: Drill) -> None:
    with closing(cluster_of(rig, password="hunter2")) as cluster:
        error = drill.fail(lambda: cluster.ask_all(ONE, CancelToken(LONG_SECONDS)), "UNAVAILABLE", 3.0)
    # Both refuse, and which of their answers comes first is chance.
    refusal = "shard [12] does not accept the user or the password that this server has for it"
    assert re.fullmatch(refusal, str(error))
    assert "hunter2" not in repr(error)


def test_wrong_password_of_an_insert(rig: Rig, drill: Drill) -> None:
    """The server closes the connection before it has read the rows, and its answer counts."""
    block = ONE_ROW * 1_000_000
    with closing(cluster_of(rig, password="hunter2")) as cluster:
        insert = partial(cluster.shards[0].insert, "t", block, CancelToken(LONG_SECONDS))
        drill.fail(insert, "UNAVAILABLE", 3.0)


def test_missing_database(rig: Rig, drill: Drill) -> None:
    with closing(cluster_of(rig, database="nothing")) as cluster:
        drill.fail(lambda: cluster.ask_all(ONE, CancelToken(LONG_SECONDS)), "DATA_LOSS", 3.0)


@pytest.mark.parametrize(
    "said",
    [
        answer(b"18.16.1\t1774872000000000\t\n", b"X-ClickHouse-Format: TabSeparated\r\n"),
        b"HTTP/1.1 500 Error\r\nContent-Length: 28\r\n\r\nCode: 115, e.displayText() =",
    ],
    ids=["that answers", "that knows fewer settings"],
)
def test_server_of_an_old_version(drill: Drill, said: bytes) -> None:
    start_s = monotonic()
    with ScriptedServer([said]) as server:
        url = f"clickhouse://{server.address}/calls"
        with closing(Cluster(ClusterAddress.parse(url), LONG_SECONDS)) as cluster:
            (shard,) = cluster.shards
            with pytest.raises(StoreOpenError, match="Pegcount needs") as caught:
                require_usable_server(shard, facts_of(shard, CancelToken(LONG_SECONDS)))
    drill.note("does not start", monotonic() - start_s, str(caught.value))


@pytest.mark.parametrize("fault", ["the name of another host", "another authority"])
def test_certificate_with(tmp_path: Path, drill: Drill, fault: str) -> None:
    authority, other = CertificateAuthority(), CertificateAuthority()
    is_another_name = fault == "the name of another host"
    names = (x509.DNSName("h9.example"),) if is_another_name else LOOPBACK_NAMES
    certificate, key, ca = tmp_path / "certificate", tmp_path / "key", tmp_path / "ca"
    authority.issue(names).write(certificate, key)
    ca.write_bytes((authority if is_another_name else other).certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with ScriptedServer([answer(b"rows")], tls=context) as server:
        cluster = Cluster(ClusterAddress.parse(f"clickhouses://{server.address}/calls?ca={ca}"), LONG_SECONDS)
        drill.fail(lambda: cluster.ask_all(ONE, CancelToken(LONG_SECONDS)), "UNAVAILABLE", GRACE_SECONDS)
        assert server.requests == [], "nothing is sent to it"


# ---- Writes ----


@pytest.fixture
def table(second: Server, shards: Cluster) -> str:
    """A table on the server that fails; `shards` has the server back when this ends."""
    assert len(shards.shards) == 2
    second.ask("DROP TABLE IF EXISTS written SYNC")
    second.ask(
        "CREATE TABLE written (n Int64) ENGINE = MergeTree ORDER BY n SETTINGS"
        " non_replicated_deduplication_window = 100, fsync_after_insert = 1, fsync_part_directory = 1"
    )
    return "written"


def insert(shards: Cluster, table: str, seconds: float = LONG_SECONDS) -> None:
    shards.shards[1].insert(table, ONE_ROW, CancelToken(seconds), token="1:1")


def count(server: Server) -> int:
    return int(server.ask("SELECT count() FROM written"))


def test_insert_into_a_dead_shard(shards: Cluster, table: str, second: Server, drill: Drill) -> None:
    second.kill()
    error = drill.fail(lambda: insert(shards, table), "UNAVAILABLE", GRACE_SECONDS)
    assert not isinstance(error, WriteFateUnknownError), "nothing was sent"


def test_insert_into_a_shard_that_dies_before_it_reads(
    shards: Cluster, table: str, second: Server, drill: Drill
) -> None:
    second.freeze()
    call = during(lambda: second.unread_bytes() > 0, second.kill, lambda: insert(shards, table))
    error = drill.fail(call, "UNAVAILABLE", GRACE_SECONDS)
    assert isinstance(error, WriteFateUnknownError)


@pytest.mark.parametrize("seconds", [1.0, LONG_SECONDS])
def test_insert_into_a_frozen_shard_is_there_later_and_once(
    shards: Cluster, table: str, second: Server, drill: Drill, seconds: float
) -> None:
    is_late = seconds == LONG_SECONDS
    second.freeze()
    error = drill.fail(
        lambda: insert(shards, table, seconds),
        "UNAVAILABLE" if is_late else "DEADLINE_EXCEEDED",
        SILENT_SECONDS_MAX if is_late else seconds + GRACE_SECONDS,
    )
    assert isinstance(error, WriteFateUnknownError) == is_late
    second.thaw()
    wait_until(lambda: count(second) == 1, "the row")
    insert(shards, table)
    assert count(second) == 1


def test_insert_after_a_restart_needs_no_second_try(
    shards: Cluster, table: str, second: Server, drill: Drill
) -> None:
    insert(shards, table)
    second.restart()
    start_s = monotonic()
    shards.shards[1].insert(table, ONE_ROW, CancelToken(LONG_SECONDS), token="1:2")
    drill.note("OK", monotonic() - start_s, "its connection is replaced before anything is sent")
    assert count(second) == 2
