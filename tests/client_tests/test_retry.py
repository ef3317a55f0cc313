"""Which failures are retried, and after how long."""

import random
from itertools import repeat

import grpc
import pytest
from pegcount_client import PegcountError, RetryPolicy
from pegcount_client.retry import LimitRetries, Retries

AWAY = PegcountError("away", code=grpc.StatusCode.UNAVAILABLE)


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes each wait as long as chance may make it."""
    monkeypatch.setattr(random, "uniform", lambda _, high: high)


def waits(policy: RetryPolicy, error: PegcountError) -> list[float]:
    """Returns the waits after the same failure again and again, until the policy gives up."""
    retries, found = Retries(policy), list[float]()
    with pytest.raises(PegcountError) as raised:
        found.extend(retries.wait_seconds(error) for _ in repeat(None))
    assert raised.value is error
    return found


@pytest.mark.usefixtures("longest")
def test_waits_double_up_to_a_limit() -> None:
    assert waits(RetryPolicy(count_max=5, seconds_min=1, seconds_max=5), AWAY) == [1, 2, 4, 5, 5]


@pytest.mark.usefixtures("longest")
def test_a_wait_that_the_server_asks_for_is_added() -> None:
    overloaded = PegcountError("m", code=grpc.StatusCode.RESOURCE_EXHAUSTED, retry_seconds=3.0)
    assert waits(RetryPolicy(count_max=2, seconds_min=1, seconds_max=5), overloaded) == [4, 5]


def test_an_answer_begins_the_count_anew() -> None:
    retries = Retries(RetryPolicy(count_max=1, seconds_min=0))
    for _ in range(3):
        retries.wait_seconds(AWAY)
        retries.answered()


@pytest.mark.parametrize(("share", "minutes"), [(0.5, 3), (1.0, 7)])
def test_the_default_tries_for_about_five_minutes(
    share: float, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _, high: share * high)
    assert sum(waits(RetryPolicy(), AWAY)) / 60 == pytest.approx(minutes, abs=0.7)


def test_a_policy_of_many_retries_does_not_overflow() -> None:
    assert len(waits(RetryPolicy(count_max=3_000, seconds_min=0.2, seconds_max=1), AWAY)) == 3_000


def test_other_errors_are_not_retried() -> None:
    for code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL):
        assert waits(RetryPolicy(), PegcountError("m", code=code)) == []


@pytest.mark.parametrize(
    "values", [{"count_max": -1}, {"seconds_min": -1.0}, {"seconds_min": 11.0}, {"seconds_max": float("nan")}]
)
def test_a_policy_that_cannot_be_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cannot be: count_max must be at least 0"):
        RetryPolicy(**values)  # type: ignore[arg-type]


LIMITED = PegcountError(
    "m", code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="CREDENTIAL_LIMIT_REACHED", retry_seconds=3.0
)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_call_waits_for_a_limit_while_there_is_time() -> None:
    clock = Clock()
    tries = LimitRetries(5.0, retry=True, clock=clock)
    assert tries.wait_seconds(LIMITED) == 3.0
    clock.now_s += 2.0
    assert tries.remaining_seconds() == 3.0
    with pytest.raises(PegcountError) as raised:
        tries.wait_seconds(LIMITED)
    assert raised.value is LIMITED
    clock.now_s += 9.0
    assert tries.remaining_seconds() == 0.0


def test_a_call_without_a_timeout_waits_for_a_limit_as_long_as_it_takes() -> None:
    tries = LimitRetries(None, retry=True)
    assert tries.remaining_seconds() is None
    assert [tries.wait_seconds(LIMITED) for _ in range(3)] == [3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("retry", "error"),
    [
        (False, LIMITED),
        (True, AWAY),
        (True, PegcountError("m", reason="OVERLOADED", retry_seconds=1.0)),
        (True, PegcountError("m", reason="CREDENTIAL_LIMIT_REACHED")),
    ],
)
def test_other_calls_do_not_wait_for_a_limit(retry: bool, error: PegcountError) -> None:
    with pytest.raises(PegcountError) as raised:
        LimitRetries(None, retry=retry).wait_seconds(error)
    assert raised.value is error
