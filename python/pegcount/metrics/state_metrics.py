"""The metrics of a server beside its calls, read at each scrape."""

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from pegcount.metrics.figures import Figure, counters, gauges, seconds_of
from pegcount.metrics.labels import OF_CALL, method_values
from pegcount.server import LaneLoad, MethodCalls, ServerState


def state_metrics(state: ServerState) -> Iterator[Metric]:
    """Yields the metrics of a state of the server."""
    yield _started(state.methods)
    yield from gauges(_GAUGES, state)
    yield from counters(_COUNTERS, state)
    yield from _lane_metrics(state.lanes)
    yield health_metric(state.health)


def health_metric(services: Mapping[str, bool]) -> Metric:
    """Returns the health of services by their names, as grpc.health.v1 answers it."""
    health = GaugeMetricFamily(
        "pegcount_health",
        "1 if a service is SERVING, else 0; the empty name is the whole server.",
        labels=("service",),
    )
    for service, is_serving in services.items():
        health.add_metric((service,), float(is_serving))
    return health


def _started(methods: tuple[MethodCalls, ...]) -> Metric:
    begun: Counter[tuple[str, ...]] = Counter()
    for method in methods:
        begun[method.kind.value, *method_values(method.name)] += method.begun_count
    started = CounterMetricFamily(
        "grpc_server_started", "Calls that have begun, refused ones included.", labels=OF_CALL
    )
    for labels, count in begun.items():
        started.add_metric(labels, count)
    return started


def _lane_metrics(lanes: Mapping[str, LaneLoad]) -> Iterator[Metric]:
    running = GaugeMetricFamily(
        "pegcount_reports_running",
        "Reports that run on threads; those of the lane inline run on the event loop, one at a time.",
        labels=("lane",),
    )
    waiting = GaugeMetricFamily(
        "pegcount_reports_waiting", "Reports that wait for their turn.", labels=("lane",)
    )
    for lane, load in lanes.items():
        if load.running is not None:
            running.add_metric((lane,), load.running)
        waiting.add_metric((lane,), load.waiting)
    yield from (running, waiting)


_GAUGES: tuple[Figure[ServerState], ...] = (
    Figure("pegcount_connections", "Open connections of clients.", lambda state: state.connections),
    Figure(
        "pegcount_calls_in_progress",
        "Calls that have begun and not ended, streams included.",
        lambda state: state.calls_in_progress,
    ),
    Figure("pegcount_write_streams", "Open WriteRecords streams.", lambda state: state.write_streams),
    Figure("pegcount_watch_streams", "Open WatchTraffic streams.", lambda state: state.watches.streams),
    Figure(
        "pegcount_watched_queries",
        "Distinct queries of the open WatchTraffic streams.",
        lambda state: state.watches.queries,
    ),
    Figure(
        "pegcount_certificate_expiry_timestamp_seconds",
        "When the first of the TLS certificates in use expires, seconds since 1970 UTC.",
        lambda state: seconds_of(state.certificate_expire_us),
    ),
)

_COUNTERS: tuple[Figure[ServerState], ...] = (
    Figure(
        "pegcount_watch_evaluations",
        "Answers that were made for WatchTraffic streams.",
        lambda state: state.watches.evaluations,
    ),
    Figure(
        "pegcount_watch_evaluations_failed",
        "Attempts at such an answer that failed; the streams go on for a while.",
        lambda state: state.watches.failed_evaluations,
    ),
    Figure(
        "pegcount_watch_evaluations_skipped",
        "Such answers that were left out because an earlier one took longer than the interval.",
        lambda state: state.watches.skipped_evaluations,
    ),
    Figure(
        "pegcount_watch_evaluation_seconds",
        "Seconds that these answers took, failed ones and the time that they waited for a lane included.",
        lambda state: state.watches.evaluation_seconds,
    ),
)
