"""Notices of reports."""

from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.errors import CancelledError, DeadlineError
from pegcount.server.call_clock import CallClock
from pegcount.server.reports import ReportService
from pegcount.store import EmbeddedStore
from pegcount.v1.records_pb2 import WriteRecordsRequest
from service import NOW_US
from waiting import stays

from server_tests.example_requests import ASK_FOLDER, ASK_QUALITY, ASK_USAGE, call_record


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
    report = ReportService(Config(), store, lambda: NOW_US).reports()[method](
        message.SerializeToString(), core.CancelToken(None)
    )
    token = core.CancelToken(0.1 if error is DeadlineError else None)
    if error is CancelledError:
        Timer(0.1, token.cancel).start()
    with pytest.raises(error):
        report.answer(token, CallClock())
    store.close()
