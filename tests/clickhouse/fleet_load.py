"""Load on several servers: writers that move to another server when theirs is gone, and endless reports."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import reports_pb2, reports_pb2_grpc
from pegcount.v1.records_pb2 import SessionKind, SessionRecord
from pegcount_client import Client, RetryPolicy, WriteSummary
from server_tests.example_requests import call_record
from server_tests.keys import sent
from waiting import wait_until

from clickhouse.rig import LONG

BATCH_SIZE = 20
_UNANSWERED_COUNT = 3
_NEW_COUNT, _REVISED_COUNT = 40, 20
"""Two batches of new calls are followed by one that revises the first half of them."""
_ROUND_COUNT = _NEW_COUNT + _REVISED_COUNT
_EAGER = RetryPolicy(count_max=400, seconds_min=0.05, seconds_max=0.5)
_S_PER_DAY = 86_400
DAY_COUNT = 3
"""A call is set up on one of so many days."""
_CALL_SECONDS_MAX = 120.0
_ANSWER_SECONDS_MAX = 600.0
"""Clients wait as long as a shard does not get on: what counts here is what they are told then."""
_PAUSE_SECONDS = 0.05 if LONG else 0.2
"""Between two reports, so that the writers get on as well."""
_ROUND_PAUSE_SECONDS = 0.0 if LONG else 0.1
"""Between two rounds of a writer: the load goes on for as long as servers take to start."""
FIRST_SECONDS, REVISED_SECONDS = 60, 90
"""How long a call lasted, as its first version says, and as the second one does."""


def session_count(record_count: int) -> int:
    """Returns how many calls the first records of a writer are of."""
    rounds, rest = divmod(record_count, _ROUND_COUNT)
    return rounds * _NEW_COUNT + min(rest, _NEW_COUNT)


def revised_count(record_count: int) -> int:
    """Returns how many of them the first records of a writer have revised."""
    rounds, rest = divmod(record_count, _ROUND_COUNT)
    return rounds * _REVISED_COUNT + max(0, rest - _NEW_COUNT)


class Writer:
    """One that writes, in turns: each begins at its own server."""

    def __init__(self, name: str, addresses: Sequence[str], key: str | None, today_s: int) -> None:
        """`addresses` are those of its own server and of those that it moves to."""
        self.sent = 0
        """Records."""
        self.acknowledged = 0
        """Of them, those that were answered; they are the first ones, as answers keep the order."""
        self.resent = 0
        """Batches."""
        self.accepted = 0
        """Records that were new, as the answers say: those of batches whose answer was lost are not."""
        self.strange: list[WriteSummary] = []
        """Answers that say something else than was sent."""
        self.own = addresses[0]
        self._name = name
        self._address = f"ipv4:{','.join(addresses)}"
        self._key = key
        self._today_s = today_s

    @property
    def unanswered(self) -> int:
        """Records on their way."""
        return self.sent - self.acknowledged

    def run(self, stop: threading.Event) -> None:
        """Writes until `stop`, and then until all is acknowledged."""
        acknowledged, resent, accepted = self.acknowledged, self.resent, self.accepted

        def note(summary: WriteSummary) -> None:
            answered = summary.accepted + summary.replaced + summary.duplicates
            self.acknowledged = acknowledged + answered
            self.resent = resent + summary.resent
            self.accepted = accepted + summary.accepted
            if summary.rejected or summary.suspected_reuse:
                self.strange.append(summary)

        with Client(self._address, api_key=self._key) as client:
            records = client.write_records(
                batch_record_max=BATCH_SIZE,
                unanswered_batch_max=_UNANSWERED_COUNT,
                progress=note,
                retry=_EAGER,
            )
            with records:
                while not stop.is_set() or self.sent % _ROUND_COUNT:
                    self.sent += 1
                    records.write(self._record(self.sent - 1))
                    if self.sent % _ROUND_COUNT == 0:
                        stop.wait(_ROUND_PAUSE_SECONDS)
        assert self.unanswered == 0

    def _record(self, number: int) -> SessionRecord:
        rounds, rest = divmod(number, _ROUND_COUNT)
        is_new = rest < _NEW_COUNT
        session = rounds * _NEW_COUNT + (rest if is_new else rest - _NEW_COUNT)
        setup_s = self._today_s - session % DAY_COUNT * _S_PER_DAY
        seconds = FIRST_SECONDS if is_new else REVISED_SECONDS
        times = {"setup_time": setup_s, "answer_time": setup_s, "end_time": setup_s + seconds}
        return call_record(
            f"{self._name}-{session}",
            revision=1 if is_new else 2,
            **{name: Timestamp(seconds=value) for name, value in times.items()},
        )


class Reports:
    """Asks one server for reports all the time, and notes each that lacks or repeats a call."""

    def __init__(self, address: str, key: str, writers: Sequence[Writer], today_s: int) -> None:
        self.whole = 0
        self.unavailable = 0
        self.wrong: list[str] = []
        self.is_asking = False
        self._metadata = sent(key)
        self._writers = writers
        self._channel = grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 500)])
        self._stub = reports_pb2_grpc.ReportServiceStub(self._channel)
        self._first, self._last, self._end = (
            _date(today_s + days * _S_PER_DAY) for days in (1 - DAY_COUNT, 0, 1)
        )

    def run(self, stop: threading.Event) -> None:
        """Asks until `stop`."""
        while not stop.wait(_PAUSE_SECONDS):
            self._ask_once()

    def close(self) -> None:
        self._channel.close()

    def usage_count(self) -> int:
        """Returns how many calls the report of usage has."""
        request = reports_pb2.QueryAsrUsageRequest(
            from_time=self._first,
            to_time=self._end,
            granularity=reports_pb2.GRANULARITY_HOUR,
            kind=SessionKind.SESSION_KIND_CALL,
        )
        return int(self._ask(self._stub.QueryAsrUsage, request).totals.session_count)

    def folder_totals(self) -> tuple[int, int]:
        """Returns how many calls the statistics of folders have, and their milliseconds."""
        request = reports_pb2.QueryFolderStatsRequest(
            company="acme", organization="north", from_date=self._first, to_date=self._last
        )
        found = self._ask(self._stub.QueryFolderStats, request).totals
        return int(found.call_count), int(found.duration_ms)

    def _ask_once(self) -> None:
        """The count is at least what was acknowledged before, and at most what was sent by the end."""
        least = sum(session_count(each.acknowledged) for each in self._writers)
        self.is_asking = True
        try:
            count = self.folder_totals()[0] if self.whole % 2 else self.usage_count()
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            self.unavailable += 1
            return
        finally:
            self.is_asking = False
        most = sum(session_count(each.sent) for each in self._writers)
        self.whole += 1
        if not least <= count <= most:
            self.wrong.append(f"a report has {count} calls of {least} to {most}")

    def _ask(self, method: Any, request: object) -> Any:
        return method(request, metadata=self._metadata, timeout=_CALL_SECONDS_MAX)


class Running:
    """Threads with one task each, whose failures it keeps."""

    def __init__(self, tasks: Sequence[Callable[[threading.Event], None]]) -> None:
        self.failures: list[BaseException] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(task,)) for task in tasks]

    def __enter__(self) -> "Running":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def require_success(self) -> None:
        """Raises the first failure of a task."""
        if self.failures:
            raise self.failures[0]

    def _run(self, task: Callable[[threading.Event], None]) -> None:
        try:
            task(self._stop)
        except BaseException as error:
            self.failures.append(error)


def wait_for_batches(writers: Sequence[Writer], writing: Running) -> None:
    """Waits until each writer has had the answer to a further batch."""
    enough = [each.acknowledged + BATCH_SIZE for each in writers]

    def have_enough() -> bool:
        return all(each.acknowledged >= count for each, count in zip(writers, enough, strict=True))

    wait_until(lambda: writing.failures or have_enough(), "answers", _ANSWER_SECONDS_MAX)
    writing.require_success()


def totals(reports: Sequence[Reports]) -> Counter[str]:
    """Returns how many reports were whole, UNAVAILABLE or wrong."""
    return Counter(
        {
            "whole": sum(each.whole for each in reports),
            "UNAVAILABLE": sum(each.unavailable for each in reports),
            "wrong": sum(len(each.wrong) for each in reports),
        }
    )


def today_seconds() -> int:
    """Returns when this day began in UTC, in seconds since 1970."""
    return int(time.time()) // _S_PER_DAY * _S_PER_DAY


def _date(seconds: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
