"""What each step of a commit is for: without it, a race that is exact otherwise leaves wrong records.

So the race model can fail. That it fails without compare and swap is tested beside it.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from pegcount import core
from pegcount.errors import StoreReadOnlyError
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.clickhouse.writing.commit import Commit, DayChains, empty_commit

from clickhouse.rig import LONG, Rig
from clickhouse.test_writer import NOW_US, Place, Request, commit_in_step, no_rules

DAY_US = 86_400_000_000
FIRST_DAY = NOW_US // DAY_US
NO_LIMIT = core.CancelToken(None)
FAULT = pytest.mark.parametrize("has_fault", [False, True], ids=["as it is", "with the fault"])


@pytest.fixture
def place(cluster: Rig) -> Iterator[Place]:
    place = Place(cluster)
    for chains in place.commits().chains:
        for day in range(3):
            chains.open(FIRST_DAY + day, NO_LIMIT)
    yield place
    place.close()


def version(day: int = 0, revision: int = 0, *, account: str = "", has_answer: bool = False) -> bytes:
    """A batch with a version of one session, which has not ended."""
    request = Request()
    record = request.records.add(source="switch", session_id="call", revision=revision)
    record.setup_time.FromMicroseconds(NOW_US + day * DAY_US)
    if account:
        record.account_id = account
    if has_answer:
        record.answer_time.FromMicroseconds(NOW_US + day * DAY_US + 1)
    return request.SerializeToString()


def write_together(place: Place, monkeypatch: pytest.MonkeyPatch, *batches: bytes) -> None:
    """Writes batches by a writer each, whose first commits begin when all are planned."""
    commit_in_step(monkeypatch, len(batches))
    pending = [place.writer().submit(batch, NO_LIMIT) for batch in batches]
    for each in pending:
        each.wait()


def records(place: Place) -> list[list[str]]:
    """The account of each record, whether it was answered, and how often it is there."""
    return place.ask(
        "SELECT account_id, answer_time > 0 AS answered, sum(sign) FROM ledger WHERE state < 9"
        " GROUP BY account_id, answered HAVING sum(sign) != 0 ORDER BY ALL"
    )


@FAULT
def test_neighbouring_days_are_looked_at_after_a_commit(
    place: Place, monkeypatch: pytest.MonkeyPatch, has_fault: bool
) -> None:
    rows = Shard.rows

    def blind(shard: Shard, query: Query, token: core.CancelToken) -> list[list[str]]:
        return [] if "HAVING sum(sign) > 1" in query.text else rows(shard, query, token)

    if has_fault:
        monkeypatch.setattr(Shard, "rows", blind)
    write_together(place, monkeypatch, version(0), version(1))
    assert place.record_count() == 1 + has_fault


@FAULT
def test_rows_are_read_after_the_heads(
    place: Place, monkeypatch: pytest.MonkeyPatch, has_fault: bool
) -> None:
    """With the fault, a writer that has lost reads the head again, and decides by the rows of before."""
    place.writer().submit(version(), NO_LIMIT).wait()
    select, answers = Shard.select, dict[tuple[Shard, str], bytes]()

    def old(shard: Shard, query: Query, token: core.CancelToken) -> bytes:
        key = (shard, str(query.parameters))
        if key not in answers:
            answers[key] = select(shard, query, token)
        return answers[key]

    if has_fault:
        monkeypatch.setattr(Shard, "select", old)
    write_together(place, monkeypatch, version(0, 1, account="A"), version(0, 2, has_answer=True))
    assert (records(place) == [["A", "1", "1"]]) is not has_fault


class LateRule:
    """Rules among which a deletion comes when a group has read its first ones."""

    def __init__(self, place: Place, has_fault: bool) -> None:
        self._chains = place.commits().chains
        self._has_fault = has_fault
        self._rules = no_rules(NO_LIMIT)
        self.is_due = False

    def __call__(self, cancel_token: core.CancelToken) -> core.LedgerRules:
        before = self._rules
        if self.is_due:
            self.is_due = False
            deletion = core.DeletionRule(1, None, None, None, ["call"])
            rules = core.LedgerRules(bytes(16), [], None, 0, [deletion], [])
            self._rules = before if self._has_fault else rules
            for chains in self._chains:
                for day in range(3):
                    chains.bump(FIRST_DAY + day, cancel_token)
        return before


@FAULT
def test_rules_are_read_after_the_heads(place: Place, has_fault: bool) -> None:
    """Whoever reads a head from after the empty commits that follow a rule is held to that rule."""
    rules = LateRule(place, has_fault)
    writer = place.writer(place.commits(rules))
    rules.is_due = True
    outcome = writer.submit(version(), NO_LIMIT).wait()
    assert (outcome.accepted, place.record_count()) == (has_fault, has_fault)


@pytest.mark.parametrize(
    ("rows", "is_exact"),
    [
        pytest.param("ORDER BY sign", True, id="as they are"),
        pytest.param("WHERE sign = 1", False, id="no row that cancels"),
        pytest.param("WHERE sign = -1 OR state = 9", False, id="no new row"),
        pytest.param("ORDER BY sign DESC", False, id="the row that cancels last"),
    ],
)
def test_a_change_cancels_the_old_row_and_adds_the_new_one(
    place: Place, monkeypatch: pytest.MonkeyPatch, rows: str, is_exact: bool
) -> None:
    place.writer().submit(version(account="A"), NO_LIMIT).wait()
    insert = Shard.insert

    def insert_others(shard: Shard, _: str, block: bytes, cancel_token: core.CancelToken, **__: Any) -> None:
        shard.run("CREATE TABLE tampered ENGINE = Memory AS SELECT * FROM ledger WHERE 0", cancel_token)
        insert(shard, "tampered", block, cancel_token)
        shard.run(f"INSERT INTO ledger SELECT * FROM tampered {rows}", cancel_token)

    monkeypatch.setattr(Shard, "insert", insert_others)
    place.writer().submit(version(0, 1, has_answer=True), NO_LIMIT).wait()
    found = [records(place)]
    place.ask("OPTIMIZE TABLE ledger FINAL")
    found.append(records(place))
    assert (found == [[["A", "1", "1"]]] * 2) is is_exact


@FAULT
def test_a_record_of_two_days_is_added_before_it_is_removed(
    place: Place, monkeypatch: pytest.MonkeyPatch, has_fault: bool
) -> None:
    """The writer dies between both commits."""
    for batch in (version(0), version(2, has_answer=True)):
        place.writer().submit(batch, NO_LIMIT).wait()
    make, is_removed = DayChains.make, threading.Event()

    def make_and_die(chains: DayChains, commit: Commit, cancel_token: core.CancelToken) -> bool:
        if has_fault and commit.day == FIRST_DAY:
            is_removed.wait(20.0)
        else:
            assert make(chains, commit, cancel_token)
            is_removed.set()
        raise StoreReadOnlyError("the writer is dead")

    if has_fault:
        monkeypatch.setattr(core, "LedgerGroup", WithoutOrder)
    monkeypatch.setattr(DayChains, "make", make_and_die)
    with pytest.raises(StoreReadOnlyError):
        place.writer().submit(version(1), NO_LIMIT).wait()
    answered = sum(int(count) for _, answer, count in records(place) if answer == "1")
    assert (answered > 0) is not has_fault


class WithoutOrder:
    """A group whose commits follow no others."""

    def __init__(self, *arguments: Any) -> None:
        self._group = GROUP(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)

    def plan(self, *arguments: Any, **named: Any) -> Any:
        plan = self._group.plan(*arguments, **named)
        commits = [
            SimpleNamespace(day=each.day, seq=each.seq, rows=each.rows, after=[]) for each in plan.commits
        ]
        return SimpleNamespace(unknown_days=plan.unknown_days, commits=commits)


GROUP: Callable[..., core.LedgerGroup] = core.LedgerGroup


@pytest.mark.skipif(not LONG, reason="the server waits 30 s")
def test_an_insert_that_stands_still_is_ended_by_the_server(place: Place) -> None:
    """A frozen writer with half of its insert on the way: nothing of it lands when it goes on."""
    rows = empty_commit(FIRST_DAY, 2).rows
    with socket.create_connection(("127.0.0.1", place.rig.servers[0].port)) as connection:
        query = f"database={place.database}&async_insert=0&query=INSERT+INTO+ledger+FORMAT+Native"
        head = f"POST /?{query} HTTP/1.1\r\nHost: shard\r\nContent-Length: {len(rows)}\r\n\r\n"
        connection.sendall(head.encode() + rows[:-10])
        connection.settimeout(40.0)
        begin_s = time.monotonic()
        assert b"SOCKET_TIMEOUT" in connection.makefile("rb").read()
        assert time.monotonic() - begin_s < 35
        with suppress(OSError):
            connection.sendall(rows[-10:])
    assert place.ask("SELECT seq FROM ledger WHERE seq > 1") == []
