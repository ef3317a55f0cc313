"""A writer keeps the order of its batches, and joins records of days that are neighbours."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from pegcount import core
from pegcount.config import Config, LiveConfig
from pegcount.errors import (
    DeadlineError,
    OverloadedError,
    PegcountError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.writing import commit, group_commit
from pegcount.store.clickhouse.writing.commit import Commit, DayChains
from pegcount.store.clickhouse.writing.group_commit import GroupCommit, RuleSource
from pegcount.store.clickhouse.writing.writer import LedgerWriter
from pegcount.v1 import records_pb2

from clickhouse import databases
from clickhouse.rig import Rig

NOW_US = 1_775_000_000_000_000
_DAY_US = 86_400_000_000
CONFIG = Config()
Request = records_pb2.WriteRecordsRequest


def no_rules(_: core.CancelToken) -> core.LedgerRules:
    return core.LedgerRules(bytes(16), [], None, 0, [], [])


class Place:
    """A database of a cluster, and writers over it, as of several servers."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.database = databases.take(rig)
        self._opened = ExitStack()
        self.keys = databases.keys_of(rig, self.database)

    def commits(self, rules: RuleSource = no_rules) -> GroupCommit:
        return GroupCommit(self._cluster(), self.keys, rules, CONFIG.counted_source_count_max)

    def writer(self, commits: GroupCommit | None = None, config: Config = CONFIG) -> LedgerWriter:
        writer = LedgerWriter(commits or self.commits(), LiveConfig(config), lambda: NOW_US, lambda: 0)
        self._opened.callback(writer.close)
        return writer

    def ask(self, statement: str) -> list[list[str]]:
        """Returns the rows of all shards."""
        answers = self.rig.ask(statement, database=self.database)
        return [line.split("\t") for answer in answers for line in answer.splitlines()]

    def record_count(self) -> int:
        return sum(int(count) for (count,) in self.ask("SELECT sum(sign) FROM ledger WHERE state < 9"))

    def close(self) -> None:
        self._opened.close()
        databases.give_back(self.rig, self.database)

    def _cluster(self) -> Cluster:
        cluster = Cluster(ClusterAddress.parse(self.rig.url(self.database)), 30.0)
        self._opened.callback(cluster.close)
        return cluster


@pytest.fixture
def place(cluster: Rig) -> Iterator[Place]:
    place = Place(cluster)
    yield place
    place.close()


