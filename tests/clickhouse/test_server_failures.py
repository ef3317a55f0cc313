"""Drills of a whole server: what its callers are told, and how soon, while a shard is away or refuses.

`make test-clickhouse` prints the status and the time of each. A call ends by its deadline plus 1 s at most,
and no answer lacks the part of a shard.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount.config import Config
from pegcount.store.clickhouse.tables.ledger_table import MARKER
from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import SessionKind
from server_tests.example_requests import (
    ASK_ACTIVE,
    ASK_FOLDER,
    ASK_QUALITY,
    ASK_USAGE,
    SETUP_S,
    active_record,
    call_record,
)
from server_tests.refusal import Refusal, refusal
from service import Service
from waiting import wait_until

from clickhouse.conftest import BUSY_SECONDS, Drill
from clickhouse.during import during
from clickhouse.rig import LONG, Rig, Server
from clickhouse.test_two_servers import PLACE, OneCluster

SHORT_SECONDS = 2.0
"""A deadline that ends before the server notices that a shard is frozen."""
LONG_SECONDS = 30.0
"""A deadline that the drills never reach."""
GRACE_SECONDS = 1.0
SILENT_SECONDS_MAX = 4.5
"""A shard that does not answer is asked for a sign of life after 1 s, which it has 2 s for."""
CONFIG = Config(ledger_commit_seconds_max=4.0)
MEMORY_BYTES = 600_000_000
RECORD_COUNT = 40
WEEK_S = 604_800
REPORTS = {
    "QueryAsrUsage": ASK_USAGE,
    "QueryActiveSessions": ASK_ACTIVE,
    "QueryFolderStats": ASK_FOLDER,
    "QueryOriginationQuality": ASK_QUALITY,
}
ENDLESS = "SELECT toInt8(1) FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"
GREEDY = "SELECT toInt8(uniqExact(number) > 0) FROM numbers(1000000000)"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Servers of these tests alone: they do not live long."""
    with Rig(tmp_path_factory.mktemp("server-drills"), memory_bytes=MEMORY_BYTES) as rig:
        yield rig


