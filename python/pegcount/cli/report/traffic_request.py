"""The request of `pegcount report traffic`, from its options."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import typer
from pegcount_client.traffic_query import TEXT_DIMENSIONS

from pegcount.cli.report import names
from pegcount.cli.report.option_error import ReportOptionError
from pegcount.v1.traffic_pb2 import (
    Attempts,
    GroupSpec,
    IntegerRange,
    MetricSpec,
    QueryTrafficRequest,
    TopSpec,
    TrafficDimension,
    TrafficFilter,
    TrafficMetric,
)

METRICS: Final = [name.removeprefix("TRAFFIC_METRIC_") for name in TrafficMetric.keys()[1:]]
DIMENSIONS: Final = [name.removeprefix("TRAFFIC_DIMENSION_") for name in TrafficDimension.keys()[1:]]
_ATTEMPTS: Final = [name.removeprefix("ATTEMPTS_") for name in Attempts.keys()[1:]]
_PARAMETERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("SHORT_CALLS", "SHORT_SHARE", "ANSWERED_WITHIN"), "threshold_ms"),
    **dict.fromkeys(("RING_TIME_PERCENTILE", "DURATION_PERCENTILE", "PDD_PERCENTILE"), "percentile"),
    **dict.fromkeys(("CALLS_WITH_CAUSE", "DELIVERED", "NER"), "causes"),
}
"""What the number behind a metric is."""
_RANGE: Final = re.compile(r"(-?\d*)\.\.(-?\d*)")
_NUMBER: Final = re.compile(r"-?\d+")


def traffic_request(context: typer.Context, start: str, end: str | None) -> QueryTrafficRequest:
    """Returns the request of the options, for a range; raises ReportOptionError."""
    options = context.params
    specs = [_metric(text) for text in options["metric"] or ()]
    if not specs:
        raise ReportOptionError("report traffic needs --metric, such as --metric calls --metric asr")
    granularity, attempts = options["granularity"], options["attempts"]
    return QueryTrafficRequest(
        from_time=start,
        to_time=end,
        time_zone=options["time_zone"],
        granularity=None if granularity is None else names.granularity("--granularity", granularity),
        metrics=specs,
        group_by=[_group(text, options["code_deck"]) for text in options["by"] or ()],
        filters=_filters(options),
        attempts=None
        if attempts is None
        else f"ATTEMPTS_{names.known_name('--attempts', attempts, _ATTEMPTS)}",
        kind=names.kind("--kind", options["kind"]),
        top=_top(context, specs),
    )


def _metric(text: str) -> MetricSpec:
    """Returns the metric of `asr`, `pdd_percentile=95` or `ner=16,17`."""
    name, _, given = text.partition("=")
    metric = names.known_name("--metric", name, METRICS)
    spec = MetricSpec(metric=f"TRAFFIC_METRIC_{metric}")
    if not given:
        return spec
    parameter = _PARAMETERS.get(metric)
    if parameter is None:
        raise ReportOptionError(f"--metric {name} takes no value; leave out ={given}")
    if parameter == "causes":
        spec.causes.extend(_integer("--metric", each) for each in given.split(","))
    else:
        setattr(spec, parameter, _integer("--metric", given))
    return spec


def _group(text: str, code_deck: int | None) -> GroupSpec:
    """Returns the dimension of `term_accounts_id` or `dst_prefix:4`."""
    name, _, digits = text.partition(":")
    dimension = names.known_name("--by", name, DIMENSIONS)
    spec = GroupSpec(dimension=f"TRAFFIC_DIMENSION_{dimension}")
    if digits:
        spec.digits = _integer("--by", digits)
    elif code_deck is not None and (dimension.endswith("_PREFIX") or "_RATES_" in dimension):
        spec.code_deck = code_deck
    return spec


def _filters(options: Mapping[str, Any]) -> Iterator[TrafficFilter]:
    for option, negate in (("where", False), ("where_not", True)):
        for text in options[option] or ():
            yield _filter(f"--{option.replace('_', '-')}", text, negate, options["code_deck"])


def _filter(option: str, text: str, negate: bool, code_deck: int | None) -> TrafficFilter:
    """Returns the condition of `tenant_id=1,2`, `cause=1..31`, `company=acme` or `folder=`."""
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
    elif (bounds := _RANGE.fullmatch(given)) is not None:
        low, high = (int(each) if each else None for each in bounds.groups())
        found.range.CopyFrom(IntegerRange(low=low, high=high))
    else:
        found.integers.extend(_integer(option, each) for each in given.split(","))
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
    rank = 0 if options["rank_by"] is None else _rank(options["rank_by"], specs)
    top = TopSpec(limit=options["top"], metric=rank)
    for name in ("ascending", "other"):
        if options[name]:
            setattr(top, name, True)
    return top


def _rank(text: str, specs: Sequence[MetricSpec]) -> int:
    """Returns the position of a metric that was asked for."""
    wanted = _metric(text)
    if wanted in specs:
        return list(specs).index(wanted)
    raise ReportOptionError(f"--rank-by {text} is not one of the metrics; add --metric {text}")


def _integer(option: str, text: str) -> int:
    if _NUMBER.fullmatch(text.strip()) is None:
        raise ReportOptionError(f"{option}: {text!r} is not a whole number")
    return int(text)