@pytest.mark.parametrize(
    ("stored_days", "days"),
    [
        pytest.param((), (0, 1), id="two new records"),
        pytest.param((0, 1), (2, 3), id="an extended record and a new one"),
        pytest.param((0, 1, 5, 4), (2, 3), id="two extended records"),
    ],
)
def test_two_writers_make_one_record_at_the_same_time_on_days_that_are_neighbours(
    place: Place, monkeypatch: pytest.MonkeyPatch, stored_days: Sequence[int], days: Sequence[int]
) -> None:
    for chains in place.commits().chains:
        for day in range(6):
            chains.open(NOW_US // _DAY_US + day, core.CancelToken(None))
    for day in stored_days:
        place.writer().submit(batch_of(day=day), core.CancelToken(None)).wait()
    commit_in_step(monkeypatch, len(days))
    writers = [place.writer() for _ in days]
    pending = [
        writer.submit(batch_of(day=day), core.CancelToken(None))
        for writer, day in zip(writers, days, strict=True)
    ]
    for each in pending:
        each.wait()
    assert place.record_count() == 1


def commit_in_step(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Has the first commits begin when as many writers as given have planned theirs."""
    token_of, numbers, all_planned = commit.commit_token, itertools.count(), threading.Barrier(count)

    def token_in_step(*of_commit: int) -> str:
        if next(numbers) < count:
            all_planned.wait(30.0)
        return token_of(*of_commit)

    monkeypatch.setattr(commit, "commit_token", token_in_step)


def _of_days(day_count: int) -> Request:
    request = Request()
    for day in range(day_count):
        request.MergeFromString(batch_of(f"call-{day}", day))
    return request


@pytest.mark.parametrize("are_days_open", [False, True])
def test_the_days_of_one_batch_do_not_wait_for_each_other(
    place: Place, monkeypatch: pytest.MonkeyPatch, are_days_open: bool
) -> None:
    request = _of_days(40)
    for chains in place.commits().chains if are_days_open else ():
        for day in range(40):
            chains.open(NOW_US // _DAY_US + day, core.CancelToken(None))
    # More than shards, whose commits are made at the same time in any case.
    commit_in_step(monkeypatch, 2 * len(place.rig.servers) + 1)
    outcome = place.writer().submit(request.SerializeToString(), core.CancelToken(None)).wait()
    assert outcome.accepted == 40
    assert place.record_count() == 40


def test_what_one_commit_removes_is_in_another_one_before(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version between two records makes them one, of the first day."""
    stored, joining = Request(), Request()
    for number in range(10):
        stored.MergeFromString(batch_of(f"call-{number}", 3 * number))
        stored.MergeFromString(batch_of(f"call-{number}", 3 * number + 2))
        joining.MergeFromString(batch_of(f"call-{number}", 3 * number + 1))
    writer = place.writer()
    assert writer.submit(stored.SerializeToString(), core.CancelToken(None)).wait().accepted == 20
    made: list[int] = []
    make = DayChains.make

    def noted(chains: DayChains, commit: Commit, cancel_token: core.CancelToken) -> bool:
        is_made = make(chains, commit, cancel_token)
        made.append(commit.day - NOW_US // _DAY_US)
        return is_made

    monkeypatch.setattr(DayChains, "make", noted)
    assert writer.submit(joining.SerializeToString(), core.CancelToken(None)).wait().replaced == 10
    assert place.record_count() == 10
    assert all(made.index(3 * number) < made.index(3 * number + 2) for number in range(10))


def test_the_time_of_a_batch_counts_from_the_last_day_that_it_made_durable(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_days, make = list[int](), DayChains.make

    def slow(chains: DayChains, commit: Commit, cancel_token: core.CancelToken) -> bool:
        made_days.append(commit.day)
        return make(chains, commit, cancel_token)

    monkeypatch.setattr(DayChains, "make", slow)
    monkeypatch.setattr(group_commit, "time", SimpleNamespace(monotonic=lambda: 0.3 * len(made_days)))
    pending = place.writer().submit(_of_days(40).SerializeToString(), core.CancelToken(None))
    assert pending.wait().accepted == 40
    assert 0.3 * len(made_days) > 2 * CONFIG.ledger_commit_seconds_max


def test_batches_of_one_caller_keep_their_order(place: Place) -> None:
    writer, pending = place.writer(), []
    for revision in range(8):
        request = Request()
        record = request.records.add(source="switch", session_id="call", revision=revision)
        record.setup_time.FromMicroseconds(NOW_US)
        record.account_id = f"account-{revision}"
        pending.append(writer.submit(request.SerializeToString(), core.CancelToken(None)))
    outcomes = [each.wait() for each in pending]
    assert [(each.accepted, each.replaced) for each in outcomes] == [(1, 0), *[(0, 1)] * 7]


def test_batches_that_were_submitted_are_stored_when_the_writer_is_closed(place: Place) -> None:
    writer = place.writer()
    pending = [writer.submit(batch_of(f"call-{number}"), core.CancelToken(None)) for number in range(3)]
    writer.close()
    assert [each.wait().accepted for each in pending] == [1, 1, 1]
    with pytest.raises(StoreReadOnlyError):
        writer.submit(b"", core.CancelToken(None))


class Gate:
    """Rules that come when the gate opens."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.asked = threading.Event()
        self._free_count = 0

    def close_after(self, count: int) -> None:
        """Closes the gate for whoever comes after some others."""
        self.asked.clear()
        self.opened.clear()
        self._free_count = count

    def __call__(self, cancel_token: core.CancelToken) -> core.LedgerRules:
        if self._free_count > 0:
            self._free_count -= 1
            return no_rules(cancel_token)
        self.asked.set()
        self.opened.wait()
        return no_rules(cancel_token)


def batch_of(session_id: str = "call", day: int = 0) -> bytes:
    request = Request()
    record = request.records.add(source="switch", session_id=session_id)
    record.setup_time.FromMicroseconds(NOW_US + day * _DAY_US)
    return request.SerializeToString()


def _of_revision(revision: int) -> bytes:
    request = Request.FromString(batch_of())
    request.records[0].revision = revision
    request.records[0].account_id = f"account-{revision}"
    return request.SerializeToString()


def test_a_wait_ends_with_its_deadline_and_the_batch_is_stored_later(place: Place) -> None:
    gate = Gate()
    writer = place.writer(place.commits(gate))
    pending = writer.submit(batch_of(), core.CancelToken(0.1))
    begin_s = time.monotonic()
    with pytest.raises(DeadlineError):
        pending.wait()
    assert time.monotonic() - begin_s < 10.0
    gate.opened.set()
    assert writer.submit(batch_of(), core.CancelToken(None)).wait().duplicates == 1


def test_a_writer_that_stood_still_takes_no_number_that_the_server_has_forgotten(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused_seconds, gate = [0.0], Gate()
    clocks = SimpleNamespace(
        monotonic=time.monotonic, sleep=time.sleep, time=lambda: time.time() + paused_seconds[0]
    )
    monkeypatch.setattr(commit, "time", clocks)
    place.writer().submit(batch_of(), core.CancelToken(None)).wait()
    place.ask("ALTER TABLE ledger MODIFY SETTING non_replicated_deduplication_window = 3")
    gate.opened.set()
    commits = place.commits(gate)
    writer = place.writer(commits)
    writer.submit(batch_of(), core.CancelToken(None)).wait()
    gate.close_after(1)
    pending = writer.submit(_of_revision(9), core.CancelToken(None))
    assert gate.asked.wait(20.0)
    for revision in range(1, 7):
        place.writer().submit(_of_revision(revision), core.CancelToken(None)).wait()
    paused_seconds[0] = 3_600.0
    gate.opened.set()
    assert pending.wait().replaced == 1
    assert commits.lost_count > 0
    markers = "SELECT day FROM ledger WHERE state = 9 GROUP BY day, key_hash HAVING count() > 1"
    assert place.ask(markers) == []
    rows = "SELECT account_id, sum(sign) FROM ledger WHERE state < 9 GROUP BY 1 HAVING sum(sign) != 0"
    assert place.ask(rows) == [["account-9", "1"]]


def test_a_writer_that_has_lost_often_waits_less_than_one_that_comes_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [0.0]

    def sleep(seconds: float) -> None:
        now_s[0] += seconds

    monkeypatch.setattr(commit, "time", SimpleNamespace(monotonic=lambda: now_s[0], sleep=sleep))

    def seconds_of(loss_count: int) -> float:
        begin_s = now_s[0]
        for _ in range(200):
            commit.pause_after_loss(loss_count, core.CancelToken(None))
        return now_s[0] - begin_s

    assert seconds_of(1) < seconds_of(2) < seconds_of(3)
    assert seconds_of(10) < seconds_of(1)


def test_a_full_queue_refuses_a_batch(place: Place) -> None:
    gate = Gate()
    writer = place.writer(place.commits(gate), Config(waiting_bytes_max=len(batch_of())))
    pending = [writer.submit(batch_of(), core.CancelToken(None))]
    gate.asked.wait()
    pending.append(writer.submit(batch_of(), core.CancelToken(None)))
    with pytest.raises(OverloadedError) as refused:
        writer.submit(batch_of(), core.CancelToken(None))
    assert refused.value.retry_seconds > 0
    gate.opened.set()
    assert [each.wait().accepted for each in pending] == [1, 0]


def test_nothing_is_acknowledged_while_a_shard_is_away(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        place = Place(rig)
        writer = place.writer(config=Config(ledger_commit_seconds_max=3.0))
        requests = [batch_of(f"call-{number}") for number in range(20)]
        rig.servers[1].kill()
        pending = [writer.submit(each, core.CancelToken(None)) for each in requests]
        failures = [_failure_of(each.wait) for each in pending]
        assert any(failures)
        assert {type(each) for each in failures} <= {StoreUnavailableError, type(None)}
        assert writer.fault is not None
        rig.servers[1].start()
        outcomes = [writer.submit(each, core.CancelToken(None)).wait() for each in requests]
        assert writer.fault is None
        assert all(each.accepted + each.duplicates == 1 for each in outcomes)
        assert place.record_count() == len(requests)
        place.close()


def _failure_of(function: Callable[[], object]) -> PegcountError | None:
    try:
        function()
    except PegcountError as error:
        return error
    return None
