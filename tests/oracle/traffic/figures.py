"""The metrics, each over a list of calls."""

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol

from pegcount.v1 import traffic_pb2
from pegcount.v1.traffic_pb2 import MetricSpec

from oracle.records import Session

from . import occupancy

Calls = Sequence[Session]
Figure = int | float | str | None
"""A whole number, a double, or an amount as decimal text; None: no value."""

DELIVERING_CAUSES = (16, 17, 18, 19, 20, 21, 31)
METRICS = {
    name.removeprefix("TRAFFIC_METRIC_").lower(): number
    for name, number in traffic_pb2.TrafficMetric.items()
    if number
}


def name_of(spec: MetricSpec) -> str:
    """Returns the name of a metric in lower case, without prefix."""
    return traffic_pb2.TrafficMetric.Name(spec.metric).removeprefix("TRAFFIC_METRIC_").lower()


def with_defaults(spec: MetricSpec) -> MetricSpec:
    """Returns a metric with all parameters that it is computed with."""
    found = MetricSpec()
    found.CopyFrom(spec)
    if name_of(spec) in ("delivered", "ner") and not spec.causes:
        found.causes.extend(DELIVERING_CAUSES)
    if name_of(spec) in occupancy.METRICS and not spec.occupancy:
        found.occupancy = traffic_pb2.OCCUPANCY_TALK
    return found


def _any(_: MetricSpec, call: Session) -> bool:
    return True


def _answered(_: MetricSpec, call: Session) -> bool:
    return call.answer_us is not None


def _failed(_: MetricSpec, call: Session) -> bool:
    return call.answer_us is None


def _short(spec: MetricSpec, call: Session) -> bool:
    if call.answer_us is None or call.end_us is None:
        return False
    return call.end_us - call.answer_us < 1000 * spec.threshold_ms


def _answered_within(spec: MetricSpec, call: Session) -> bool:
    return call.answer_us is not None and call.answer_us - call.setup_us <= 1000 * spec.threshold_ms


def _cause_known(_: MetricSpec, call: Session) -> bool:
    return "disconnect_cause" in call.numbers


def _with_cause(spec: MetricSpec, call: Session) -> bool:
    return call.numbers.get("disconnect_cause") in spec.causes


def _delivered(spec: MetricSpec, call: Session) -> bool:
    return call.answer_us is not None or _with_cause(spec, call)


def _pdd_known(_: MetricSpec, call: Session) -> bool:
    return pdd_ms(call) is not None


def _unrated(_: MetricSpec, call: Session) -> bool:
    return call.answer_us is not None and None in (revenue(call), cost(call))


_Condition = Callable[[MetricSpec, Session], bool]
COUNTS: dict[str, _Condition] = {
    "calls": _any,
    "answered": _answered,
    "failed": _failed,
    "short_calls": _short,
    "calls_with_cause": _with_cause,
    "delivered": _delivered,
    "pdd_count": _pdd_known,
    "unrated": _unrated,
}
SHARES: dict[str, tuple[_Condition, _Condition]] = {
    "asr": (_answered, _any),
    "short_share": (_short, _answered),
    "answered_within": (_answered_within, _any),
    "cause_known": (_cause_known, _any),
    "ner": (_delivered, _any),
}
"""Percent of the calls with the second condition that have the first one."""


def duration_ms(call: Session) -> int | None:
    if call.answer_us is None or call.end_us is None:
        return None
    return (call.end_us - call.answer_us) // 1000


def ring_ms(call: Session) -> int | None:
    if call.answer_us is None:
        return None
    rings_us = call.setup_us if call.alert_us is None else call.alert_us
    return (call.answer_us - rings_us) // 1000


def pdd_ms(call: Session) -> int | None:
    first_us = call.answer_us if call.alert_us is None else call.alert_us
    return None if first_us is None else (first_us - call.setup_us) // 1000


MEANS = {"acd": duration_ms, "ring_time_mean": ring_ms, "pdd_mean": pdd_ms}
PERCENTILES = {
    "ring_time_percentile": ring_ms,
    "duration_percentile": duration_ms,
    "pdd_percentile": pdd_ms,
}


def revenue(call: Session) -> Fraction | None:
    return _price(call, "customer_price")


def cost(call: Session) -> Fraction | None:
    return _price(call, "vendor_price")


def _price(call: Session, name: str) -> Fraction | None:
    return Fraction(call.texts[name]) if name in call.texts else None


def margin(call: Session) -> Fraction | None:
    earned, paid = revenue(call), cost(call)
    if earned is None or paid is None or call.texts.get("currency") != call.texts.get("vendor_currency"):
        return None
    return earned - paid


