"""No phase of a report works on for long after its deadline, or after its caller has left."""

import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from dear_reports import NOW_S, REPORTS, batches
from pegcount import core
from pegcount.config import Config
from pegcount.errors import CancelledError, DeadlineError
from pegcount.server.call_clock import CallClock
from pegcount.store import EmbeddedStore
from store_reports import StoreReports

_ACTIVE_COUNT, _FINISHED_COUNT = 50_000, 100_000
_CPU_SECONDS_AFTER_MAX = 0.05
_STEPS = 6
_TRIES = 8
"""The store works in the background too; the best of some runs shows what the report itself does."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreReports]:
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
    yield StoreReports(config, store, lambda: NOW_S * 1_000_000)
    store.close()


def _ask(service: StoreReports, name: str, cancel_token: core.CancelToken) -> bytes:
    report = service.prepare(name.partition(",")[0], REPORTS[name].SerializeToString(), cancel_token)
    return report.answer(cancel_token, CallClock()).data


def _whole_seconds(service: StoreReports, name: str) -> float:
    begin = time.perf_counter()
    assert _ask(service, name, core.CancelToken(None))
    return time.perf_counter() - begin


def _check(service: StoreReports, name: str, cancel: bool) -> None:
    """Stops a report after each of some shares of its whole time, by its deadline or by its caller."""
    whole_seconds = _whole_seconds(service, name)
    for step in range(_STEPS):
        limit_seconds = whole_seconds * step / _STEPS
        tries: list[float] = []
        while not tries or (tries[-1] >= _CPU_SECONDS_AFTER_MAX and len(tries) < _TRIES):
            token = core.CancelToken(None if cancel else limit_seconds)
            at_limit = token.cancel if cancel else _nothing
            tries.append(_cpu_seconds_after(limit_seconds, at_limit, partial(_ask, service, name, token)))
        assert tries[-1] < _CPU_SECONDS_AFTER_MAX, f"worked for {tries} s after {limit_seconds:.3f} s"


def _cpu_seconds() -> float:
    """Returns the time that this process ran its own code.

    The system's time is left out: most of it goes into taking back the memory of the ended report, and
    grows with `query_memory_bytes_max`, which is far above its default here.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def _nothing() -> None:
    pass


def _cpu_seconds_after(limit_seconds: float, at_limit: Callable[[], None], ask: Callable[[], bytes]) -> float:
    """Returns the processor time that this process takes from `limit_seconds` to the end of a report."""
    cpu_seconds: list[float] = []

    def stop() -> None:
        cpu_seconds.append(_cpu_seconds())
        at_limit()

    timer = threading.Timer(limit_seconds, stop)
    timer.start()
    with suppress(CancelledError, DeadlineError):
        ask()
    cpu_seconds_at_end = _cpu_seconds()
    timer.cancel()
    timer.join()
    return cpu_seconds_at_end - cpu_seconds[0] if cpu_seconds else 0.0


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_ends_at_its_deadline(service: StoreReports, name: str) -> None:
    _check(service, name, cancel=False)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_ends_when_its_caller_leaves(service: StoreReports, name: str) -> None:
    _check(service, name, cancel=True)
