"""Converts `QueryTrafficRequest` to `TrafficQuery`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pegcount import calendar
from pegcount.config import Config
from pegcount.model import Granularity, OneOf, Present, SessionKind
from pegcount.request.list_limits import CAUSES_OF_METRIC
from pegcount.request.open_hours import open_hours
from pegcount.request.traffic_dimensions import (
    DIMENSIONS,
    INT64_MAX,
    INT64_MIN,
    Part,
    dimension_name,
    is_listed_in_records,
    is_of_local_time,
    is_of_terminating_leg,
    is_prefix,
)
from pegcount.request.traffic_filters import traffic_predicates
from pegcount.request.traffic_metrics import (
    METRICS,
    PARAMETERS,
    MetricRule,
    Parameter,
    metric_name,
    metrics_with,
)
from pegcount.request.validation import Check, RequestValidator, never_ends
from pegcount.traffic import (
    ANSWERED,
    CALLS,
    CAUSE_KNOWN,
    Comparison,
    Figure,
    Key,
    ListedValues,
    LocalTimeKey,
    OpenHours,
    Top,
    TrafficColumn,
    TrafficMeasure,
    TrafficPredicate,
    TrafficQuery,
)
from pegcount.v1 import records_pb2, reports_pb2, traffic_pb2
from pegcount.zone import US_PER_DAY, US_PER_SECOND, Zone

_THRESHOLD_MS_MAX: Final = 604_800_000
_PERCENTILE_MAX: Final = 99
_DIGITS_MAX: Final = 8
_INT32_MAX: Final = 2**31 - 1
_MOVED_DAYS_MAX: Final[Mapping[int, int]] = {
    Comparison.DAY: 1,
    Comparison.WEEK: 7,
    Comparison.MONTH: 31,
    Comparison.YEAR: 366,
}
"""Days by which a comparison moves a range at most, by the local clock."""
_SLACK_US: Final = 2 * US_PER_DAY
"""More than changes of a local clock add to that; one zone has left out a day."""
_CURRENCY_DIMENSIONS: Final = (
    traffic_pb2.TRAFFIC_DIMENSION_CURRENCY,
    traffic_pb2.TRAFFIC_DIMENSION_VENDOR_CURRENCY,
)


def traffic_query(
    request: traffic_pb2.QueryTrafficRequest, config: Config, check: Check = never_ends
) -> TrafficQuery:
    """Returns the query of a request; raises InvalidRequestError with its violations."""
    validator = RequestValidator(config, check)
    zone = validator.zone(request.time_zone if request.HasField("time_zone") else None)
    granularity = validator.enum("granularity", request.granularity, reports_pb2.Granularity)
    to_time = request.to_time if request.HasField("to_time") else None
    from_us, to_us = validator.range_us(request.from_time, to_time, zone)
    earliest_us = _earliest_us(request.compare, from_us, to_us)
    parts = _Parts(request, _LocalTime(zone, earliest_us, to_us), validator)
    keys = tuple(parts.keys())
    columns = tuple(parts.columns())
    top = parts.top()
    kind, filters = tuple(parts.kind()), tuple(parts.filters())
    code_deck = parts.code_deck()
    compare, hours = parts.compare(), parts.open_hours()
    validator.raise_violations()
    return TrafficQuery(
        from_us,
        to_us,
        Granularity(granularity) if granularity else None,
        zone,
        (*kind, *(each for predicates in filters for each in predicates)),
        keys,
        tuple(parts.measures),
        columns,
        top,
        code_deck,
        parts.has_currency_keys,
        parts.tells_of_causes,
        tuple(parts.listed_values()),
        parts.local_filters(filters),
        hours,
        compare,
        config.active_ttl_seconds * US_PER_SECOND,
    )


def _earliest_us(compare: int, from_us: int, to_us: int | None) -> int:
    """Returns an instant before which neither a range begins nor the earlier one, microseconds UTC."""
    if compare in _MOVED_DAYS_MAX:
        moved_us = _MOVED_DAYS_MAX[compare] * US_PER_DAY
    elif compare != Comparison.PREVIOUS_RANGE:
        return from_us
    elif to_us is None:
        # It is as long as the time until now.
        return min(0, from_us) - _SLACK_US
    else:
        moved_us = max(0, to_us - from_us)
    return from_us - moved_us - _SLACK_US


class _LocalTime:
    """Makes the keys of local times from an instant on, until the end of the range of a request."""

    def __init__(self, zone: Zone, from_us: int, to_us: int | None) -> None:
        self._zone, self._from_us, self._to_us = zone, from_us, to_us

    def __call__(self, part: Part) -> LocalTimeKey:
        return LocalTimeKey(part, *calendar.offsets_within(self._zone, self._from_us, self._to_us))


class _Parts:
    """The parts of a request, each validated on its own; those that depend on others come after them."""

    def __init__(
        self, request: traffic_pb2.QueryTrafficRequest, local_time: _LocalTime, validator: RequestValidator
    ) -> None:
        self._request = request
        self._local_time = local_time
        self._validator = validator
        self._dimensions = {spec.dimension for spec in request.group_by}
        self.measures = {CALLS: 0}
        """The number of each measure."""
        self.has_currency_keys = not self._dimensions.isdisjoint(_CURRENCY_DIMENSIONS)
        self.tells_of_causes = False

    def kind(self) -> Iterable[TrafficPredicate]:
        """Returns the predicates that every request has; reports attempts that are missing."""
        request, validator = self._request, self._validator
        kind = validator.enum("kind", request.kind, records_pb2.SessionKind) or SessionKind.CALL
        attempts = validator.enum("attempts", request.attempts, traffic_pb2.Attempts)
        named = [spec.dimension for spec in self._specs().values()]
        vendors = [each for each in named if each in DIMENSIONS and is_of_terminating_leg(each)]
        if vendors and not request.attempts:
            description = (
                f"is required with {dimension_name(vendors[0])}, such as ATTEMPTS_ALL: the last attempts of"
                " calls alone leave out those that failed at a vendor before another one took the call"
            )
            allowed = ", ".join(traffic_pb2.Attempts.keys()[1:])
            validator.add_violation("attempts", "REQUIRED_FIELD_MISSING", description, allowed=allowed)
        yield OneOf("kind", (kind,))
        if attempts != traffic_pb2.ATTEMPTS_ALL:
            yield OneOf("is_last_attempt", (1,))
        yield Present("end_time", wanted=True)

    def filters(self) -> Iterable[tuple[TrafficPredicate, ...]]:
        """Yields the predicates of each filter."""
        filters = self._validator.values("filters", self._request, "filters")
        return traffic_predicates(filters, self._local_time, self._validator)

    def local_filters(self, filters: Sequence[tuple[TrafficPredicate, ...]]) -> tuple[TrafficPredicate, ...]:
        """Returns those of the predicates by filter that are of local time; the filters must be valid."""
        by_filter = zip(self._request.filters, filters, strict=True)
        return tuple(
            each for spec, predicates in by_filter if is_of_local_time(spec.dimension) for each in predicates
        )

    def compare(self) -> Comparison | None:
        """Returns the earlier range to compare with, None for none."""
        request, validator = self._request, self._validator
        compare = validator.enum("compare", request.compare, traffic_pb2.Comparison)
        if compare == Comparison.YEAR and request.granularity == reports_pb2.GRANULARITY_WEEK:
            description = (
                "COMPARISON_YEAR does not go with bins of weeks, which begin on other dates a year earlier;"
                " use COMPARISON_WEEK, or another granularity"
            )
            allowed = "COMPARISON_PREVIOUS_RANGE, COMPARISON_DAY, COMPARISON_WEEK, COMPARISON_MONTH"
            validator.add_violation("compare", "CONFLICTING_FIELDS", description, allowed=allowed)
        return Comparison(compare) if compare else None

    def open_hours(self) -> OpenHours | None:
        """Returns the hours that count, None for all."""
        if not self._request.HasField("open_hours"):
            return None
        return open_hours(self._request.open_hours, self._validator)

    def listed_values(self) -> Iterable[ListedValues]:
        """Yields the values that records must carry for anything to be counted."""
        yield ListedValues("kind", "kind", (self._request.kind or SessionKind.CALL,))
        for index, each in enumerate(self._request.filters):
            is_open = each.negate or each.HasField("range") or each.HasField("text")
            if is_open or each.HasField("code_deck") or not is_listed_in_records(each.dimension):
                continue
            name = "texts" if each.texts else "integers"
            if values := tuple(dict.fromkeys(getattr(each, name))):
                yield ListedValues(f"filters[{index}].{name}", DIMENSIONS[each.dimension].column, values)

    def keys(self) -> Iterable[Key]:
        """Yields what records are grouped by."""
        first_index = dict[int, int]()
        for index, spec in enumerate(self._validator.values("group_by", self._request, "group_by")):
            field = f"group_by[{index}]"
            dimension = self._validator.required_enum(
                f"{field}.dimension", spec.dimension, traffic_pb2.TrafficDimension
            )
            if dimension and first_index.setdefault(dimension, index) != index:
                self._add_repeated(f"{field}.dimension", dimension_name(dimension), first_index[dimension])
            elif dimension:
                self._check_group(field, dimension, spec)
                yield DIMENSIONS[dimension].key(spec, self._local_time)

    def columns(self) -> Iterable[TrafficColumn]:
        """Yields the columns of the answer, and notes what they need."""
        if not self._request.metrics:
            allowed = ", ".join(traffic_pb2.TrafficMetric.keys()[1:])
            description = "needs one metric or more, such as TRAFFIC_METRIC_CALLS"
            self._validator.add_violation("metrics", "REQUIRED_FIELD_MISSING", description, allowed=allowed)
        first_index = dict[bytes, int]()
        for index, given in enumerate(self._validator.values("metrics", self._request, "metrics")):
            field = f"metrics[{index}]"
            metric = self._validator.required_enum(f"{field}.metric", given.metric, traffic_pb2.TrafficMetric)
            if not metric:
                continue
            spec = self._with_parameters(field, metric, given)
            if first_index.setdefault(_identity(spec), index) != index:
                self._add_repeated(field, metric_name(metric), first_index[_identity(spec)])
            yield self._column(metric, spec)

    def top(self) -> Top | None:
        """Returns which groups the answer has, None for all."""
        if not self._request.HasField("top"):
            return None
        top, metrics, validator = self._request.top, self._request.metrics, self._validator
        if not top.HasField("limit"):
            description = "is required: how many groups to return at most"
            validator.add_violation("top.limit", "REQUIRED_FIELD_MISSING", description)
        else:
            validator.number_within("top.limit", top.limit, 1, _INT32_MAX)
        if metrics:
            validator.number_within("top.metric", top.metric, 0, len(metrics) - 1)
        if 0 <= top.metric < len(metrics):
            self._check_rank(metrics[top.metric].metric)
        return Top(top.metric, top.limit, top.ascending, top.other)

    def code_deck(self) -> int | None:
        """Returns the code deck of all dimensions and filters; reports several, or one that some lack."""
        specs = self._specs()
        decks = {field: spec.code_deck for field, spec in specs.items() if spec.HasField("code_deck")}
        if not decks:
            return None
        first, deck = next(iter(decks.items()))
        for field, spec in specs.items():
            if field in decks and decks[field] != deck:
                description = (
                    f"is {decks[field]}, but {first}.code_deck is {deck}; a request reads one code deck"
                )
                allowed = f"{first}.code_deck, {field}.code_deck"
                self._validator.add_violation(
                    f"{field}.code_deck", "CONFLICTING_FIELDS", description, allowed=allowed
                )
            elif field not in decks and _could_be_of_deck(spec.dimension):
                description = (
                    f"is required, as {first} has one: rates are all of one code deck, or of the records"
                )
                self._validator.add_violation(f"{field}.code_deck", "REQUIRED_FIELD_MISSING", description)
        return deck

    def _specs(self) -> "dict[str, traffic_pb2.GroupSpec | traffic_pb2.TrafficFilter]":
        """Returns the dimensions and filters by their fields."""
        groups = {f"group_by[{index}]": spec for index, spec in enumerate(self._request.group_by)}
        filters = {f"filters[{index}]": spec for index, spec in enumerate(self._request.filters)}
        return {**groups, **filters}

    def _check_group(self, field: str, dimension: int, spec: traffic_pb2.GroupSpec) -> None:
        """Reports parameters that are missing, contradict each other or do not belong to a dimension."""
        taken = DIMENSIONS[dimension].parameters
        for name in ("digits", "code_deck"):
            if spec.HasField(name) and name not in taken:
                self._add_not_taken(f"{field}.{name}", dimension_name(dimension), _dimensions_with(name))
        if not is_prefix(dimension):
            return
        if spec.HasField("digits"):
            self._validator.number_within(f"{field}.digits", spec.digits, 1, _DIGITS_MAX)
            if spec.HasField("code_deck"):
                description = "only one of digits and code_deck may be set"
                allowed = f"{field}.digits, {field}.code_deck"
                self._validator.add_violation(field, "CONFLICTING_FIELDS", description, allowed=allowed)
        elif not spec.HasField("code_deck"):
            description = (
                f"is required: how many digits of the number to keep, 1 to {_DIGITS_MAX}; or code_deck"
            )
            self._validator.add_violation(f"{field}.digits", "REQUIRED_FIELD_MISSING", description)

    def _with_parameters(
        self, field: str, metric: int, given: traffic_pb2.MetricSpec
    ) -> traffic_pb2.MetricSpec:
        """Returns a metric with the parameters that are used; reports those that are wrong."""
        rule, validator = METRICS[metric], self._validator
        for name in PARAMETERS:
            if name != rule.parameter and _is_given(given, name):
                self._add_not_taken(f"{field}.{name}", metric_name(metric), metrics_with(name))
        spec = self._with_defaults(field, rule, given)
        if rule.parameter is not None and not _is_given(spec, rule.parameter):
            description = f"is required by {metric_name(metric)}{_EXAMPLES[rule.parameter]}"
            validator.add_violation(f"{field}.{rule.parameter}", "REQUIRED_FIELD_MISSING", description)
        elif rule.parameter == "threshold_ms":
            validator.number_within(f"{field}.threshold_ms", given.threshold_ms, 0, _THRESHOLD_MS_MAX)
        elif rule.parameter == "percentile":
            validator.number_within(f"{field}.percentile", given.percentile, 1, _PERCENTILE_MAX)
        return spec

    def _with_defaults(
        self, field: str, rule: MetricRule, given: traffic_pb2.MetricSpec
    ) -> traffic_pb2.MetricSpec:
        """Returns a metric with what its parameter is if it is not given; reports values that are wrong."""
        spec = traffic_pb2.MetricSpec()
        spec.CopyFrom(given)
        if rule.parameter == "causes":
            self._check_causes(f"{field}.causes", given.causes)
            if not given.causes:
                spec.causes.extend(rule.default_causes)
        if rule.parameter == "occupancy":
            self._validator.enum(f"{field}.occupancy", given.occupancy, traffic_pb2.Occupancy)
            spec.occupancy = given.occupancy or traffic_pb2.OCCUPANCY_TALK
        return spec

    def _check_causes(self, field: str, causes: Sequence[int]) -> None:
        if not self._validator.count_within(field, len(causes), CAUSES_OF_METRIC):
            return
        first_index = dict[int, int]()
        for index, cause in enumerate(causes):
            # The integer below marks a record without a cause, which would count as one that has this.
            self._validator.number_within(f"{field}[{index}]", cause, INT64_MIN, INT64_MAX)
            if first_index.setdefault(cause, index) != index:
                self._add_repeated(f"{field}[{index}]", str(cause), first_index[cause])

    def _column(self, metric: int, spec: traffic_pb2.MetricSpec) -> TrafficColumn:
        rule = METRICS[metric]
        figure: Figure = rule.figure(spec, self._measure_number)
        # Notices tell how many calls lack what the figure reads.
        if "disconnect_cause" in rule.columns:
            self.tells_of_causes = True
            self._measure_number(CAUSE_KNOWN)
        if rule.currencies:
            self._measure_number(ANSWERED)
        mixes = bool(rule.currencies) and self.has_currency_keys
        over_groups = traffic_pb2.ADDITIVITY_NONE if mixes else rule.over_groups
        header = traffic_pb2.TrafficColumn(metric=spec, over_bins=rule.over_bins, over_groups=over_groups)
        return TrafficColumn(header.SerializeToString(), figure, not mixes, rule.currencies)

    def _measure_number(self, measure: TrafficMeasure) -> int:
        return self.measures.setdefault(measure, len(self.measures))

    def _check_rank(self, metric: int) -> None:
        if metric in METRICS and METRICS[metric].currencies and self.has_currency_keys:
            description = (
                f"ranks groups by {metric_name(metric)}, and amounts in several currencies have no order;"
                " rank by another metric, or filter by a currency instead of grouping by it"
            )
            self._validator.add_violation("top.metric", "MIXED_CURRENCIES", description)
        if metric in METRICS and not METRICS[metric].has_order:
            others = [
                index
                for index, each in enumerate(self._request.metrics)
                if each.metric in METRICS and METRICS[each.metric].has_order
            ]
            description = (
                f"ranks groups by {metric_name(metric)}, an instant, by which none is more than another;"
                " rank by another metric, such as PEAK"
            )
            allowed = ", ".join(map(str, others))
            self._validator.add_violation("top.metric", "CONFLICTING_FIELDS", description, allowed=allowed)

    def _add_repeated(self, field: str, name: str, first_index: int) -> None:
        description = f"{name} is listed already, at position {first_index}"
        self._validator.add_violation(field, "REPEATED_NAME", description, value=name)

    def _add_not_taken(self, field: str, name: str, allowed: str) -> None:
        parameter = field.rpartition(".")[2]
        description = f"{name} takes no {parameter}; leave it out, as only these take it: {allowed}"
        self._validator.add_violation(field, "PARAMETER_NOT_ALLOWED", description, allowed=allowed)


_EXAMPLES: Final[dict[Parameter, str]] = {
    "threshold_ms": ": milliseconds, such as 6000",
    "percentile": f": 1 to {_PERCENTILE_MAX}, such as 95",
    "causes": ": release causes, such as 34",
    "occupancy": ", such as OCCUPANCY_TALK",
}


def _is_given(spec: traffic_pb2.MetricSpec, name: Parameter) -> bool:
    return bool(getattr(spec, name)) if name in ("causes", "occupancy") else spec.HasField(name)


def _identity(spec: traffic_pb2.MetricSpec) -> bytes:
    """Returns what two metrics have in common that give the same figures."""
    same = traffic_pb2.MetricSpec()
    same.CopyFrom(spec)
    same.ClearField("causes")
    same.causes.extend(sorted(set(spec.causes)))
    return same.SerializeToString(deterministic=True)


def _could_be_of_deck(dimension: int) -> bool:
    """Returns whether a dimension is that of a code deck, if the request has one."""
    return dimension in DIMENSIONS and DIMENSIONS[dimension].parameters == ("code_deck",)


def _dimensions_with(parameter: str) -> str:
    return ", ".join(
        dimension_name(number) for number, rule in DIMENSIONS.items() if parameter in rule.parameters
    )