AMOUNTS = {"revenue": revenue, "cost": cost, "margin": margin}
MONEY = (*AMOUNTS, "margin_share")
SUMS = frozenset({*COUNTS, *AMOUNTS, "duration_ms", "occupied_us"})
"""Metrics whose values over bins and groups add up."""


class HasCalls(Protocol):
    """What a bin of a group has."""

    @property
    def calls(self) -> list[Session]: ...
    @property
    def spans(self) -> dict[int, list[occupancy.Span]]: ...


def figure(spec: MetricSpec, cells: Sequence[HasCalls], covered_us: int) -> Figure:
    """Returns a metric over the calls of some bins, which cover this time together."""
    name = name_of(spec)
    if name in occupancy.METRICS:
        spans = [span for cell in cells for span in cell.spans.get(with_defaults(spec).occupancy, ())]
        return _OF_SPANS[name](spans, covered_us)
    calls = [call for cell in cells for call in cell.calls]
    if name == "cps_peak":
        return max((busiest_second(cell.calls) for cell in cells), default=0)
    if name == "cps":
        return ratio(10**6 * len(calls), covered_us)
    family = next(names for names in _COMPUTED if name in names)
    return _COMPUTED[family](spec, calls)


_OF_SPANS: dict[str, Callable[[Sequence[occupancy.Span], int], Figure]] = {
    "occupied_us": lambda spans, covered_us: occupancy.total_us(spans),
    "erlang": lambda spans, covered_us: ratio(occupancy.total_us(spans), covered_us),
    "peak": lambda spans, covered_us: occupancy.peak(spans)[0],
    "peak_at": lambda spans, covered_us: occupancy.peak(spans)[1],
}


def _count(spec: MetricSpec, calls: Calls) -> int:
    return sum(COUNTS[name_of(spec)](spec, call) for call in calls)


def _share(spec: MetricSpec, calls: Calls) -> float | None:
    if name_of(spec) == "ner" and not any(_cause_known(spec, call) for call in calls):
        return None
    part, whole = SHARES[name_of(spec)]
    return ratio(100 * sum(part(spec, call) for call in calls), sum(whole(spec, call) for call in calls))


def _sum(spec: MetricSpec, calls: Calls) -> int:
    return sum(_known(duration_ms, calls))


def _mean(spec: MetricSpec, calls: Calls) -> float | None:
    values = _known(MEANS[name_of(spec)], calls)
    return ratio(sum(values), 1000 * len(values))


def _percentile(spec: MetricSpec, calls: Calls) -> int | None:
    return nearest_rank(_known(PERCENTILES[name_of(spec)], calls), spec.percentile)


def _amount(spec: MetricSpec, calls: Calls) -> str:
    return decimal_text(_total(AMOUNTS[name_of(spec)], calls))


def _margin_share(spec: MetricSpec, calls: Calls) -> float | None:
    return ratio(100 * _total(margin, calls), _total(revenue, calls))


_COMPUTED: dict[tuple[str, ...], Callable[[MetricSpec, Calls], Figure]] = {
    tuple(COUNTS): _count,
    tuple(SHARES): _share,
    ("duration_ms",): _sum,
    tuple(MEANS): _mean,
    tuple(PERCENTILES): _percentile,
    tuple(AMOUNTS): _amount,
    ("margin_share",): _margin_share,
}


def _known(value_of: Callable[[Session], int | None], calls: Calls) -> list[int]:
    return [value for call in calls if (value := value_of(call)) is not None]


def _total(amount_of: Callable[[Session], Fraction | None], calls: Calls) -> Fraction:
    return sum((amount_of(call) or Fraction(0) for call in calls), Fraction(0))


def ratio(numerator: int | Fraction, denominator: int | Fraction) -> float | None:
    """Returns the double that is nearest to a ratio."""
    return float(Fraction(numerator) / denominator) if denominator else None


def nearest_rank(values: Sequence[int], percentile: int) -> int | None:
    """Returns the least value that is not below `percentile` percent of the values."""
    if not values:
        return None
    return min(value for value in values if 100 * sum(v <= value for v in values) >= percentile * len(values))


def busiest_second(calls: Calls) -> int:
    return max(Counter(call.setup_us // 10**6 for call in calls).values(), default=0)


def decimal_text(amount: Fraction) -> str:
    """Returns an amount with as many decimals as it needs, at most nine."""
    units = amount * 10**9
    assert units.denominator == 1
    whole, fraction = divmod(abs(units.numerator), 10**9)
    return ("-" if amount < 0 else "") + f"{whole}.{fraction:09d}".rstrip("0").rstrip(".")


def exact(text: Figure) -> Fraction:
    """Returns the amount of a decimal text."""
    return Fraction(str(text))
