"""The thread of the background work: what ends it, and what its log says."""

import logging
from collections.abc import Callable
from threading import Event, Thread

import pytest
from pegcount.core import CancelToken
from pegcount.errors import PegcountError, StoreUnavailableError
from pegcount.store.clickhouse.step_thread import Step, StepThread
from waiting import wait_until

LONG_SECONDS = 600.0


def thread_of(take: Callable[[CancelToken], None]) -> StepThread:
    return StepThread([Step("to work", LONG_SECONDS, take)], LONG_SECONDS)


def test_a_stop_ends_the_step_at_work_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A step may fail by its end in its own way: a shard that was left during a write, for example."""
    begun, never = Event(), Event()

    def take(cancel_token: CancelToken) -> None:
        begun.set()
        try:
            while not never.wait(0.001):
                cancel_token.check()
        except PegcountError as error:
            raise StoreUnavailableError("shard 1 was left", 1.0) from error

    background = thread_of(take)
    background.start()
    assert begun.wait(10)
    background.stop()
    assert caplog.records == []


def test_a_stop_after_a_failure_is_not_lost() -> None:
    """It was, and the store closed only once the pause between two rounds was over."""
    begun, stopped = Event(), Event()

    def fail(cancel_token: CancelToken) -> None:
        raise StoreUnavailableError("shard 1 does not answer", 1.0)

    def work(cancel_token: CancelToken) -> None:
        begun.set()
        wait_until(lambda: ended(cancel_token))

    def stop() -> None:
        background.stop()
        stopped.set()

    background = StepThread([Step("to fail", 1.0, fail), Step("to work", LONG_SECONDS, work)], LONG_SECONDS)
    background.start()
    assert begun.wait(10)
    Thread(target=stop, daemon=True).start()
    assert stopped.wait(10)


def ended(cancel_token: CancelToken) -> bool:
    try:
        cancel_token.check()
    except PegcountError:
        return True
    return False


def test_a_failure_is_logged_once_and_the_other_steps_are_taken(caplog: pytest.LogCaptureFixture) -> None:
    taken: list[str] = []

    def fail(cancel_token: CancelToken) -> None:
        raise StoreUnavailableError("shard 1 does not answer", 1.0)

    steps = [Step("to fail", 1.0, fail), Step("to work", 1.0, lambda _: taken.append("worked"))]
    background = StepThread(steps, LONG_SECONDS)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            background.run_once()
    assert taken == ["worked", "worked"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "to fail" in caplog.text


def test_wake_begins_the_next_round_at_once() -> None:
    rounds: list[int] = []
    background = thread_of(lambda _: rounds.append(1))
    background.start()
    wait_until(lambda: len(rounds) == 1)
    background.wake()
    wait_until(lambda: len(rounds) == 2)
    background.stop()
