"""Reads the store and the server at each scrape; leaves out what does not answer in time."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from pegcount.errors import PegcountError, cause_of
from pegcount.metrics.state_metrics import health_metric, state_metrics
from pegcount.metrics.store_metrics import StoreCount, content_metrics, count_metrics
from pegcount.model import StoreInfo
from pegcount.server import ServerState
from pegcount.store import Store

READ_SECONDS_MAX = 2.0
"""Seconds that a scrape waits for the store; Prometheus gives a scrape up after 10 s by default."""

_LOG = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class StoreCollector(Collector):
    """The metrics of the store, once it is open.

    What the store has counted is read apart from what it contains, for which it may have to ask other hosts.
    """

    def __init__(self, read_seconds_max: float = READ_SECONDS_MAX) -> None:
        self._read_seconds_max = read_seconds_max
        self._store: Store | None = None
        self._counts = _Reader("metrics-counts", StoreCount.of)
        self._contents = _Reader("metrics-contents", lambda store: store.info())
        self._failure = ""
        """What the log has said last of the metrics that are missing."""

    def watch(self, store: Store) -> None:
        """Reads a store from now on."""
        self._store = store

    def close(self) -> None:
        """Reads the store no more; waits for readings that are under way."""
        self._store = None
        self._counts.close()
        self._contents.close()

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics of the store, and whether they are all there."""
        counts, contents = self._read()
        complete = GaugeMetricFamily(
            "pegcount_scrape_complete",
            f"1 if the store has answered within {self._read_seconds_max:g} s; 0: metrics of it are missing.",
            float(counts is not None and contents is not None),
        )
        yield complete
        if counts is not None:
            yield from count_metrics(counts)
        if contents is not None:
            yield from content_metrics(contents)

    def _read(self) -> tuple[StoreCount | None, StoreInfo | None]:
        """Returns what the store has said in time, and logs why something is missing when that changes."""
        store = self._store
        if store is None:
            return None, None
        deadline_s = time.monotonic() + self._read_seconds_max
        # Both begin before one is waited for.
        pending = self._counts.pending(store), self._contents.pending(store)
        failures: list[Exception] = []
        counts = _result(pending[0], deadline_s, failures)
        contents = _result(pending[1], deadline_s, failures)
        self._log_failure(failures)
        return counts, contents

    def _log_failure(self, failures: Sequence[Exception]) -> None:
        failure = failures[0] if failures else None
        text = "" if failure is None else self._text(failure)
        if text and text != self._failure:
            # Another error is a fault of the program, whose place the log has to name.
            if isinstance(failure, PegcountError | TimeoutError):
                _LOG.warning("%s", text)
            else:
                _LOG.error("%s", text, exc_info=failure)
        self._failure = text

    def _text(self, failure: Exception) -> str:
        if isinstance(failure, TimeoutError):
            cause = f"it has not answered for {self._read_seconds_max:g} s"
        else:
            cause = cause_of(failure)
        return f"metrics of the store are missing: {cause}"


class _Reader(Generic[_Answer]):
    """Reads something of a store. Thread-safe.

    All scrapes that come while the store does not answer wait for the same reading.
    """

    def __init__(self, thread_name: str, read: Callable[[Store], _Answer]) -> None:
        self._read = read
        self._lock = Lock()
        self._reading: Future[_Answer] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name)

    def pending(self, store: Store) -> Future[_Answer]:
        """Returns the reading under way, or a new one."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = self._thread.submit(self._read, store)
            return self._reading

    def close(self) -> None:
        """Waits for a reading that is under way."""
        self._thread.shutdown()


def _result(pending: Future[_Answer], deadline_s: float, failures: list[Exception]) -> _Answer | None:
    """Returns a reading that ends by the deadline, None and its failure without one."""
    try:
        return pending.result(max(0.0, deadline_s - time.monotonic()))
    except Exception as error:
        failures.append(error)
        return None


class StateCollector(Collector):
    """The metrics of the server beside its calls, and of its log."""

    def __init__(self) -> None:
        self.state: Callable[[], ServerState] | None = None
        """Returns the state of the server; None while it starts."""
        self.dropped_line_count: Callable[[], int] = lambda: 0
        """Returns how many lines the log has dropped."""

    def collect(self) -> Iterator[Metric]:
        """Yields the present metrics; while the server starts, its health is 0."""
        yield CounterMetricFamily(
            "pegcount_log_lines_dropped",
            "Lines that the log has dropped because they could not be written fast enough.",
            self.dropped_line_count(),
        )
        if self.state is None:
            yield health_metric({"": False})
        else:
            yield from state_metrics(self.state())
