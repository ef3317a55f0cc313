"""A real Prometheus that scrapes one server every second, with the rules of production made faster."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from waiting import wait_until

from operations.debian import unpacked
from operations.free_port import free_port

OPS = Path(__file__).parents[2] / "ops"
_START_SECONDS_MAX = 60.0
_STOP_SECONDS_MAX = 20.0
_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: pegcount
    static_configs: [{{targets: ["{target}"]}}]
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A series and its present value."""

    labels: dict[str, str]
    value: float


def programs() -> Path:
    """Returns the directory of `prometheus` and `promtool`."""
    return unpacked("prometheus") / "usr" / "bin"


class Prometheus:
    """A Prometheus that runs."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}/api/v1"

    def query(self, expression: str) -> list[Sample]:
        """Returns what an expression gives now; raises AssertionError if Prometheus refuses it."""
        found = self._get("query", query=expression)["result"]
        return [Sample(each["metric"], float(each["value"][1])) for each in found]

    def firing(self) -> set[str]:
        """Returns the names of the alerts that fire."""
        alerts = self._get("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def annotations(self, alert: str) -> dict[str, str]:
        """Returns the texts of an alert that fires."""
        alerts = self._get("alerts")["alerts"]
        return next(dict(each["annotations"]) for each in alerts if each["labels"]["alertname"] == alert)

    def rule_faults(self) -> list[str]:
        """Returns the errors of rules that cannot be evaluated."""
        groups = self._get("rules")["groups"]
        return [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]

    def rules(self) -> dict[str, str]:
        """Returns the expression of each alert by its name."""
        groups = self._get("rules")["groups"]
        return {rule["name"]: rule["query"] for group in groups for rule in group["rules"]}

    def is_up(self) -> bool:
        """Whether it answers, which it refuses while it starts, and has scraped its server."""
        try:
            return any(sample.value == 1 for sample in self.query("up"))
        except OSError:
            return False

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        url = f"{self._url}/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                data: dict[str, Any] = json.load(answer)["data"]
                return data
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error


@contextmanager
def scraping(target: str, rules: str, directory: Path) -> Iterator[Prometheus]:
    """Runs Prometheus over the metrics at `HOST:PORT` until the end of the `with` block."""
    directory.mkdir()
    (directory / "rules.yml").write_text(rules, encoding="utf-8")
    config = directory / "prometheus.yml"
    config.write_text(_CONFIG.format(rules=directory / "rules.yml", target=target), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [str(programs() / "prometheus"), f"--config.file={config}", f"--web.listen-address={address}"]
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen([*command, f"--storage.tsdb.path={directory}/series"], stderr=log) as process,
    ):
        try:
            prometheus = Prometheus(address)
            wait_until(prometheus.is_up, "the first scrape", _START_SECONDS_MAX, look_seconds=0.2)
            yield prometheus
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
