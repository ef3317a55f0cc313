"""Reads the store and the server at each scrape; leaves out a store that does not answer in time."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from pegcount.metrics.state_metrics import health_metric, state_metrics
from pegcount.metrics.store_metrics import StoreReading, store_metrics
from pegcount.server import ServerState
from pegcount.store import Store

READ_SECONDS_MAX = 2.0
"""Seconds that a scrape waits for the store; Prometheus gives a scrape up after 10 s by default."""

_LOG = logging.getLogger(__name__)


class StoreCollector(Collector):
    """The metrics of the store, once it is open."""

    def __init__(self, read_seconds_max: float = READ_SECONDS_MAX) -> None:
        self._read_seconds_max = read_seconds_max
        self._lock = Lock()
        self._store: Store | None = None
        self._reading: Future[StoreReading] | None = None
        # With one thread, all scrapes that come while the store does not answer wait for the same reading.
        self._thread = ThreadPoolExecutor(1, "metrics-store")

    def watch(self, store: Store) -> None:
        """Reads a store from now on."""
        with self._lock:
            self._store = store

    def close(self) -> None:
        """Reads the store no more; waits for a reading that is under way."""
        with self._lock:
            self._store = None
        self._thread.shutdown()

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics of the store, and whether they are there."""
        reading = self._read()
        complete = GaugeMetricFamily(
            "pegcount_scrape_complete",
            f"1 if the store has answered within {self._read_seconds_max:g} s; 0: its metrics are missing.",
            float(reading is not None),
        )
        yield complete
        if reading is not None:
            yield from store_metrics(reading)

    def _read(self) -> StoreReading | None:
        pending = self._pending()
        if pending is None:
            return None
        try:
            return pending.result(self._read_seconds_max)
        except TimeoutError:
            _LOG.warning(
                "metrics of the store are missing: it has not answered for %g s", self._read_seconds_max
            )
        except Exception:
            _LOG.exception("metrics of the store are missing")
        return None

    def _pending(self) -> "Future[StoreReading] | None":
        """Returns the reading under way, or a new one; None without a store."""
        with self._lock:
            if self._store is None:
                return None
            if self._reading is None or self._reading.done():
                self._reading = self._thread.submit(StoreReading.of, self._store)
            return self._reading


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
