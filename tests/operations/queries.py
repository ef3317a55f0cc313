"""What the dashboard and the alerts ask Prometheus for."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from operations.prometheus import OPS

RATE_INTERVAL = "20s"
_VARIABLES = {"$__rate_interval": RATE_INTERVAL, "$job": "pegcount", "$instance": ".*", "$source": ".*"}
_SELECTOR = re.compile(r"\b(up|(?:pegcount|grpc_server|process)_[a-z_]+)\b(\{[^}]*\})?")
_LABEL = re.compile(r'(\w+)(?:=~|!~|!=|=)"')


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and where it is from."""

    origin: str
    expression: str


def of_dashboard() -> Iterator[Query]:
    """Yields each query of the dashboard, with values in place of its variables."""
    dashboard = json.loads((OPS / "dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Query(panel["title"], _with_values(target["expr"]))


def of_alert(name: str, expression: str) -> Iterator[Query]:
    """Yields a query for each series that an alert reads: it must have the labels that the alert asks for.

    The alert itself has data only while it fires.
    """
    for metric, matchers in sorted(set(_SELECTOR.findall(expression))):
        labels = sorted(set(_LABEL.findall(matchers)) - {"job"})
        wanted = ", ".join(f'{label}!=""' for label in labels)
        yield Query(name, f"{metric}{{{wanted}}}")


def _with_values(expression: str) -> str:
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression, expression
    return expression
