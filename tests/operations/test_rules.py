"""promtool accepts the rules and their tests, and these fail without the rules."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.prometheus import OPS, programs
from operations.queries import of_alert
from operations.scaling import faster, smaller_disk

_ALERT = re.compile(r"^      - alert: (\w+)\n        expr: (?:>-\n(?:          .*\n)+|.*\n)", re.MULTILINE)
_TESTS = ("rules_test.yml", "habits_test.yml")
_NAMES = _ALERT.findall((OPS / "alerts.yml").read_text(encoding="utf-8"))


def promtool(*arguments: str, directory: Path = OPS) -> "subprocess.CompletedProcess[str]":
    command = [str(programs() / "promtool"), *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", *_TESTS),
    ],
    ids=" ".join,
)
def test_promtool_is_satisfied(arguments: tuple[str, ...]) -> None:
    done = promtool(*arguments)
    print(f"\n{done.stdout.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_test_of_each_rule_fails_if_the_alert_never_fires(tmp_path: Path) -> None:
    assert _failed_tests(lambda _: "vector(1) < 0", tmp_path) == set(_NAMES)


def test_the_test_of_each_rule_fails_if_the_alert_fires_for_all_that_it_reads(tmp_path: Path) -> None:
    def all_it_reads(rule: re.Match[str]) -> str:
        read = " or ".join(query.expression.replace('!=""', '=~".*"') for query in of_alert(rule[1], rule[0]))
        return f"({read}) > -1e18"

    assert _failed_tests(all_it_reads, tmp_path) == set(_NAMES)


def _failed_tests(expression_of: Callable[[re.Match[str]], str], directory: Path) -> set[str]:
    """Returns the alerts whose tests fail if each has another expression."""

    def changed(rule: re.Match[str]) -> str:
        return f"      - alert: {rule[1]}\n        expr: '{expression_of(rule)}'\n"

    for name in _TESTS:
        shutil.copy(OPS / name, directory)
    rules = _ALERT.sub(changed, (OPS / "alerts.yml").read_text(encoding="utf-8"))
    (directory / "alerts.yml").write_text(rules, encoding="utf-8")
    done = promtool("test", "rules", *_TESTS, directory=directory)
    assert done.returncode != 0
    return set(re.findall(r'alertname=\\?"(\w+)', done.stderr))


def test_faster_rules_are_rules(tmp_path: Path) -> None:
    rules = smaller_disk(faster((OPS / "alerts.yml").read_text(encoding="utf-8"), 60))
    (tmp_path / "alerts.yml").write_text(rules, encoding="utf-8")
    assert promtool("check", "rules", "alerts.yml", directory=tmp_path).returncode == 0
    assert not re.search(r"[\[ :]\d+[mhd][\]:\s]", re.sub(r"description:.*|#.*", "", rules))


@pytest.mark.parametrize(
    ("production", "faster_by_60"),
    [
        ("for: 5m", "for: 5000ms"),
        ("increase(x[10m]) > 0", "increase(x[10000ms]) > 0"),
        (
            "quantile_over_time(0.5, (a - b)[1d:5m] offset 30m)",
            "quantile_over_time(0.5, (a - b)[1440000ms:5000ms] offset 30000ms)",
        ),
        ("time() - x > 15 * 60", "time() - x > 15 * 60 / 60"),
        ("x > 0.5", "x > 0.5"),
        ("is 5m for", "is 5m for"),
    ],
)
def test_durations_are_scaled(production: str, faster_by_60: str) -> None:
    assert faster(production, 60) == faster_by_60
