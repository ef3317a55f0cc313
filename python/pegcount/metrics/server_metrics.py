"""All metrics of one server."""

import platform
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, disable_created_metrics

from pegcount import core
from pegcount.metrics.call_metrics import CallMetrics
from pegcount.metrics.collectors import StateCollector, StoreCollector
from pegcount.server import CallObserver, ServerState
from pegcount.store import Store
from pegcount.version import VERSION


class ServerMetrics:
    """A registry of its own, and what fills it while a server starts, runs and stops."""

    def __init__(self) -> None:
        # They would be a second series for each counter, which says when that began.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        """What a scrape reads."""
        self.calls: CallObserver = CallMetrics(self.registry)
        """The observer that the server gets."""
        self._store = StoreCollector()
        self._state = StateCollector()
        self.registry.register(self._state)
        self.registry.register(self._store)
        ProcessCollector(registry=self.registry)
        build = Gauge(
            "pegcount_build_info",
            "1; its labels are the versions of the service, of its core and of Python.",
            ("version", "core_version", "python_version"),
            registry=self.registry,
        )
        build.labels(VERSION, core.core_version(), platform.python_version()).set(1)

    def watch_store(self, store: Store) -> None:
        """Reads an open store at each scrape, until `close`."""
        self._store.watch(store)

    def watch_server(self, state: Callable[[], ServerState]) -> None:
        """Reads the state of a running server at each scrape."""
        self._state.state = state

    def watch_log(self, dropped_line_count: Callable[[], int]) -> None:
        """Reads at each scrape how many lines the log has dropped; the count never falls."""
        self._state.dropped_line_count = dropped_line_count

    def close(self) -> None:
        """Reads the store no more: it may be closed then. The other metrics stay."""
        self._store.close()
