"""The limits of each credential: buckets by a clock of the test, and what they remember."""

import logging

import pytest
from pegcount.auth import Caller, Scope
from pegcount.config import Config, LiveConfig
from pegcount.data_scope import CredentialLimits
from pegcount.errors import CredentialLimitReachedError
from pegcount.server.credential_limits import AdmittedCall, CredentialLimiter
from pegcount.server.minute_log import MinuteLog

LOG = logging.getLogger("limits")


def caller(name: str = "noc", **limits: int) -> Caller:
    own = CredentialLimits(**limits) if limits else None
    return Caller(f"id-{name}", name, frozenset({Scope.READ_REPORTS}), None, limits=own)


class Limits:
    """A limiter with a clock that the test sets."""

    def __init__(self, wait_seconds_max: float = 0.0, **config: int) -> None:
        self.now_s = 1_000.0
        log = MinuteLog(LOG, lambda: self.now_s)
        limits = Config(credential_wait_seconds_max=wait_seconds_max, **config)  # type: ignore[arg-type]
        self.limiter = CredentialLimiter(LiveConfig(limits), log, lambda: self.now_s)

    def call(self, by: Caller, *, is_report: bool = True) -> AdmittedCall:
        """Begins a call; raises the error that refuses it."""
        error = self.limiter.refusal(by, is_report=is_report)
        if error is not None:
            self.limiter.note_refused(by, error)
            raise error
        return self.limiter.enter(by)

    def refused(self, by: Caller, *, is_report: bool = True) -> CredentialLimitReachedError:
        with pytest.raises(CredentialLimitReachedError) as raised:
            self.call(by, is_report=is_report)
        return raised.value

    def calls(self, by: Caller) -> int:
        """Makes calls, each of which ends at once, until one is refused, and returns how many were not."""
        count = 0
        while self.limiter.refusal(by, is_report=True) is None:
            self.limiter.enter(by).leave()
            count += 1
        return count


def test_twice_the_calls_of_a_second_at_once_and_then_its_rate() -> None:
    limits, noc = Limits(), caller(calls_per_second=10)
    assert limits.calls(noc) == 20
    limits.now_s += 0.5
    assert limits.calls(noc) == 5
    limits.now_s += 3_600
    assert limits.calls(noc) == 20


def test_calls_beyond_the_rate_wait_their_turn_and_are_refused_beyond_the_longest_wait() -> None:
    limits, noc = Limits(wait_seconds_max=0.3), caller(calls_per_second=10)
    assert {limits.call(noc).wait_seconds for _ in range(20)} == {0.0}
    waits = [limits.call(noc).wait_seconds for _ in range(3)]
    assert waits == pytest.approx([0.1, 0.2, 0.3])
    assert limits.refused(noc).limit == "calls_per_second"
    limits.now_s += 0.15
    assert limits.call(noc).wait_seconds == pytest.approx(0.25)


def test_a_call_given_up_while_it_waits_frees_its_place_and_counts_as_refused() -> None:
    limits = Limits(wait_seconds_max=0.1, credential_refusals_per_second=10)
    noc = caller(calls_per_second=10)
    limits.calls(noc)
    limits.now_s += 0.1
    pauses = [limits.call(noc).give_up() for _ in range(30)]
    assert pauses[:20] == [0.0] * 20
    assert all(pause > 0 for pause in pauses[21:])


def test_a_refused_call_is_told_when_it_succeeds() -> None:
    limits, noc = Limits(), caller(calls_per_second=10)
    limits.calls(noc)
    limits.now_s += 3_600
    limits.calls(noc)
    error = limits.refused(caller(calls_per_second=10))
    assert error.metadata == {"limit": "calls_per_second", "allowed": "10"}
    limits.now_s += error.retry_seconds
    limits.call(noc)


def test_calls_that_are_refused_together_all_succeed_when_told() -> None:
    limits, noc = Limits(), caller(calls_per_second=10)
    for _ in range(20):
        limits.call(noc)
    waits = [limits.refused(noc).retry_seconds for _ in range(5)]
    assert waits == sorted(waits)
    begin_s = limits.now_s
    for wait in waits:
        limits.now_s = begin_s + wait
        limits.call(noc)


def test_a_refused_call_takes_nothing() -> None:
    limits, noc = Limits(), caller(calls_per_second=1)
    limits.calls(noc)
    for _ in range(100):
        limits.refused(noc)
    limits.now_s += 1.0
    limits.call(noc)


def test_calls_in_progress_count_until_they_end() -> None:
    limits, noc = Limits(), caller(calls_in_progress=2)
    first = limits.call(noc)
    limits.call(noc)
    assert limits.refused(noc).metadata == {"limit": "calls_in_progress", "allowed": "2"}
    first.leave()
    limits.call(noc)


