"""Callers, each on a connection of its own, that make the four reports and writes in turn."""

import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
from load.caller import status_of
from pegcount.v1 import records_pb2_grpc, reports_pb2_grpc

from soak.events import EventFeed, MovingDays

CALL_KINDS = 5
"""The four reports and a batch of events."""
_CALL_SECONDS_MAX = 20.0


@dataclass(slots=True)
class Outcomes:
    """The latencies and statuses of calls."""

    seconds: float
    latencies_ms: list[float] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Calls per second."""
        return len(self.statuses) / self.seconds

    @property
    def p99_ms(self) -> float:
        return statistics.quantiles(self.latencies_ms, n=100)[98]

    def failed(self) -> dict[str, int]:
        """Returns the number of failed calls by method and status."""
        return {status: count for status, count in Counter(self.statuses).items() if status != "OK"}


class Callers:
    """Connections to one server, each with its own sessions."""

    def __init__(self, address: str, days: MovingDays, count: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channels = [grpc.insecure_channel(address, options) for _ in range(count)]
        self._feeds = [EventFeed(str(number), days) for number in range(count)]
        self._days = days

    def closed_loop(self, caller_count: int, seconds: float) -> Outcomes:
        """Lets some of the callers call without a pause."""
        end = time.monotonic() + seconds
        return self._run([_until(end, caller) for caller in range(caller_count)], seconds)

    def open_loop(self, rate: float, seconds: float) -> Outcomes:
        """Makes `rate` calls per second, however long answers take, as far as there are callers."""
        begin, taken = time.monotonic(), itertools.count()
        return self._run([_due(taken, rate, begin, seconds) for _ in self._channels], seconds)

    def close(self) -> None:
        for channel in self._channels:
            channel.close()

    def _run(self, numbers: list[Iterator[int]], seconds: float) -> Outcomes:
        outcomes = Outcomes(seconds)
        threads = [
            threading.Thread(target=self._call_all, args=(caller, numbers[caller], outcomes))
            for caller in range(len(numbers))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return outcomes

    def _call_all(self, caller: int, numbers: Iterator[int], outcomes: Outcomes) -> None:
        for number in numbers:
            begin = time.perf_counter()
            outcomes.statuses.append(self._call(caller, number % CALL_KINDS))
            outcomes.latencies_ms.append((time.perf_counter() - begin) * 1e3)

    def _call(self, caller: int, kind: int) -> str:
        """Makes a call and returns its status, with the method unless it is OK."""
        channel, method = self._channels[caller], "WriteRecords"
        try:
            if kind == CALL_KINDS - 1:
                self._write(channel, self._feeds[caller])
            else:
                method, request = self._days.report(kind)
                stub = reports_pb2_grpc.ReportServiceStub(channel)
                getattr(stub, method)(request, timeout=_CALL_SECONDS_MAX)
        except grpc.RpcError as error:
            return f"{method} {status_of(error)}"
        return "OK"

    def _write(self, channel: grpc.Channel, feed: EventFeed) -> None:
        stub = records_pb2_grpc.RecordServiceStub(channel)
        (answer,) = stub.WriteRecords(iter([feed.batch()]), timeout=_CALL_SECONDS_MAX)
        assert not answer.rejected, answer


def _until(end: float, first: int) -> Iterator[int]:
    """Yields numbers from `first` on until a time."""
    for number in itertools.count(first):
        if time.monotonic() >= end:
            return
        yield number


def _due(taken: "itertools.count[int]", rate: float, begin: float, seconds: float) -> Iterator[int]:
    """Yields the numbers that this caller takes, each when it is due."""
    for number in taken:
        due = begin + number / rate
        if due >= begin + seconds:
            return
        time.sleep(max(0.0, due - time.monotonic()))
        yield number
