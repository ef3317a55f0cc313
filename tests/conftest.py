"""Gives every test of a run one seed, and prints it; keeps servers off the default port of metrics."""

import os
import signal
from collections.abc import Iterator

import pytest
import seeds
from clickhouse.rig import Rig
from hypothesis import settings

# Of the servers that tests start at the same time, only one could have the default port.
os.environ["PEGCOUNT_METRICS_LISTEN"] = "none"

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("pegcount", deadline=None)
settings.load_profile("pegcount")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Seeds the hypothesis tests that have no seed of their own, before the plugin reads its option."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(seeds.SEED)


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Gives signals their handlers back: programs that a later test starts would ignore what is ignored."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for each, handler in before.items():
        if signal.getsignal(each) is not handler:
            signal.signal(each, handler)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Two ClickHouse servers; who uses them takes databases of names of its own, and stops neither.

    Each worker has two of its own, which start in less than a second: nothing of them needs to be agreed.
    """
    with Rig(tmp_path_factory.mktemp("clickhouse")) as rig:
        yield rig


def pytest_report_header() -> str:
    return f"PEGCOUNT_SEED={seeds.SEED}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(f"to repeat: PEGCOUNT_SEED={seeds.SEED}")