def test_a_report_dearer_than_the_bucket_runs_and_later_ones_wait() -> None:
    limits, noc = Limits(), caller(work_ms_per_second=10)
    limits.call(noc).charge(1_000_000)
    error = limits.refused(noc)
    assert error.metadata == {"limit": "work_ms_per_second", "allowed": "10"}
    assert error.retry_seconds == pytest.approx(98.01)
    limits.call(noc, is_report=False)
    limits.now_s += error.retry_seconds
    limits.call(noc).charge(1)


def test_a_report_that_began_beside_a_dear_one_is_refused_before_it_runs() -> None:
    limits, noc = Limits(), caller(work_ms_per_second=10)
    first, second = limits.call(noc), limits.call(noc)
    first.charge(1_000_000)
    with pytest.raises(CredentialLimitReachedError):
        second.charge(1)


def test_what_a_report_did_not_take_is_given_back() -> None:
    limits, noc = Limits(), caller(work_ms_per_second=10)
    report = limits.call(noc)
    report.charge(30_000_000)
    report.settle(5_000)
    report.settle(0)
    limits.call(noc)


def test_a_report_costs_at_most_the_time_that_it_may_run() -> None:
    limits, noc = Limits(), caller(work_ms_per_second=1_000)
    limits.call(noc).charge(1e12)
    assert limits.refused(noc).retry_seconds == pytest.approx(Config().query_seconds_max - 2, abs=0.02)


def test_credentials_are_independent_and_the_configuration_holds_for_the_others() -> None:
    limits = Limits(credential_calls_per_second=3)
    assert [limits.calls(caller("a")), limits.calls(caller("b")), limits.calls(caller("a"))] == [6, 6, 0]
    assert limits.calls(caller("c", calls_per_second=4)) == 8


def test_a_changed_limit_counts_at_once() -> None:
    limits = Limits()
    assert limits.calls(caller(calls_per_second=3)) == 6
    assert limits.calls(caller(calls_per_second=5)) == 4


def test_zero_is_without_limit() -> None:
    limits = Limits(credential_calls_per_second=0, credential_calls_in_progress=0)
    for _ in range(10_000):
        limits.call(caller()).charge(1e9)


def test_accounts_of_idle_credentials_go_and_those_that_owe_stay() -> None:
    limits = Limits(credential_work_ms_per_second=1)
    for number in range(100):
        limits.call(caller(f"{number}")).leave()
    limits.call(caller("owing")).charge(1_000_000)
    busy = caller("busy")
    limits.call(busy)
    limits.now_s += 61.0
    for number in range(60):
        limits.call(caller(f"new {number}")).leave()
    assert len(limits.limiter) == 62
    assert limits.refused(caller("owing")).limit == "work_ms_per_second"


def test_the_number_of_accounts_is_bounded() -> None:
    limits = Limits(limited_credential_count_max=10)
    for number in range(1_000):
        limits.call(caller(f"{number}"))
    assert len(limits.limiter) == 10


def test_a_flood_of_refused_calls_pauses_its_connection() -> None:
    limits, noc = Limits(credential_refusals_per_second=10), caller(calls_in_progress=1)
    limits.call(noc)
    error = limits.refused(noc)
    pauses = [limits.limiter.note_refused(noc, error) for _ in range(400)]
    assert pauses[:19] == [0.0] * 19
    assert 0 < pauses[30] < pauses[399] <= 8.0
    limits.now_s += 60
    assert limits.limiter.note_refused(noc, error) == 0.0


def test_the_log_names_the_credential_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(credential_calls_in_progress=1)
    for by in (caller("a"), caller("b")):
        limits.call(by)
        for _ in range(3):
            limits.refused(by)
    limits.now_s += 60
    limits.refused(caller("a"))
    assert [record.message for record in caplog.records] == [
        "credential 'a' has reached its limit of calls_in_progress, 1; refused a call",
        "credential 'b' has reached its limit of calls_in_progress, 1; refused a call",
        "credential 'a' has reached its limit of calls_in_progress, 1; refused a call (2 like it before)",
    ]


@pytest.mark.parametrize(("begins", "lets_in"), [(False, True), (True, False)])
def test_a_report_gives_back_its_work_if_it_never_began(begins: bool, lets_in: bool) -> None:
    limits, noc = Limits(credential_work_ms_per_second=10), caller()
    call = limits.call(noc)
    call.charge(100_000)
    if begins:
        # It was cancelled, and a thread still works on it.
        call.begin_work()
    call.end_report()
    assert (limits.limiter.refusal(noc, is_report=True) is None) == lets_in
    call.settle(1_000)
    assert limits.limiter.refusal(noc, is_report=True) is None


def test_a_report_that_is_prepared_after_its_call_has_ended_takes_nothing() -> None:
    limits, noc = Limits(credential_work_ms_per_second=10), caller()
    call = limits.call(noc)
    call.end_report()
    call.charge(100_000)
    assert limits.limiter.refusal(noc, is_report=True) is None
