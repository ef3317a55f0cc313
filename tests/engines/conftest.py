"""Running these tests without the engines is an error rather than a skip; prints the counts at the end."""

from collections import Counter

import pytest
import seeds

try:
    import chdb  # noqa: F401
    import duckdb  # noqa: F401
except ImportError as missing:
    raise pytest.UsageError(
        f"{missing}: pip install --require-hashes -r requirements/engines.txt, or make test-engines"
    ) from missing

from . import budget


def pytest_report_header() -> str:
    return f"PEGCOUNT_EXAMPLES={budget.COUNT}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            counts.update({name: count for name, count in report.user_properties if isinstance(count, int)})
    if counts:
        terminalreporter.write_sep("-", "reports against other engines")
        terminalreporter.write_line(f"PEGCOUNT_SEED={seeds.SEED} PEGCOUNT_EXAMPLES={budget.COUNT}")
        for name, count in sorted(counts.items()):
            terminalreporter.write_line(f"{count:8} {name}")
