"""Notices of reports."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Timer, current_thread
from typing import Any

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.errors import (
    CancelledError,
    DataDamagedError,
    DeadlineError,
    MemoryLimitError,
    StoreUnavailableError,
)
from pegcount.server.call_clock import CallClock
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, WriteRecordsRequest
from service import NOW_US, Service
from store_reports import StoreReports
from waiting import stays

from server_tests.example_requests import (
    ASK_ACTIVE,
    ASK_FOLDER,
    ASK_QUALITY,
    ASK_USAGE,
    call_record,
    changed,
)


def first_day_that_never_comes(cancel_token: core.CancelToken) -> int | None:
    """Stands for a store that asks other hosts, and ends only with the call."""

    def goes_on() -> bool:
        cancel_token.check()
        return True

    stays(goes_on, 10.0)
    return None


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("QueryAsrUsage", ASK_USAGE),
        ("QueryFolderStats", ASK_FOLDER),
        ("QueryOriginationQuality", ASK_QUALITY),
    ],
)
@pytest.mark.parametrize("error", [DeadlineError, CancelledError])
def test_a_report_that_waits_for_the_first_day_ends_with_its_call(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    message: Any,
    error: type[Exception],
) -> None:
    store = EmbeddedStore(tmp_path, Config(), create=True)
    store.write(WriteRecordsRequest(records=[call_record("c1")]).SerializeToString())
    monkeypatch.setattr(store, "first_day", first_day_that_never_comes)
    reports = StoreReports(Config(), store, lambda: NOW_US)
    report = reports.prepare(method, message.SerializeToString(), core.CancelToken(None))
    token = core.CancelToken(0.1 if error is DeadlineError else None)
    if error is CancelledError:
        Timer(0.1, token.cancel).start()
    with pytest.raises(error):
        report.answer(token, CallClock())
    store.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as opened:
        opened.write(call_record("c1"), call_record("c2", account_id="a2"))
        yield opened


UNKNOWN_ACCOUNT = changed(ASK_QUALITY, account_id="a3")


def only_notice(answer: Any) -> tuple[int, str, dict[str, str]]:
    [notice] = answer.notices
    return notice.code, notice.text, dict(notice.metadata)


def test_the_notice_about_an_account(service: Service) -> None:
    assert only_notice(service.reports.QueryOriginationQuality(UNKNOWN_ACCOUNT)) == (
        reports_pb2.NOTICE_CODE_ACCOUNT_NOT_SEEN,
        'no record held carries account_id "a3"',
        {"field": "account_id", "values": "a3", "value_count": "1"},
    )


def test_the_notice_about_a_kind(service: Service) -> None:
    assert only_notice(service.reports.QueryAsrUsage(ASK_USAGE)) == (
        reports_pb2.NOTICE_CODE_KIND_NOT_SEEN,
        'no record held is of kind "SESSION_KIND_ASR"',
        {"field": "kind", "values": "SESSION_KIND_ASR", "value_count": "1"},
    )


def test_a_notice_lists_ten_values_and_counts_all(service: Service) -> None:
    request = changed(ASK_USAGE, kind=SESSION_KIND_CALL, app_ids=[*range(12), 3])
    code, text, metadata = only_notice(service.reports.QueryAsrUsage(request))
    assert code == reports_pb2.NOTICE_CODE_ID_NOT_SEEN
    assert text == "no record held carries app_ids " + ", ".join(f'"{number}"' for number in range(12))
    assert metadata == {
        "field": "app_ids",
        "values": "0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "value_count": "12",
    }


def test_the_text_of_a_notice_stays_short(service: Service) -> None:
    filters = reports_pb2.ActiveSessionFilters(
        orig_rates_code=[f"{number}{'x' * 500}" for number in range(9)]
    )
    [notice] = service.reports.QueryActiveSessions(changed(ASK_ACTIVE, filters=filters)).notices
    assert notice.text.endswith('..." and 8 more')
    assert len(notice.text) < 200
    assert len(notice.metadata["values"]) < 1_100


def test_values_that_some_record_carries_get_no_notice(service: Service) -> None:
    later = {"from_time": "2026-03-30", "to_time": "2026-03-30T01:00:00"}
    answer = service.reports.QueryOriginationQuality(changed(ASK_QUALITY, **later))
    assert (answer.totals.total_calls, len(answer.notices)) == (0, 0)


class Searches:
    """Watches the searches for single values in the store of a service."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[str] = []
        self.tokens: list[core.CancelToken] = []
        self.begun = Event()
        self.behave: Callable[[core.CancelToken], bool] = lambda _: False
        monkeypatch.setattr(service.store, "any_match", self._search)

    def _search(self, _: object, cancel_token: core.CancelToken) -> bool:
        self.threads.append(current_thread().name.partition("_")[0])
        self.tokens.append(cancel_token)
        self.begun.set()
        return self.behave(cancel_token)


