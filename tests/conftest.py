"""Gives every test of a run one seed, and prints it."""

import pytest
import seeds
from hypothesis import settings

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("pegcount", deadline=None)
settings.load_profile("pegcount")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Seeds the hypothesis tests that have no seed of their own, before the plugin reads its option."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(seeds.SEED)


def pytest_report_header() -> str:
    return f"PEGCOUNT_SEED={seeds.SEED}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(f"to repeat: PEGCOUNT_SEED={seeds.SEED}")
