"""Random traffic requests that suit a random world."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from pegcount.v1 import records_pb2, traffic_pb2
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.v1.traffic_pb2 import (
    GroupSpec,
    IntegerRange,
    MetricSpec,
    OpenHours,
    QueryTrafficRequest,
    TopSpec,
    TrafficFilter,
)

from oracle import calendar, requests
from oracle.strategies import DIMENSIONS as POOLS
from oracle.strategies import Dice, World

from . import figures, occupancy
from .dimensions import PREFIXES, field_of

_DIMENSIONS = [number for _, number in traffic_pb2.TrafficDimension.items() if number]
_OFTEN = [
    traffic_pb2.TrafficDimension.Value(f"TRAFFIC_DIMENSION_{name}")
    for name in (
        *("ACCOUNT_ID", "TERM_ACCOUNTS_ID", "CAUSE", "CAUSE_CLASS", "DST_PREFIX", "SRC_PREFIX", "CURRENCY"),
        *("HOUR_OF_DAY", "WEEKDAY", "ORIG_RATES_COUNTRY", "FOLDER", "RELEASE_PARTY", "SIP_STATUS"),
    )
]
_CURRENCIES = (traffic_pb2.TRAFFIC_DIMENSION_CURRENCY, traffic_pb2.TRAFFIC_DIMENSION_VENDOR_CURRENCY)
_FIELDS = {"cause": "disconnect_cause", "last_attempt": "is_last_attempt"}
_NUMBERS = {
    *("kind", "tenant_id", "app_id", "comp_id", "equipment_id", "src_country_id", "dst_country_id", "cause"),
    *("cause_class", "sip_status", "release_party", "last_attempt", "hour_of_day", "weekday"),
    *(f"{leg}_{name}" for leg in ("orig", "term") for name in ("companies_id", "owner_users_id")),
    *(f"{leg}_{name}" for leg in ("orig", "term") for name in ("clients_id", "accounts_id")),
}
_ALLOWED = {"kind": (1, 3), "last_attempt": (0, 1), "hour_of_day": (0, 23), "weekday": (1, 7)}
_METRICS = list(figures.METRICS)
_NOT_MONEY = [name for name in _METRICS if name not in figures.MONEY]
_THRESHOLDS_MS = (0, 1, 400, 999, 1_000, 1_001, 6_000, 60_000, 604_800_000)
_PERCENTILES = (50, 95, 1, 99, 90, 33)
_CAUSES = (16, 17, 34, 0, -1)
_TIMES_OF_DAY = ("08:00", "18:00", "00:00", "02:30", "03:00", "22:00", "00:01", "23:59", "12:15")
_COMPARISONS = tuple(number for number in traffic_pb2.Comparison.values() if number)


def _is_counted(record: SessionRecord) -> bool:
    is_call = record.kind in (records_pb2.SESSION_KIND_UNSPECIFIED, records_pb2.SESSION_KIND_CALL)
    return is_call and record.HasField("end_time")


@st.composite
def traffic_requests(draw: st.DrawFn, world: World) -> QueryTrafficRequest:
    """Draws mostly valid requests with every metric, dimension, filter and way to rank."""
    dice = Dice(draw(st.binary(min_size=180, max_size=180)))
    granularity = dice.pick((0, 0, 0, *requests.GRANULARITIES))
    pivot_us, record = requests.pivot(dice, world, _is_counted)
    range_fields = draw(requests.range_fields(world, granularity or dice.pick((5, 6, 8)), pivot_us))
    request = QueryTrafficRequest(**range_fields, metrics=_metrics(dice))
    if granularity:
        request.granularity = granularity
    deck = dice.pick((None, None, None, None, 1, 1, 2, 2, dice.pick((None, None, 7))))
    for dimension in dict.fromkeys(_dimension(dice) for _ in range(dice.pick((1, 1, 0, 2, 3, 4)))):
        request.group_by.append(_group(dice, dimension, deck))
    for _ in range(dice.pick((0, 0, 0, 0, 1, 1, 2))):
        request.filters.append(_filter(dice, _dimension(dice), deck, record))
    if any(figures.name_of(spec) in figures.MONEY for spec in request.metrics):
        _separate_currencies(dice, request)
    if _has_vendors(request) or dice.below(2):
        request.attempts = dice.pick(
            (traffic_pb2.ATTEMPTS_ALL, traffic_pb2.ATTEMPTS_ALL, traffic_pb2.ATTEMPTS_LAST)
        )
    request.kind = dice.pick((*[0] * 12, record.kind, 1, 2, 3))  # type: ignore[assignment]
    if request.group_by and dice.below(2):
        request.top.CopyFrom(_top(dice, request))
    _add_other_times(dice, request, pivot_us)
    return request


_DAMAGES: tuple[Callable[[QueryTrafficRequest], object], ...] = (
    lambda request: setattr(request.metrics[0], "occupancy", 9),
    lambda request: setattr(request.metrics[-1], "occupancy", traffic_pb2.OCCUPANCY_TALK),
    lambda request: setattr(request, "compare", 9),
    lambda request: request.open_hours.weekdays.extend((0, 3, 3, 8)),
    lambda request: request.open_hours.weekdays.extend(range(1, 9)),
    lambda request: request.open_hours.MergeFrom(OpenHours(from_time="24:00", to_time="7:00")),
    lambda request: request.open_hours.MergeFrom(OpenHours(from_time="", to_time="24:01")),
    lambda request: request.open_hours.excluded_dates.extend(("2026-02-30", "2026-12-25", "20261225")),
    lambda request: request.open_hours.excluded_dates.extend(["2026-12-25"] * 401),
    lambda request: request.top.MergeFrom(TopSpec(limit=1, metric=len(request.metrics) - 1)),
)


def _add_other_times(dice: Dice, request: QueryTrafficRequest, pivot_us: int) -> None:
    """Compares some requests, asks some for open hours alone, and breaks the rules of that in a few."""
    if dice.below(4) == 3:
        request.compare = dice.pick(_COMPARISONS)  # type: ignore[assignment]
    if dice.below(4) == 3:
        request.open_hours.CopyFrom(_open_hours(dice, pivot_us))
    if dice.below(16) == 15:
        for damage in (dice.pick(_DAMAGES), dice.pick(_DAMAGES)):
            damage(request)


def _open_hours(dice: Dice, pivot_us: int) -> OpenHours:
    found = OpenHours(from_time=dice.pick(_TIMES_OF_DAY), to_time=dice.pick((*_TIMES_OF_DAY, "24:00")))
    if dice.below(2):
        first = 1 + dice.below(7)
        found.weekdays.extend(range(first, 1 + first + dice.below(8 - first)))
    for _ in range(dice.pick((0, 0, 1, 2))):
        day = calendar.date_of("UTC", pivot_us) + timedelta(days=dice.pick((0, 1, -1, 7, -7)))
        text = dice.pick((day.isoformat(), day.strftime("%Y%m%d")))
        if calendar.FIRST_DATE <= day <= calendar.LAST_DATE and text not in found.excluded_dates:
            found.excluded_dates.append(text)
    return found


def _separate_currencies(dice: Dice, request: QueryTrafficRequest) -> None:
    """Groups or filters by the two currencies, in most requests, as amounts in several are refused."""
    wanted = [dimension for dimension in _CURRENCIES if dice.below(6)]
    if dice.below(2):
        request.filters.extend(TrafficFilter(dimension=each, texts=["EUR"]) for each in wanted)
        return
    del request.group_by[2:]
    grouped = {spec.dimension for spec in request.group_by}
    for dimension in wanted:
        if dimension not in grouped:
            request.group_by.append(GroupSpec(dimension=dimension))


def _metrics(dice: Dice) -> list[MetricSpec]:
    names = _NOT_MONEY if dice.below(3) else _METRICS
    if dice.below(3) == 2:
        names = [*names, *occupancy.METRICS * 8]
    found: list[MetricSpec] = []
    for _ in range(dice.pick((3, 1, 2, 5, 8))):
        spec = _metric(dice, dice.pick(names))
        if figures.with_defaults(spec) not in map(figures.with_defaults, found):
            found.append(spec)
    return found


def _metric(dice: Dice, name: str) -> MetricSpec:
    spec = MetricSpec(metric=f"TRAFFIC_METRIC_{name.upper()}")
    if name in ("short_calls", "short_share", "answered_within"):
        spec.threshold_ms = dice.pick(_THRESHOLDS_MS)
    if name in figures.PERCENTILES:
        spec.percentile = dice.pick(_PERCENTILES)
    if name in occupancy.METRICS:
        spec.occupancy = dice.pick((0, traffic_pb2.OCCUPANCY_SEIZED, traffic_pb2.OCCUPANCY_TALK))  # type: ignore[assignment]
    if name == "calls_with_cause" or (name in ("delivered", "ner") and dice.below(3) == 2):
        first = dice.below(len(_CAUSES) - 1)
        spec.causes.extend(_CAUSES[first : first + 1 + dice.below(3)])
    return spec


def _dimension(dice: Dice) -> int:
    return dice.pick(dice.pick((_OFTEN, _DIMENSIONS)))


def _group(dice: Dice, dimension: int, deck: int | None) -> GroupSpec:
    spec = GroupSpec(dimension=dimension)  # type: ignore[arg-type]
    if dimension in PREFIXES and (deck is None or dice.below(2)):
        spec.digits = dice.pick((2, 1, 3, 8))
    elif deck is not None and (dimension in PREFIXES or _is_rated(dimension)):
        spec.code_deck = deck
    return spec


def _is_rated(dimension: int) -> bool:
    return "_rates_" in field_of(dimension)


def _has_vendors(request: QueryTrafficRequest) -> bool:
    specs: list[Any] = [*request.group_by, *request.filters]
    return any(field_of(spec.dimension).startswith(("term_", "vendor_")) for spec in specs)


def _filter(dice: Dice, dimension: int, deck: int | None, record: SessionRecord) -> TrafficFilter:
    found = TrafficFilter(dimension=dimension)  # type: ignore[arg-type]
    if deck is not None and _is_rated(dimension):
        found.code_deck = deck
    (_add_numbers if field_of(dimension) in _NUMBERS else _add_texts)(dice, found, record)
    if dice.below(4) == 3:
        found.absent = True
    if dice.below(4) == 3:
        found.negate = True
    return found


def _add_numbers(dice: Dice, found: TrafficFilter, record: SessionRecord) -> None:
    name = field_of(found.dimension)
    own = int(getattr(record, _FIELDS.get(name, name), 0) or 0)
    least, greatest = _ALLOWED.get(name, (-(2**63), 2**63 - 1))
    drawn = (own, own, own + 1, 0, 1, 2, 3, 12, 16)
    values = [value for value in drawn if least <= value <= greatest]
    how = dice.pick(("integers", "integers", "range", "both"))
    if how != "range":
        found.integers.extend(dict.fromkeys(dice.pick(values) for _ in range(dice.pick((1, 2, 3)))))
    if how != "integers":
        low, high = sorted((dice.pick(values), dice.pick(values)))
        bounds: tuple[dict[str, int], ...] = ({"low": low, "high": high}, {"low": low}, {"high": high})
        found.range.CopyFrom(IntegerRange(**dice.pick(bounds)))


def _add_texts(dice: Dice, found: TrafficFilter, record: SessionRecord) -> None:
    name = PREFIXES.get(found.dimension, field_of(found.dimension))
    # A plus sign alone is refused, as the rest of a number or as its beginning.
    pool = [value for value in POOLS.get(name, ()) if value and value != "+"]
    own = getattr(record, name).rstrip("+") or "4"
    first = own[: 1 + own.startswith("+")]
    how = dice.pick(("texts", "texts", "text", "both"))
    if how != "text":
        found.texts.extend(dict.fromkeys(dice.pick((own, first, *pool)) for _ in range(dice.pick((1, 2)))))
    if how != "texts":
        compared = dice.pick(("eq", "starts_with", "ends_with", "contains"))
        text = dice.pick((own, first, own[-1:], *pool))
        is_inner = found.dimension in PREFIXES and compared in ("ends_with", "contains")
        setattr(found.text, compared, text.lstrip("+") if is_inner else text)


def _top(dice: Dice, request: QueryTrafficRequest) -> TopSpec:
    allowed = [i for i, spec in enumerate(request.metrics) if figures.name_of(spec) != "peak_at"]
    if any(spec.dimension in _CURRENCIES for spec in request.group_by):
        allowed = [i for i in allowed if figures.name_of(request.metrics[i]) not in figures.MONEY]
    top = TopSpec(limit=dice.pick((1, 2, 3, 100)), ascending=bool(dice.below(2)), other=bool(dice.below(3)))
    if allowed:
        top.metric = dice.pick(allowed)
    else:
        request.metrics.append(MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS))
        top.metric = len(request.metrics) - 1
    return top
