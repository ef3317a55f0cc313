"""Limits of the work of reports: subtotals of a rollup, and bytes of memory."""

import gc
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from dear_reports import NOW_S, REPORTS, batches
from pegcount import core
from pegcount.config import Config
from pegcount.errors import AnswerTooLargeError, MemoryLimitError, SubtotalLimitError
from pegcount.server.call_clock import CallClock
from pegcount.server.prepared_report import PreparedReport
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2
from service import Service
from store_reports import StoreReports
from waiting import wait_until

from server_tests.refusal import refusal

_SESSION_COUNT = 2_000
_NAMES = list(REPORTS)

Open = Callable[..., "Asked"]


class Asked:
    """A store of 2,000 sessions and 2,000 finished calls, and reports over it within limits."""

    def __init__(self, directory: Path, config: Config) -> None:
        self.store = EmbeddedStore(directory, config, create=True, clock=lambda: NOW_S * 1_000_000)
        self._reports = StoreReports(config, self.store, lambda: NOW_S * 1_000_000)

    def answer(self, name: str) -> bytes:
        return self._prepared(name).answer(core.CancelToken(None), CallClock()).data

    def partials(self, name: str) -> core.Partials:
        """Returns the sums of the scan of a report, which hold memory as long as they exist."""
        return self.store.partials(self._prepared(name).scan, 10**6, core.CancelToken(None))

    def subtotal_count(self) -> int:
        """Returns the subtotals of the report of active sessions."""
        answer = reports_pb2.QueryActiveSessionsResponse.FromString(self.answer(_NAMES[0]))
        return len(answer.subtotals)

    def memory_bytes(self) -> int:
        """Returns the bytes that all queries hold."""
        return self.store.query_memory_bytes

    def _prepared(self, name: str) -> PreparedReport:
        data = REPORTS[name].SerializeToString()
        return self._reports.prepare(name.partition(",")[0], data, core.CancelToken(None))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    filled = tmp_path_factory.mktemp("filled")
    store = EmbeddedStore(filled, Config(), create=True, clock=lambda: NOW_S * 1_000_000)
    for batch in batches(_SESSION_COUNT, _SESSION_COUNT):
        store.write(batch)
    store.close()
    return filled


@pytest.fixture
def opened(directory: Path) -> Iterator[Open]:
    """Opens the store with limits of `Config`; the one opened before is closed."""
    with ExitStack() as stack:

        def open_store(**limits: int) -> Asked:
            stack.close()
            asked = Asked(directory, Config(**limits))  # type: ignore[arg-type]
            stack.callback(asked.store.close)
            return asked

        yield open_store


def test_a_rollup_may_have_the_allowed_subtotals_and_not_one_more(opened: Open) -> None:
    count = opened().subtotal_count()
    assert count > _SESSION_COUNT
    assert opened(subtotal_count_max=count).subtotal_count() == count
    with pytest.raises(SubtotalLimitError) as refused:
        opened(subtotal_count_max=count - 1).subtotal_count()
    assert refused.value.metadata == {"field": "grouping", "asked": str(count), "allowed": str(count - 1)}


@pytest.mark.parametrize("name", _NAMES)
def test_an_answer_may_have_the_allowed_bytes_and_not_one_more(opened: Open, name: str) -> None:
    size = len(opened().answer(name))
    assert len(opened(answer_bytes_max=size).answer(name)) == size
    with pytest.raises(AnswerTooLargeError) as refused:
        opened(answer_bytes_max=size - 1).answer(name)
    assert refused.value.metadata == {"asked": str(size), "allowed": str(size - 1)}


@pytest.mark.parametrize("name", _NAMES)
def test_a_report_that_needs_too_much_memory_is_refused_and_gives_it_back(opened: Open, name: str) -> None:
    asked = opened(query_memory_bytes_max=1_024)
    with pytest.raises(MemoryLimitError, match="1024 bytes") as refused:
        asked.answer(name)
    metadata = refused.value.metadata
    assert (metadata["scope"], metadata["allowed"]) == ("report", "1024")
    assert int(metadata["asked"]) > 1_024
    assert asked.memory_bytes() == 0


@pytest.mark.parametrize("name", _NAMES)
def test_an_answered_report_gives_its_memory_back(opened: Open, name: str) -> None:
    asked = opened()
    assert asked.answer(name)
    assert asked.memory_bytes() == 0


def test_reports_share_the_memory_of_the_server(opened: Open) -> None:
    asked = opened(query_memory_bytes_total_max=2**20)
    held = [asked.partials(_NAMES[1]) for _ in range(2)]
    with pytest.raises(MemoryLimitError) as refused:
        held.extend(asked.partials(_NAMES[1]) for _ in range(1_000))
    assert refused.value.metadata["scope"] == "server"
    assert 0 < asked.memory_bytes() <= 2**20
    held.clear()
    assert asked.memory_bytes() == 0
    assert asked.partials(_NAMES[1])


@pytest.mark.parametrize("name", _NAMES)
def test_a_report_whose_answer_fails_gives_its_memory_back(
    tmp_path: Path, directory: Path, name: str
) -> None:
    copied = shutil.copytree(directory, tmp_path / "data")
    with Service(copied, Config(answer_bytes_max=1_000), now_us=NOW_S * 1_000_000) as service:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = service.channel.unary_unary(
            f"/pegcount.v1.ReportService/{name.partition(',')[0]}"
        )
        gc.collect()
        gc.disable()
        try:
            refused = refusal(lambda: call(REPORTS[name].SerializeToString()))
            # The thread of the report may still be ending.
            wait_until(lambda: service.store.query_memory_bytes == 0, "the release of the memory")
        finally:
            gc.enable()
    assert refused.info.reason == "ANSWER_TOO_LARGE"
