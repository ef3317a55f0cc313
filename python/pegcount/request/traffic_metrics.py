"""Which measures a metric of the traffic question needs, and how its figure follows from them.

`METRICS` has a rule for each metric; docs/semantics.md gives their definitions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from pegcount.data_scope import Metric
from pegcount.traffic import Condition, Currencies, Figure, Interval, RowValue, TrafficMeasure
from pegcount.v1 import traffic_pb2

DEFAULT_CAUSES: Final = (16, 17, 18, 19, 20, 21, 31)
"""Release causes with which the network has delivered a call that was not answered."""

MeasureOf: TypeAlias = Callable[[traffic_pb2.MetricSpec], TrafficMeasure]
"""Returns a measure with the parameters of a metric that it depends on."""
NumberOf: TypeAlias = Callable[[TrafficMeasure], int]
"""Returns the number of a measure in the scan."""
FigureOf: TypeAlias = Callable[[traffic_pb2.MetricSpec, NumberOf], Figure]
"""Returns the figure of a metric with its parameters."""

Parameter = Literal["threshold_ms", "percentile", "causes", "occupancy"]
PARAMETERS: Final[tuple[Parameter, ...]] = get_args(Parameter)

_SUM, _MAX, _NONE = (traffic_pb2.ADDITIVITY_SUM, traffic_pb2.ADDITIVITY_MAX, traffic_pb2.ADDITIVITY_NONE)
_LIMITED: Final = ("answered_within", "shorter")
_BY_CAUSE: Final = ("cause_in", "delivered")
_INTERVAL_OF: Final[Mapping[int, Interval]] = {
    traffic_pb2.OCCUPANCY_TALK: "talk",
    traffic_pb2.OCCUPANCY_SEIZED: "seized",
}


@dataclass(frozen=True, slots=True)
class MetricRule:
    """What a metric is made of."""

    figure: FigureOf
    over_bins: traffic_pb2.Additivity = _NONE
    over_groups: traffic_pb2.Additivity = _NONE
    parameter: Parameter | None = None
    """The parameter that it takes."""
    default_causes: tuple[int, ...] = ()
    """What `causes` are if none are given; empty: they are required."""
    tells: frozenset[Metric] = frozenset()
    """Figures that could be computed from it; whoever may not see one of them may not ask for it."""
    columns: tuple[str, ...] = ()
    """Fields of records that it tells of."""
    currencies: Currencies = ()
    """Columns of currencies, which must all have one value where it adds up amounts."""
    has_order: bool = True
    """Whether a greater value is more of something, so that groups have a rank by it."""


def _count(what: Condition) -> MeasureOf:
    def measure(spec: traffic_pb2.MetricSpec) -> TrafficMeasure:
        limit_us = spec.threshold_ms * 1_000 if what in _LIMITED else 0
        return TrafficMeasure(
            "count", what, limit_us, tuple(sorted(spec.causes)) if what in _BY_CAUSE else ()
        )

    return measure


def _sum(what: RowValue) -> MeasureOf:
    return lambda _: TrafficMeasure("sum", what)


def _values(what: RowValue) -> MeasureOf:
    return lambda _: TrafficMeasure("values", what)


def _intervals(how: Literal["occupied", "occupancy"]) -> MeasureOf:
    return lambda spec: TrafficMeasure(how, _INTERVAL_OF.get(spec.occupancy, "talk"))


def _whole(measure: MeasureOf) -> FigureOf:
    return lambda spec, number: Figure("integer", number(measure(spec)))


def _difference(first: MeasureOf, second: MeasureOf) -> FigureOf:
    return lambda spec, number: Figure("difference", number(first(spec)), number(second(spec)))


def _percent(part: MeasureOf, whole: MeasureOf, only_with: MeasureOf | None = None) -> FigureOf:
    return lambda spec, number: Figure(
        "ratio",
        number(part(spec)),
        number(whole(spec)),
        multiplier=100,
        only_with=None if only_with is None else number(only_with(spec)),
    )


def _mean_seconds(total_ms: MeasureOf, count: MeasureOf) -> FigureOf:
    return lambda spec, number: Figure("ratio", number(total_ms(spec)), number(count(spec)), divisor=1_000)


def _percentile(values: MeasureOf) -> FigureOf:
    return lambda spec, number: Figure("percentile", number(values(spec)), percent=spec.percentile)


def _rate(total: MeasureOf, multiplier: int) -> FigureOf:
    return lambda spec, number: Figure("rate", number(total(spec)), multiplier=multiplier)


def _busiest(values: MeasureOf) -> FigureOf:
    return lambda spec, number: Figure("busiest", number(values(spec)))


def _of_peak(form: Literal["peak", "peak_at"]) -> FigureOf:
    occupancy = _intervals("occupancy")
    return lambda spec, number: Figure(form, number(occupancy(spec)))


def _money(total: MeasureOf) -> FigureOf:
    return lambda spec, number: Figure("money", number(total(spec)))


# Durations go with the answers, and prices with both: see `server.hidden_figures`.
_ANSWERS: Final = frozenset({Metric.ASR})
_DURATIONS: Final = frozenset({Metric.ASR, Metric.ACD})
_PRICES: Final = frozenset(Metric)
_CAUSE: Final = ("disconnect_cause",)
_BOTH_PRICES: Final = ("customer_price", "vendor_price")
_BOTH_CURRENCIES: Final[Currencies] = ("currency", "vendor_currency")

METRICS: Final[Mapping[int, MetricRule]] = {
    traffic_pb2.TRAFFIC_METRIC_CALLS: MetricRule(_whole(_count("all")), _SUM, _SUM),
    traffic_pb2.TRAFFIC_METRIC_ANSWERED: MetricRule(_whole(_count("answered")), _SUM, _SUM, tells=_ANSWERS),
    traffic_pb2.TRAFFIC_METRIC_FAILED: MetricRule(
        _difference(_count("all"), _count("answered")), _SUM, _SUM, tells=_ANSWERS
    ),
    traffic_pb2.TRAFFIC_METRIC_DURATION_MS: MetricRule(
        _whole(_sum("duration_ms")), _SUM, _SUM, tells=_DURATIONS
    ),
    traffic_pb2.TRAFFIC_METRIC_ASR: MetricRule(_percent(_count("answered"), _count("all")), tells=_ANSWERS),
    traffic_pb2.TRAFFIC_METRIC_ACD: MetricRule(
        _mean_seconds(_sum("duration_ms"), _count("answered")), tells=_DURATIONS
    ),
    traffic_pb2.TRAFFIC_METRIC_CPS: MetricRule(_rate(_count("all"), 1_000_000), _NONE, _SUM),
    traffic_pb2.TRAFFIC_METRIC_CPS_PEAK: MetricRule(_busiest(_values("setup_second")), _MAX, _NONE),
    traffic_pb2.TRAFFIC_METRIC_SHORT_CALLS: MetricRule(
        _whole(_count("shorter")), _SUM, _SUM, "threshold_ms", tells=_DURATIONS
    ),
    traffic_pb2.TRAFFIC_METRIC_SHORT_SHARE: MetricRule(
        _percent(_count("shorter"), _count("answered")), parameter="threshold_ms", tells=_DURATIONS
    ),
    traffic_pb2.TRAFFIC_METRIC_ANSWERED_WITHIN: MetricRule(
        _percent(_count("answered_within"), _count("all")), parameter="threshold_ms", tells=_ANSWERS
    ),
    traffic_pb2.TRAFFIC_METRIC_RING_TIME_MEAN: MetricRule(
        _mean_seconds(_sum("ring_ms"), _count("answered")), tells=_ANSWERS
    ),
    traffic_pb2.TRAFFIC_METRIC_RING_TIME_PERCENTILE: MetricRule(
        _percentile(_values("ring_ms")), parameter="percentile", tells=_ANSWERS
    ),
    traffic_pb2.TRAFFIC_METRIC_DURATION_PERCENTILE: MetricRule(
        _percentile(_values("duration_ms")), parameter="percentile", tells=_DURATIONS
    ),
    traffic_pb2.TRAFFIC_METRIC_CALLS_WITH_CAUSE: MetricRule(
        _whole(_count("cause_in")), _SUM, _SUM, "causes", tells=_ANSWERS, columns=_CAUSE
    ),
    traffic_pb2.TRAFFIC_METRIC_CAUSE_KNOWN: MetricRule(
        _percent(_count("cause_known"), _count("all")), tells=_ANSWERS, columns=_CAUSE
    ),
    traffic_pb2.TRAFFIC_METRIC_DELIVERED: MetricRule(
        *(_whole(_count("delivered")), _SUM, _SUM, "causes", DEFAULT_CAUSES), tells=_ANSWERS, columns=_CAUSE
    ),
    traffic_pb2.TRAFFIC_METRIC_NER: MetricRule(
        _percent(_count("delivered"), _count("all"), only_with=_count("cause_known")),
        parameter="causes",
        default_causes=DEFAULT_CAUSES,
        tells=_ANSWERS,
        columns=_CAUSE,
    ),
    # A call that was not answered has a delay only if it rang, so that the delay tells most of the answers.
    traffic_pb2.TRAFFIC_METRIC_PDD_COUNT: MetricRule(_whole(_count("pdd_known")), _SUM, _SUM, tells=_ANSWERS),
    traffic_pb2.TRAFFIC_METRIC_PDD_MEAN: MetricRule(
        _mean_seconds(_sum("pdd_ms"), _count("pdd_known")), tells=_ANSWERS
    ),
    traffic_pb2.TRAFFIC_METRIC_PDD_PERCENTILE: MetricRule(
        _percentile(_values("pdd_ms")), parameter="percentile", tells=_ANSWERS
    ),
    traffic_pb2.TRAFFIC_METRIC_REVENUE: MetricRule(
        *(_money(_sum("customer_price")), _SUM, _SUM),
        tells=_PRICES,
        columns=("customer_price",),
        currencies=("currency",),
    ),
    traffic_pb2.TRAFFIC_METRIC_COST: MetricRule(
        *(_money(_sum("vendor_price")), _SUM, _SUM),
        tells=_PRICES,
        columns=("vendor_price",),
        currencies=("vendor_currency",),
    ),
    traffic_pb2.TRAFFIC_METRIC_MARGIN: MetricRule(
        *(_money(_sum("margin")), _SUM, _SUM),
        tells=_PRICES,
        columns=_BOTH_PRICES,
        currencies=_BOTH_CURRENCIES,
    ),
    traffic_pb2.TRAFFIC_METRIC_MARGIN_SHARE: MetricRule(
        _percent(_sum("margin"), _sum("customer_price")),
        tells=_PRICES,
        columns=_BOTH_PRICES,
        currencies=_BOTH_CURRENCIES,
    ),
    traffic_pb2.TRAFFIC_METRIC_UNRATED: MetricRule(
        _whole(_count("unrated")),
        _SUM,
        _SUM,
        tells=frozenset({Metric.ASR, Metric.PRICE}),
        columns=_BOTH_PRICES,
    ),
    # From setup to end, too, a call that lasts has been answered: nobody lets it ring for an hour.
    traffic_pb2.TRAFFIC_METRIC_OCCUPIED_US: MetricRule(
        _whole(_intervals("occupied")), _SUM, _SUM, "occupancy", tells=_DURATIONS
    ),
    traffic_pb2.TRAFFIC_METRIC_ERLANG: MetricRule(
        _rate(_intervals("occupied"), 1), _NONE, _SUM, "occupancy", tells=_DURATIONS
    ),
    traffic_pb2.TRAFFIC_METRIC_PEAK: MetricRule(_of_peak("peak"), _MAX, _NONE, "occupancy", tells=_DURATIONS),
    traffic_pb2.TRAFFIC_METRIC_PEAK_AT: MetricRule(
        _of_peak("peak_at"), parameter="occupancy", tells=_DURATIONS, has_order=False
    ),
}
"""The rule of each metric, by its number."""


def metrics_with(parameter: Parameter) -> str:
    """Returns the names of the metrics that take a parameter, with commas between them."""
    return ", ".join(metric_name(number) for number, rule in METRICS.items() if rule.parameter == parameter)


def metric_name(number: int) -> str:
    """Returns the name of a metric without its prefix.

    >>> metric_name(traffic_pb2.TRAFFIC_METRIC_ASR)
    'ASR'
    """
    return traffic_pb2.TrafficMetric.Name(traffic_pb2.TrafficMetric.ValueType(number)).removeprefix(
        "TRAFFIC_METRIC_"
    )