@dataclass
class Drilled:
    """One server of Pegcount, which outlives all drills, and its cluster."""

    service: Service
    rig: Rig
    database: str
    answers: dict[str, Message]
    """What each report says while all shards are there."""

    @property
    def second(self) -> Server:
        """The shard that fails."""
        return self.rig.servers[1]

    def report(self, name: str, seconds: float = LONG_SECONDS) -> Any:
        return getattr(self.service.reports, name)(REPORTS[name], timeout=seconds)

    def usage(self, seconds: float = LONG_SECONDS) -> Any:
        return self.report("QueryAsrUsage", seconds)

    def write(self, session_id: str, seconds: float = LONG_SECONDS) -> Any:
        """Sends a batch that has records of both shards, which no report counts, and returns its answer."""
        times = {
            name: Timestamp(seconds=SETUP_S - WEEK_S) for name in ("setup_time", "answer_time", "end_time")
        }
        records = [call_record(f"{session_id}-{number}", **times) for number in range(20)]
        requests = iter([records_pb2.WriteRecordsRequest(batch_id=session_id, records=records)])
        return next(self.service.records.WriteRecords(requests, timeout=seconds))

    def is_serving(self, name: str) -> bool:
        stub = health_pb2_grpc.HealthStub(self.service.channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def make_ledger(self, subquery: str) -> None:
        """Has the second shard run a subquery, which returns 1, in each select of the ledger."""
        self.second.ask(f"RENAME TABLE {self.database}.ledger TO {self.database}.kept")
        text = f"SELECT * FROM {self.database}.kept WHERE sign * sign IN ({subquery})"
        self.second.ask(f"CREATE VIEW {self.database}.ledger AS {text}")

    def restore(self) -> None:
        """Makes the second shard what it was before a drill."""
        if self.second.is_running():
            self.second.thaw()
        else:
            self.second.stop()
            self.second.start()
        if self.second.ask(f"EXISTS TABLE {self.database}.kept") == "1\n":
            # The background work of the server looks into the ledger as well, and holds the view.
            self.second.ask("KILL QUERY WHERE query LIKE '%FROM ledger%' SYNC")
            self.second.ask(f"DROP VIEW IF EXISTS {self.database}.ledger SYNC")
            self.second.ask(f"RENAME TABLE {self.database}.kept TO {self.database}.ledger")

    def running(self) -> int:
        """How many selects of reports the servers run; others ask for the markers of commits."""
        counts = self.rig.ask(
            "SELECT count() FROM system.processes WHERE query LIKE '%FROM ledger%'"
            f" AND query NOT LIKE '%system.processes%' AND query NOT LIKE '%state = {MARKER}%'"
        )
        return sum(map(int, counts))


@pytest.fixture(scope="module")
def served(rig: Rig) -> Iterator[Drilled]:
    stores = OneCluster(rig)
    with Service(PLACE, CONFIG, stores=stores) as service:
        asr, numbers = SessionKind.SESSION_KIND_ASR, range(RECORD_COUNT)
        service.write_all(call_record(f"finished {number}") for number in numbers)
        service.write_all(active_record(f"active {number}") for number in numbers)
        service.write_all(call_record(f"recognized {number}", kind=asr, app_id=7) for number in numbers)
        drilled = Drilled(service, rig, stores.database, {})
        drilled.answers = {name: drilled.report(name) for name in REPORTS}
        assert drilled.answers["QueryAsrUsage"].totals.session_count == RECORD_COUNT  # type: ignore[attr-defined]
        yield drilled


@pytest.fixture
def drilled(served: Drilled) -> Iterator[Drilled]:
    """All of it, working; after the drill the same server answers as before, without a restart."""
    yield served
    served.restore()
    assert {name: served.report(name) for name in REPORTS} == served.answers


def refused(
    drill: Drill, call: Callable[[], object], code: grpc.StatusCode, reason: str, seconds_max: float
) -> Refusal:
    """Makes a call that ends with the status within the time; nothing in it is a text of ClickHouse."""
    start_s = monotonic()
    found = refusal(call)
    seconds = monotonic() - start_s
    drill.note(found.code.name, seconds, f"{found.info.reason or 'by the client'}: {found.message}")
    assert found.code is code, found
    assert not found.info.reason or found.info.reason == reason, found
    assert seconds <= seconds_max + BUSY_SECONDS
    texts = (found.message, *found.metadata.values())
    assert not [text for text in texts for word in ("DB::", "SELECT", "version 2", "HTTP") if word in text]
    return found


def unreachable(drill: Drill, call: Callable[[], object], seconds_max: float) -> None:
    found = refused(drill, call, grpc.StatusCode.UNAVAILABLE, "STORE_UNREACHABLE", seconds_max)
    assert "shard 2" in found.message
    assert "RetryInfo" in found.detail_names


def too_late(drill: Drill, call: Callable[[], object], seconds: float) -> None:
    deadline = grpc.StatusCode.DEADLINE_EXCEEDED
    refused(drill, call, deadline, "DEADLINE_PASSED", seconds + GRACE_SECONDS)


# ---- Reports ----


@pytest.mark.parametrize("name", REPORTS)
def test_report_while_a_shard_is_dead(drilled: Drilled, drill: Drill, name: str) -> None:
    drilled.second.kill()
    unreachable(drill, lambda: drilled.report(name), GRACE_SECONDS)


@pytest.mark.parametrize("name", REPORTS if LONG else ["QueryAsrUsage"])
def test_report_while_a_shard_is_frozen(drilled: Drilled, drill: Drill, name: str) -> None:
    drilled.second.freeze()
    unreachable(drill, lambda: drilled.report(name), SILENT_SECONDS_MAX)


def test_report_with_a_near_deadline_while_a_shard_is_frozen(drilled: Drilled, drill: Drill) -> None:
    drilled.second.freeze()
    too_late(drill, lambda: drilled.usage(SHORT_SECONDS), SHORT_SECONDS)


@pytest.mark.parametrize("fate", ["kill", "freeze"])
def test_report_whose_shard_meets_its_end(drilled: Drilled, drill: Drill, fate: str) -> None:
    drilled.make_ledger(ENDLESS)
    call = during(drilled.running, getattr(drilled.second, fate), drilled.usage)
    unreachable(drill, call, SILENT_SECONDS_MAX + GRACE_SECONDS)


def test_report_of_a_slow_shard(drilled: Drilled, drill: Drill) -> None:
    drilled.make_ledger(ENDLESS)
    too_late(drill, lambda: drilled.usage(SHORT_SECONDS), SHORT_SECONDS)
    wait_until(lambda: not drilled.running(), "the end of the selects")


def test_report_that_a_shard_has_not_the_memory_for(drilled: Drilled, drill: Drill) -> None:
    drilled.make_ledger(GREEDY)
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    refused(drill, drilled.usage, exhausted, "MEMORY_LIMIT_EXCEEDED", LONG_SECONDS)


def test_calls_while_a_shard_lacks_its_ledger(drilled: Drilled, drill: Drill) -> None:
    """They work again as soon as the table is restored, without a restart."""
    drilled.second.ask(f"RENAME TABLE {drilled.database}.ledger TO {drilled.database}.kept")
    lost = grpc.StatusCode.DATA_LOSS
    for call in (drilled.usage, lambda: drilled.write("lost")):
        found = refused(drill, call, lost, "DATA_DAMAGED", GRACE_SECONDS)
        assert found.message == "shard 2 has lost a table of the store: its operator has to restore it"


def test_report_whose_caller_leaves(drilled: Drilled, drill: Drill) -> None:
    drilled.make_ledger(ENDLESS)
    call = drilled.service.reports.QueryAsrUsage.future(ASK_USAGE, timeout=LONG_SECONDS)
    wait_until(lambda: drilled.running() > 0, "the select")
    start_s = monotonic()
    call.cancel()
    wait_until(lambda: not drilled.running(), "the end of the selects")
    drill.note("CANCELLED", monotonic() - start_s, "no shard runs a select any more")


def test_reports_while_a_shard_dies_again_and_again(drilled: Drilled, drill: Drill) -> None:
    """Whatever the moment: an answer has the part of each shard, or there is none."""
    answers: list[object] = []
    errors: list[Any] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answers.append(drilled.usage())
            except grpc.RpcError as error:
                errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    for number in range(1, 4):
        drilled.second.restart()
        wait_until(partial(_has, answers, number), "an answer")
    stop.set()
    thread.join()
    drill.note("OK", 0.0, f"{len(answers)} whole answers, {len(errors)} times UNAVAILABLE")
    assert all(each == drilled.answers["QueryAsrUsage"] for each in answers)
    assert {each.code() for each in errors} == {grpc.StatusCode.UNAVAILABLE}


def _has(found: list[object], count: int) -> bool:
    return len(found) >= count


# ---- Writes ----


def test_write_while_a_shard_is_dead(drilled: Drilled, drill: Drill) -> None:
    drilled.second.kill()
    limit = CONFIG.ledger_commit_seconds_max + GRACE_SECONDS
    unreachable(drill, lambda: drilled.write("dead"), limit)
    drilled.restore()
    answer = drilled.write("dead")
    assert answer.accepted + answer.duplicates == 20


def test_write_while_a_shard_is_frozen(drilled: Drilled, drill: Drill) -> None:
    drilled.second.freeze()
    limit = CONFIG.ledger_commit_seconds_max + GRACE_SECONDS
    unreachable(drill, lambda: drilled.write("frozen"), limit)


def test_write_with_a_near_deadline_while_a_shard_is_frozen(drilled: Drilled, drill: Drill) -> None:
    drilled.second.freeze()
    too_late(drill, lambda: drilled.write("near", SHORT_SECONDS), SHORT_SECONDS)


def test_write_while_a_shard_starts_again(drilled: Drilled, drill: Drill) -> None:
    """On a busy host, a start may take longer than the server tries, but hardly each time."""
    answers: list[Any] = []
    for number in range(5):
        drilled.second.kill()
        starter = threading.Timer(1.0, drilled.restore)
        starter.start()
        start_s = monotonic()
        try:
            answers.append(drilled.write(f"patient {number}"))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        starter.join()
        if answers:
            break
    (answer,) = answers
    drill.note("OK", monotonic() - start_s, "the server has tried until the shard was back")
    assert (answer.accepted, answer.duplicates) == (20, 0)


def test_write_into_too_many_parts(drilled: Drilled, drill: Drill) -> None:
    drilled.second.ask(
        f"ALTER TABLE {drilled.database}.ledger MODIFY SETTING parts_to_throw_insert = 1,"
        " parts_to_delay_insert = 0"
    )
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    refused(drill, lambda: drilled.write("full"), exhausted, "OVERLOADED", CONFIG.ledger_commit_seconds_max)
    drilled.second.ask(
        f"ALTER TABLE {drilled.database}.ledger RESET SETTING parts_to_throw_insert, parts_to_delay_insert"
    )


# ---- What operators see ----


def test_health_follows_the_shards(drilled: Drilled, drill: Drill) -> None:
    """It recovers without a batch: none comes, as load balancers send them elsewhere."""
    records = "pegcount.v1.RecordService"
    drilled.write("well")
    drilled.second.kill()
    start_s = monotonic()
    wait_until(lambda: not drilled.is_serving(records), "a health that says so")
    drill.note("NOT_SERVING", monotonic() - start_s, f"{records}: a shard is dead")
    unreachable(drill, lambda: drilled.write("ill"), CONFIG.ledger_commit_seconds_max + GRACE_SECONDS)
    assert not drilled.is_serving(records)
    assert drilled.is_serving("")
    assert drilled.is_serving("pegcount.live")
    assert drilled.service.store.write_fault == "shard 2 does not answer"
    drilled.restore()
    start_s = monotonic()
    wait_until(lambda: drilled.is_serving(records), "a health that says so")
    drill.note("SERVING", monotonic() - start_s, f"{records}: the shard is back")


def test_log_of_a_dead_shard_is_short(
    drilled: Drilled, drill: Drill, caplog: pytest.LogCaptureFixture
) -> None:
    drilled.second.kill()
    with caplog.at_level(logging.INFO):
        start_s = monotonic()
        while monotonic() < start_s + 1.5:
            refusal(drilled.usage)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("pegcount")]
    drill.note("UNAVAILABLE", monotonic() - start_s, f"{len(lines)} lines in the log")
    assert [line for line in lines if "shard 2" in line]
    assert len(lines) <= 8, "\n".join(lines)