def searches_without_end(cancel_token: core.CancelToken) -> bool:
    first_day_that_never_comes(cancel_token)
    return False


def test_the_search_runs_on_a_thread_of_its_own(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    searches = Searches(service, monkeypatch)
    assert service.reports.QueryOriginationQuality(UNKNOWN_ACCOUNT).notices
    monkeypatch.setattr(service.store, "estimate", lambda _: None)
    assert service.reports.QueryOriginationQuality(UNKNOWN_ACCOUNT).notices
    assert searches.threads == ["search-report"] * 2


def test_a_report_that_counts_something_searches_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = Searches(service, monkeypatch)
    assert service.reports.QueryOriginationQuality(ASK_QUALITY).totals.total_calls == 1
    assert searches.threads == []


@pytest.mark.parametrize(
    "limits", [{"notice_seconds_max": 0.1}, {"query_seconds_max": 0.5}, {"notice_seconds_max": 0.0}]
)
def test_an_answer_goes_out_without_notices_that_take_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, float]
) -> None:
    with Service(tmp_path, Config(**limits)) as service:  # type: ignore[arg-type]
        Searches(service, monkeypatch).behave = searches_without_end
        answer = service.reports.QueryOriginationQuality(UNKNOWN_ACCOUNT, timeout=20)
    assert (answer.rows, len(answer.notices)) == (24, 0)


def test_the_search_leaves_half_of_the_time_of_the_caller(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = Searches(service, monkeypatch)
    searches.behave = searches_without_end
    assert service.reports.QueryOriginationQuality(UNKNOWN_ACCOUNT, timeout=4).rows == 24
    assert searches.begun.is_set()


@pytest.mark.parametrize(
    "error",
    [
        DataDamagedError("a file is damaged"),
        StoreUnavailableError("no shard answers", 1.0),
        MemoryLimitError("too much", scope="server"),
    ],
)
def test_a_failed_search_does_not_fail_the_answer(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: core.CancelToken) -> bool:
        raise error

    Searches(service, monkeypatch).behave = fail
    answer = service.reports.QueryOriginationQuality(UNKNOWN_ACCOUNT)
    assert (answer.rows, len(answer.notices)) == (24, 0)


def test_a_full_queue_does_not_fail_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(notice_worker_count=1, waiting_notice_count_max=0, notice_seconds_max=20.0)
    with Service(tmp_path, config) as service:
        searches = Searches(service, monkeypatch)
        go = Event()
        searches.behave = lambda _: not go.wait(20)
        waiting = service.reports.QueryOriginationQuality.future(UNKNOWN_ACCOUNT, timeout=20)
        assert searches.begun.wait(20)
        refused = service.reports.QueryOriginationQuality(UNKNOWN_ACCOUNT, timeout=20)
        go.set()
        assert [len(refused.notices), len(waiting.result().notices)] == [0, 1]


def test_a_search_ends_with_its_call(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Event()

    def search(cancel_token: core.CancelToken) -> bool:
        try:
            return searches_without_end(cancel_token)
        except CancelledError:
            ended.set()
            raise

    searches = Searches(service, monkeypatch)
    searches.behave = search
    call = service.reports.QueryOriginationQuality.future(UNKNOWN_ACCOUNT, timeout=20)
    assert searches.begun.wait(20)
    call.cancel()
    assert ended.wait(1.5), "the search went on until its own limit"
