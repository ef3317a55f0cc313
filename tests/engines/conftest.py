"""Asked for without the engines, these tests are an error and not skipped; the run ends with its counts."""

from collections import Counter

import pytest

try:
    import chdb  # noqa: F401
    import duckdb  # noqa: F401
except ImportError as missing:
    raise pytest.UsageError(
        f"{missing}: pip install --require-hashes -r requirements/engines.txt, or make test-engines"
    ) from missing

from . import budget


def pytest_report_header() -> str:
    return f"PEGCOUNT_SEED={budget.SEED} PEGCOUNT_EXAMPLES={budget.COUNT}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            counts.update({name: count for name, count in report.user_properties if isinstance(count, int)})
    if counts:
        terminalreporter.write_sep("-", "reports against other engines")
        terminalreporter.write_line(f"PEGCOUNT_SEED={budget.SEED} PEGCOUNT_EXAMPLES={budget.COUNT}")
        for name, count in sorted(counts.items()):
            terminalreporter.write_line(f"{count:8} {name}")
