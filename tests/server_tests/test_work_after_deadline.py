"""No phase of a report works on for long after its deadline, or after its caller has left."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from dear_reports import NOW_S, REPORTS, batches
from pegcount import core
from pegcount.config import Config
from pegcount.errors import CancelledError, DeadlineError
from pegcount.server.reports import ReportService
from pegcount.store import EmbeddedStore

_ACTIVE_COUNT, _FINISHED_COUNT = 50_000, 100_000
_SECONDS_AFTER_MAX = 0.05
_STEPS = 6
_TRIES = 4
"""Other work of the machine delays single runs; the best of some shows what the report itself does."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportService]:
    # Limits so high that each report runs through all its phases.
    config = Config(
        answer_bytes_max=2**33,
        cell_count_max=2**30,
        subtotal_count_max=2**30,
        query_memory_bytes_max=2**33,
        query_memory_bytes_total_max=2**33,
    )
    directory: Path = tmp_path_factory.mktemp("dear")
    store = EmbeddedStore(directory, config, create=True, clock=lambda: NOW_S * 1_000_000)
    for batch in batches(_ACTIVE_COUNT, _FINISHED_COUNT):
        store.write(batch)
    yield ReportService(config, store, lambda: NOW_S * 1_000_000)
    store.close()


def _ask(service: ReportService, name: str, cancel_token: core.CancelToken) -> bytes:
    prepare = service.reports()[name.partition(",")[0]]
    return prepare(REPORTS[name].SerializeToString(), cancel_token).answer(cancel_token)


def _whole_seconds(service: ReportService, name: str) -> float:
    begin = time.perf_counter()
    assert _ask(service, name, core.CancelToken(None))
    return time.perf_counter() - begin


def _check(whole_seconds: float, seconds_after: Callable[[float], float]) -> None:
    """Stops a report after each of some shares of its whole time."""
    for step in range(_STEPS):
        limit_seconds = whole_seconds * step / _STEPS
        tries = [seconds_after(limit_seconds)]
        while tries[-1] >= _SECONDS_AFTER_MAX and len(tries) < _TRIES:
            tries.append(seconds_after(limit_seconds))
        assert tries[-1] < _SECONDS_AFTER_MAX, f"worked for {tries} s after {limit_seconds:.3f} s"


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_ends_at_its_deadline(service: ReportService, name: str) -> None:
    def seconds_after(limit_seconds: float) -> float:
        begin = time.perf_counter()
        with suppress(DeadlineError):
            _ask(service, name, core.CancelToken(limit_seconds))
        return time.perf_counter() - begin - limit_seconds

    _check(_whole_seconds(service, name), seconds_after)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_ends_when_its_caller_leaves(service: ReportService, name: str) -> None:
    def seconds_after(limit_seconds: float) -> float:
        token = core.CancelToken(None)
        cancelled_at: list[float] = []

        def cancel() -> None:
            cancelled_at.append(time.perf_counter())
            token.cancel()

        timer = threading.Timer(limit_seconds, cancel)
        timer.start()
        with suppress(CancelledError):
            _ask(service, name, token)
        ended_at = time.perf_counter()
        timer.cancel()
        timer.join()
        return ended_at - cancelled_at[0] if cancelled_at else 0.0

    _check(_whole_seconds(service, name), seconds_after)
