"""The option `--alert` of `pegcount watch`."""

import re
from collections.abc import Sequence
from typing import Final

from pegcount.cli.report.option_error import ReportOptionError
from pegcount.cli.report.traffic_request import metric_of
from pegcount.v1.traffic_pb2 import AlertRule, MetricSpec

_NUMBER: Final = r"-?[0-9]+(?:\.[0-9]+)?"
_RULE: Final = re.compile(
    rf"(?P<metric>\S+?)\s*(?P<sign>[<>])\s*(?P<threshold>{_NUMBER})"
    rf"(?:\s+clear\s+(?P<clear>{_NUMBER}))?"
    r"(?:\s+for\s+(?P<bins>[0-9]{1,9}))?"
    r"(?:\s+if\s+calls\s*>=\s*(?P<least>[0-9]{1,18}))?"
)
_FORM: Final = "METRIC < NUMBER [clear NUMBER] [for BINS] [if calls >= NUMBER], with < or >"
_COMPARISONS: Final = {"<": "ALERT_COMPARISON_BELOW", ">": "ALERT_COMPARISON_ABOVE"}


def alert_rule(text: str, metrics: Sequence[MetricSpec], occupancy: str | None = None) -> AlertRule:
    """Returns the rule of `asr < 40 clear 50 for 3 if calls >= 50`; raises ReportOptionError.

    `metrics` are those that are asked for, `occupancy` is the value of `--occupancy`.
    """
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise ReportOptionError(f"--alert: {text!r} is not {_FORM}, such as asr < 40 for 3 if calls >= 50")
    wanted = metric_of("--alert", match["metric"], occupancy)
    if wanted not in metrics:
        raise ReportOptionError(
            f"--alert: {match['metric']} is not one of the metrics; add --metric {match['metric']}"
        )
    rule = AlertRule(
        metric=list(metrics).index(wanted),
        comparison=_COMPARISONS[match["sign"]],
        threshold=float(match["threshold"]),
    )
    if match["clear"] is not None:
        rule.clear_threshold = float(match["clear"])
    if match["bins"] is not None:
        rule.bins = int(match["bins"])
    if match["least"] is not None:
        rule.least_denominator = int(match["least"])
    return rule
