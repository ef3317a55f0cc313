"""What each share, mean and percentile of the traffic question divides by, or ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from pegcount.traffic import ANSWERED, CALLS, Figure, TrafficColumn, TrafficMeasure, TrafficQuery
from pegcount.v1 import traffic_pb2

Denominator = Literal["calls", "answered", "pdd_known", "priced"]

DENOMINATORS: Final[Mapping[int, Denominator]] = {
    traffic_pb2.TRAFFIC_METRIC_ASR: "calls",
    traffic_pb2.TRAFFIC_METRIC_ANSWERED_WITHIN: "calls",
    traffic_pb2.TRAFFIC_METRIC_CAUSE_KNOWN: "calls",
    traffic_pb2.TRAFFIC_METRIC_NER: "calls",
    traffic_pb2.TRAFFIC_METRIC_ACD: "answered",
    traffic_pb2.TRAFFIC_METRIC_SHORT_SHARE: "answered",
    traffic_pb2.TRAFFIC_METRIC_RING_TIME_MEAN: "answered",
    traffic_pb2.TRAFFIC_METRIC_RING_TIME_PERCENTILE: "answered",
    traffic_pb2.TRAFFIC_METRIC_DURATION_PERCENTILE: "answered",
    traffic_pb2.TRAFFIC_METRIC_PDD_MEAN: "pdd_known",
    traffic_pb2.TRAFFIC_METRIC_PDD_PERCENTILE: "pdd_known",
    # The revenue is an amount; what tells whether there is enough of it is the number of rated calls.
    traffic_pb2.TRAFFIC_METRIC_MARGIN_SHARE: "priced",
}
"""Which calls a figure needs enough of, by the number of its metric; others need none."""

_UNRATED: Final = TrafficMeasure("count", "unrated")
_FIGURES: Final[Mapping[Denominator, tuple[TrafficMeasure, ...]]] = {
    "calls": (CALLS,),
    "answered": (ANSWERED,),
    "pdd_known": (TrafficMeasure("count", "pdd_known"),),
    # An answered call is unrated if it lacks one of both prices.
    "priced": (ANSWERED, _UNRATED),
}
"""The measure of each count, or the two whose difference it is."""


def denominators_of(metrics: Sequence[int]) -> tuple[Denominator, ...]:
    """Returns what the figures of some metrics divide by, each once, in the order of their first figure."""
    return tuple(dict.fromkeys(DENOMINATORS[metric] for metric in metrics if metric in DENOMINATORS))


def with_denominators(query: TrafficQuery) -> TrafficQuery:
    """Returns a query with a further column for each of `denominators_of` its metrics."""
    columns = [traffic_pb2.TrafficColumn.FromString(column.header) for column in query.columns]
    wanted = denominators_of([column.metric.metric for column in columns])
    numbers = {measure: number for number, measure in enumerate(query.measures)}

    def figure(denominator: Denominator) -> Figure:
        used = [numbers.setdefault(each, len(numbers)) for each in _FIGURES[denominator]]
        return Figure("integer", *used) if len(used) == 1 else Figure("difference", *used)

    more = tuple(TrafficColumn(b"", figure(each)) for each in wanted)
    return replace(query, measures=tuple(numbers), columns=(*query.columns, *more))
