"""The requests of `pegcount report traffic` and `pegcount report busy-hour`, from their options."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import typer
from pegcount_client.traffic_query import TEXT_DIMENSIONS

from pegcount.cli.report import names
from pegcount.cli.report.named_numbers import number_of
from pegcount.cli.report.open_hours_option import open_hours
from pegcount.cli.report.option_error import ReportOptionError
from pegcount.v1.reports_pb2 import Granularity
from pegcount.v1.traffic_pb2 import (
    Attempts,
    Comparison,
    GroupSpec,
    IntegerRange,
    MetricSpec,
    Occupancy,
    QueryTrafficRequest,
    TopSpec,
    TrafficDimension,
    TrafficFilter,
    TrafficMetric,
)

METRICS: Final = [name.removeprefix("TRAFFIC_METRIC_") for name in TrafficMetric.keys()[1:]]
DIMENSIONS: Final = [name.removeprefix("TRAFFIC_DIMENSION_") for name in TrafficDimension.keys()[1:]]
_ATTEMPTS: Final = [name.removeprefix("ATTEMPTS_") for name in Attempts.keys()[1:]]
_OCCUPANCIES: Final = [name.removeprefix("OCCUPANCY_") for name in Occupancy.keys()[1:]]
_COMPARISONS: Final = [name.removeprefix("COMPARISON_") for name in Comparison.keys()[1:]]
_PARAMETERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("SHORT_CALLS", "SHORT_SHARE", "ANSWERED_WITHIN"), "threshold_ms"),
    **dict.fromkeys(("RING_TIME_PERCENTILE", "DURATION_PERCENTILE", "PDD_PERCENTILE"), "percentile"),
    **dict.fromkeys(("CALLS_WITH_CAUSE", "DELIVERED", "NER"), "causes"),
    **dict.fromkeys(("OCCUPIED_US", "ERLANG", "PEAK", "PEAK_AT"), "occupancy"),
}
"""What stands behind a metric."""


def traffic_request(context: typer.Context, start: str, end: str | None) -> QueryTrafficRequest:
    """Returns the request of the options, for a range; raises ReportOptionError."""
    options = context.params
    occupancy = options["occupancy"]
    specs = [metric_of("--metric", text, occupancy) for text in options["metric"] or ()]
    if not specs:
        raise ReportOptionError(f"{context.info_name} needs --metric, such as --metric calls --metric asr")
    if occupancy is not None and not any(spec.occupancy for spec in specs):
        raise ReportOptionError(
            "--occupancy says when a call occupies a line; add --metric peak, peak_at, erlang or occupied_us"
        )
    granularity, compare = options["granularity"], options["compare"]
    request = _calls_that_count(options, start, end)
    request.MergeFrom(
        QueryTrafficRequest(
            granularity=None if granularity is None else names.granularity("--granularity", granularity),
            metrics=specs,
            top=_top(context, specs),
            compare=None
            if compare is None
            else f"COMPARISON_{names.known_name('--compare', compare, _COMPARISONS)}",
            open_hours=open_hours(options["open_hours"], options["closed"] or ()),
        )
    )
    return request


def busy_hour_request(context: typer.Context, start: str, end: str | None) -> QueryTrafficRequest:
    """Returns the request for the erlangs per quarter of an hour of a range; raises ReportOptionError."""
    request = _calls_that_count(context.params, start, end)
    request.granularity = Granularity.GRANULARITY_FIFTEEN_MINUTES
    request.metrics.append(metric_of("--metric", "ERLANG", context.params["occupancy"]))
    return request


def _calls_that_count(options: Mapping[str, Any], start: str, end: str | None) -> QueryTrafficRequest:
    attempts = options["attempts"]
    return QueryTrafficRequest(
        from_time=start,
        to_time=end,
        time_zone=options["time_zone"],
        group_by=[_group(text, options["code_deck"]) for text in options["by"] or ()],
        filters=_filters(options),
        attempts=None
        if attempts is None
        else f"ATTEMPTS_{names.known_name('--attempts', attempts, _ATTEMPTS)}",
        kind=names.kind("--kind", options["kind"]),
    )


def metric_of(option: str, text: str, occupancy: str | None) -> MetricSpec:
    """Returns the metric of `asr`, `pdd_percentile=95`, `ner=16,17` or `peak=seized`.

    `occupancy` is the value of `--occupancy`. Raises ReportOptionError.
    """
    name, _, given = text.partition("=")
    metric = names.known_name(option, name, METRICS)
    spec = MetricSpec(metric=f"TRAFFIC_METRIC_{metric}")
    parameter = _PARAMETERS.get(metric)
    if parameter == "occupancy":
        _set_occupancy(spec, given or occupancy, option if given else "--occupancy")
        return spec
    if not given:
        return spec
    if parameter is None:
        raise ReportOptionError(f"{option} {name} takes no value; leave out ={given}")
    if parameter == "causes":
        spec.causes.extend(_integer(option, each) for each in given.split(","))
    else:
        setattr(spec, parameter, _integer(option, given))
    return spec


def _set_occupancy(spec: MetricSpec, given: str | None, option: str) -> None:
    if given is not None:
        name = f"OCCUPANCY_{names.known_name(option, given, _OCCUPANCIES)}"
        spec.MergeFrom(MetricSpec(occupancy=name))


def _group(text: str, code_deck: int | None) -> GroupSpec:
    """Returns the dimension of `term_accounts_id` or `dst_prefix:4`."""
    name, _, digits = text.partition(":")
    dimension = names.known_name("--by", name, DIMENSIONS)
    spec = GroupSpec(dimension=f"TRAFFIC_DIMENSION_{dimension}")
    if digits:
        spec.digits = _integer("--by", digits)
    elif code_deck is not None and (dimension.endswith("_PREFIX") or "_RATES_" in dimension):
        spec.code_deck = code_deck
    elif dimension.endswith("_PREFIX"):
        raise ReportOptionError(
            f"--by {name} needs how many digits to keep, such as --by {name}:4, or --code-deck"
        )
    return spec


def _filters(options: Mapping[str, Any]) -> Iterator[TrafficFilter]:
    for option, negate in (("where", False), ("where_not", True)):
        for text in options[option] or ():
            yield _filter(f"--{option.replace('_', '-')}", text, negate, options["code_deck"])


def _filter(option: str, text: str, negate: bool, code_deck: int | None) -> TrafficFilter:
    """Returns the condition of `tenant_id=1,2`, `weekday=mon..fri`, `company=acme` or `folder=`."""
    name, sign, given = text.partition("=")
    if not sign:
        raise ReportOptionError(
            f"{option} {text} is not NAME=VALUE, such as tenant_id=1,2, cause=1..31, company=acme or folder="
        )
    dimension = names.known_name(option, name, DIMENSIONS)
    found = TrafficFilter(dimension=f"TRAFFIC_DIMENSION_{dimension}")
    if negate:
        found.negate = True
    if code_deck is not None and "_RATES_" in dimension:
        found.code_deck = code_deck
    if not given:
        found.absent = True
    elif dimension in TEXT_DIMENSIONS:
        _set_texts(option, found, given)
    elif ".." in given:
        low, _, high = given.partition("..")
        bounds = (number_of(dimension, option, each) if each else None for each in (low, high))
        found.range.CopyFrom(IntegerRange(**dict(zip(("low", "high"), bounds, strict=True))))
    else:
        found.integers.extend(number_of(dimension, option, each) for each in given.split(","))
    return found


def _set_texts(option: str, found: TrafficFilter, given: str) -> None:
    """Sets the texts of `acme,bell`, or a comparison as `*acme`, `acme*` or `*acme*`."""
    # Taken as a part of a text, a star or a comma would be looked for, and hardly any record has it.
    inner = given.removeprefix("*").removesuffix("*")
    if "*" in inner or ("," in inner and inner != given):
        raise ReportOptionError(
            f"{option}: {given!r} has a star, which only fits one text, at its begin or end, such as acme*;"
            " of prefixes, 44,49 are beginnings without it"
        )
    if not given.startswith("*") and not given.endswith("*"):
        found.texts.extend(given.split(","))
        return
    how = {(True, True): "contains", (True, False): "ends_with", (False, True): "starts_with"}
    comparison = how[given.startswith("*"), given.endswith("*")]
    setattr(found.text, comparison, inner)


def _top(context: typer.Context, specs: Sequence[MetricSpec]) -> TopSpec | None:
    options = context.params
    if options["top"] is None:
        for name, option in (("rank_by", "--rank-by"), ("ascending", "--ascending"), ("other", "--other")):
            if options[name]:
                raise ReportOptionError(f"{option} needs --top N: how many groups to return")
        return None
    rank = 0 if options["rank_by"] is None else _rank(options["rank_by"], specs, options["occupancy"])
    top = TopSpec(limit=options["top"], metric=rank)
    for name in ("ascending", "other"):
        if options[name]:
            setattr(top, name, True)
    return top


def _rank(text: str, specs: Sequence[MetricSpec], occupancy: str | None) -> int:
    """Returns the position of a metric that was asked for."""
    wanted = metric_of("--rank-by", text, occupancy)
    if wanted in specs:
        return list(specs).index(wanted)
    raise ReportOptionError(f"--rank-by {text} is not one of the metrics; add --metric {text}")


def _integer(option: str, text: str) -> int:
    return number_of("", option, text)
