"""What errors of ClickHouse are to callers."""

import logging

import pytest
from pegcount import errors
from pegcount.errors import PegcountError, WriteFateUnknownError
from pegcount.server.status import CODE_OF_ERROR
from pegcount.store.clickhouse.wire.failures import FAILURES, FAULT_NAMES, NOT_LET_IN, failure, no_answer
from pegcount.store.clickhouse.wire.shard_log import ShardLog


def failed(code: int, is_write: bool = False) -> PegcountError:
    return failure("shard 2", code, is_write)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (241, errors.MemoryLimitError),
        (159, errors.DeadlineError),
        *[(code, errors.OverloadedError) for code in (243, 252)],
        *[(code, errors.DataDamagedError) for code in (40, 60, 81, 226)],
        *[
            (code, errors.StoreUnavailableError)
            for code in (33, 74, 75, 76, 172, 202, 204, 210, 225, 242, 286, 319, 394, 999)
        ],
        *[(code, errors.StoreUnavailableError) for code in NOT_LET_IN],
        *[(code, errors.ShardFaultError) for code in (36, 47, 62, 158, 392, 396, 123_456)],
    ],
)
def test_what_a_code_becomes(code: int, kind: type[PegcountError]) -> None:
    assert type(failed(code)) is kind


@pytest.mark.parametrize("code", [*FAILURES, *FAULT_NAMES, 123_456])
def test_the_text_names_the_shard(code: int) -> None:
    assert str(failed(code)).startswith("shard 2 ")
    assert str(failed(code, is_write=True)).startswith("shard 2 ")


@pytest.mark.parametrize("code", FAILURES)
def test_each_error_of_a_state_has_a_status(code: int) -> None:
    assert type(failed(code)) in CODE_OF_ERROR
    assert type(failed(code, is_write=True)) in CODE_OF_ERROR


def test_no_code_is_in_both_tables() -> None:
    assert FAILURES.keys() & FAULT_NAMES.keys() == set()


@pytest.mark.parametrize("code", [252, 243, 202, 60, 81, 392, 396, 516])
def test_a_write_that_was_refused_before_it_began_stored_nothing(code: int) -> None:
    assert type(failed(code, is_write=True)) is type(failed(code))


@pytest.mark.parametrize("code", [159, 209, 241, 242, 285, 319, 394, 999, 123_456])
def test_the_fate_of_other_writes_is_unknown(code: int) -> None:
    error = failed(code, is_write=True)
    assert isinstance(error, WriteFateUnknownError)
    assert type(error.__cause__) is type(failed(code))


@pytest.mark.parametrize("code", [158, 191, 307, 396])
def test_a_limit_of_a_profile_is_named(code: int) -> None:
    assert "refused a statement by a limit of the user's profile (code" in str(failed(code))


def test_a_server_without_an_answer_is_worth_another_call() -> None:
    error = no_answer("shard 2")
    assert (str(error), error.retry_seconds) == ("shard 2 does not answer", 1.0)


def test_the_log_has_the_first_of_many_failures_of_a_kind(caplog: pytest.LogCaptureFixture) -> None:
    now_s = [0.0]
    log = ShardLog("shard 2 (h2.example:8123)", lambda: now_s[0])
    for second in range(25):
        now_s[0] = float(second)
        log.add("62", "refused")
    log.add("60", "x" * 10_000)
    texts = [record.getMessage() for record in caplog.records]
    place = "shard 2 (h2.example:8123)"
    like = "refused (9 like it before)"
    assert texts == [f"{place} {each}" for each in ("refused", like, like, "x" * 1_000)]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
