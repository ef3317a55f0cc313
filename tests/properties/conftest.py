"""Prints the size of a run and, at its end, the request counts."""

from collections import Counter

import pytest
import seeds

from . import budget


def pytest_report_header() -> str:
    return f"PEGCOUNT_EXAMPLES={budget.COUNT}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    _write_scope_outcomes(terminalreporter)
    _write_tallies(terminalreporter, "reports", "")
    _write_tallies(terminalreporter, "the traffic question", "traffic_")


def _write_tallies(terminalreporter: pytest.TerminalReporter, what: str, prefix: str) -> None:
    """Writes how many requests were compared with the oracle; their counts are properties with a prefix."""
    tallies = [
        (report.duration, dict(report.user_properties))
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if f"{prefix}requests" in dict(report.user_properties)
    ]
    if not tallies:
        return
    seconds = sum(duration for duration, _ in tallies)
    requests, refused, with_figures = (
        sum(tally[prefix + name] for _, tally in tallies) for name in ("requests", "refused", "with_figures")
    )
    terminalreporter.write_sep("-", f"{what} against the oracle")
    terminalreporter.write_line(
        f"PEGCOUNT_SEED={seeds.SEED} PEGCOUNT_EXAMPLES={budget.COUNT}: "
        f"{requests} requests, {refused} of them refused as they must be, {with_figures} with figures; "
        f"{requests / seconds:.0f} a second and worker"
    )


def _write_scope_outcomes(terminalreporter: pytest.TerminalReporter) -> None:
    """Writes how many requests of callers with data scopes had which outcome, by report."""
    tally: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            tally.update(dict(report.user_properties).get("scope_outcomes", {}))
    if tally:
        terminalreporter.write_sep("-", "callers with data scopes")
        terminalreporter.write_line(f"PEGCOUNT_SEED={seeds.SEED}: {tally.total()} requests")
        for name, count in sorted(tally.items()):
            terminalreporter.write_line(f"{name}: {count}")
