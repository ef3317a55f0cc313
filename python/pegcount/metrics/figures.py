"""Makes metrics of single figures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from pegcount.counters import SecondsHistogram
from pegcount.zone import US_PER_SECOND

_Source = TypeVar("_Source")


@dataclass(frozen=True, slots=True)
class Figure(Generic[_Source]):
    """A metric of one figure, and how to read it."""

    name: str
    meaning: str
    """Its help text, which says the unit."""
    read: Callable[[_Source], float | None]
    """Returns the figure; None: there is none now, and the metric has no sample."""


def gauges(figures: Sequence[Figure[_Source]], source: _Source) -> Iterator[Metric]:
    """Yields figures that may rise and fall."""
    for figure in figures:
        yield GaugeMetricFamily(figure.name, figure.meaning, figure.read(source))


def counters(figures: Sequence[Figure[_Source]], source: _Source) -> Iterator[Metric]:
    """Yields figures that never fall; their samples have `_total` after the name."""
    for figure in figures:
        yield CounterMetricFamily(figure.name, figure.meaning, figure.read(source))


def histogram(name: str, meaning: str, durations: SecondsHistogram) -> Metric:
    """Returns durations as a histogram, whose buckets count all events up to their bound."""
    buckets, count = [], 0
    for bound, events in zip((*durations.bounds, inf), durations.counts, strict=True):
        count += events
        buckets.append(("+Inf" if bound == inf else str(bound), float(count)))
    return HistogramMetricFamily(name, meaning, buckets, durations.seconds)


def seconds_of(time_us: int | None) -> float | None:
    """Returns a time in microseconds as seconds, as Prometheus has times."""
    return None if time_us is None else time_us / US_PER_SECOND
