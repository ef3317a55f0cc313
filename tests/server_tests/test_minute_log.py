"""Log lines that clients cause: one per kind and minute."""

import logging

import pytest
from pegcount.server.minute_log import MinuteLog, silence_grpc


def test_one_line_per_kind_and_minute(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 100.0
    log = MinuteLog(logging.getLogger("test"), lambda: now_s)
    for _ in range(3):
        log.add("floods", "a flood")
    log.add("files", "few files")
    now_s += 59.9
    log.add("floods", "a flood")
    now_s += 0.1
    log.add("floods", "another flood")
    now_s += 60.0
    log.add("floods", "a late flood")
    lines = [record.message for record in caplog.records]
    assert lines == ["a flood", "few files", "another flood (3 like it before)", "a late flood"]


def test_the_number_of_kinds_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    log = MinuteLog(logging.getLogger("test"), lambda: 100.0)
    for number in range(1_001):
        log.add(f"kind {number}", f"{number}")
    log.add("kind 1000", "still known")
    log.add("kind 0", "forgotten")
    assert [record.message for record in caplog.records[1_000:]] == ["1000", "forgotten"]


def test_what_any_client_can_cause_is_not_logged_by_grpc(caplog: pytest.LogCaptureFixture) -> None:
    silence_grpc()
    log = logging.getLogger("grpc._cython.cygrpc")
    log.error("ExecuteBatchError raised in core by servicer method [/a.B/C]")
    log.error("Invalid encoding on %s", b"\xff")
    log.error("something else")
    assert [record.message for record in caplog.records] == ["something else"]
