"""Credentials at their limits, over gRPC: who is refused, until when, and who is not."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from client_tests.twins import CLIENTS, ClientOf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount.auth import Scope
from pegcount.config import Config, Tuning
from pegcount.errors import MemoryLimitError
from pegcount.v1 import admin_pb2, admin_pb2_grpc, reports_pb2_grpc
from pegcount.v1.records_pb2 import WriteRecordsRequest, WriteRecordsResponse
from pegcount_client import PegcountError, Record
from security.door import REQUEST, Door
from security.token_attacks import EC
from service import Service
from token_issuer import claims
from waiting import at_best, stays, wait_until

from server_tests.example_requests import ASK_FOLDER, ASK_USAGE, call_record
from server_tests.keys import Guarded, Metadata, guarded, sent
from server_tests.refusal import Refusal, refusal
from server_tests.streams import Stream
from server_tests.test_ended_callers import held_up

READ, WRITE, ADMIN, ROOT = Scope.READ_REPORTS, Scope.WRITE_RECORDS, Scope.ADMIN, Scope.ROOT
SECONDS = 30
CALL_COUNT_MAX = 1_000
"""Calls of which one is refused, unless the host stands still between all of them."""
SETUP = datetime(2026, 3, 30, 9, tzinfo=UTC)


def limited(**config: int) -> Config:
    """Returns limits that refuse calls beyond them at once."""
    return Config(credential_wait_seconds_max=0.0, **config)  # type: ignore[arg-type]


def ask(held: Guarded, metadata: Metadata) -> object:
    return held.service.reports.QueryAsrUsage(ASK_USAGE, metadata=metadata, timeout=SECONDS)


def use_up(held: Guarded, metadata: Metadata, count: int) -> Refusal:
    """Makes as many reports as are allowed, and returns how the next one is refused.

    It may be one after that: on a busy host, what drains meanwhile lets a few more in.
    """
    rate, begin_s, allowed = held.service.config.credential_calls_per_second, time.monotonic(), 0

    def ask_on() -> None:
        nonlocal allowed
        for _ in range(CALL_COUNT_MAX):
            ask(held, metadata)
            allowed += 1

    refused = refusal(ask_on)
    assert count <= allowed <= count + rate * (time.monotonic() - begin_s)
    return refused


def test_a_call_beyond_the_rate_is_refused_and_others_are_answered(tmp_path: Path) -> None:
    with guarded(tmp_path, limited(credential_calls_per_second=1)) as held:
        refused = use_up(held, held.sent(READ), 2)
        assert (refused.code.name, refused.info.reason) == ("RESOURCE_EXHAUSTED", "CREDENTIAL_LIMIT_REACHED")
        assert refused.metadata == {"limit": "calls_per_second", "allowed": "1"}
        assert refused.detail_names == ["RetryInfo", "ErrorInfo"]
        assert "limit of 1 call per second (calls_per_second); try again in" in refused.message
        assert ask(held, held.sent(ROOT))
        health = health_pb2_grpc.HealthStub(held.service.channel)
        for _ in range(10):
            health.Check(health_pb2.HealthCheckRequest(), metadata=held.sent(READ), timeout=SECONDS)


def test_calls_beyond_the_rate_wait_and_none_is_refused(tmp_path: Path) -> None:
    with guarded(tmp_path, Config(credential_calls_per_second=20)) as held:
        metadata = held.sent(READ)
        ask(held, metadata)
        begin_s = time.monotonic()
        calls = [
            held.service.reports.QueryAsrUsage.future(ASK_USAGE, metadata=metadata, timeout=SECONDS)
            for _ in range(50)
        ]
        for call in calls:
            call.result()
        # 40 at once and what drains until the last one begins: 20 a second.
        assert time.monotonic() - begin_s > 0.4


def test_a_call_that_waits_ends_with_its_credential(tmp_path: Path) -> None:
    config = Config(credential_calls_per_second=1, credential_wait_seconds_max=SECONDS)
    with guarded(tmp_path, config) as held:
        made = held.create("dashboard", READ)
        metadata = sent(made.secret)
        calls = [
            held.service.reports.QueryAsrUsage.future(ASK_USAGE, metadata=metadata, timeout=SECONDS)
            for _ in range(12)
        ]
        calls[0].result()
        held.call("RevokeCredential", admin_pb2.RevokeCredentialRequest(id=made.id))
        assert refusal(calls[-1].result).info.reason == "CREDENTIAL_REFUSED"


def test_only_good_credentials_learn_of_limits(tmp_path: Path) -> None:
    with guarded(tmp_path, limited(credential_calls_in_progress=1, credential_calls_per_second=1)) as held:
        use_up(held, held.sent(READ), 2)
        for metadata in ((), sent("pk_wrong")):
            assert refusal(lambda sent=metadata: ask(held, sent)).info.reason == "CREDENTIAL_REFUSED"  # type: ignore[misc]
        assert refusal(lambda: ask(held, held.sent(WRITE))).info.reason == "ACCESS_DENIED"


def test_a_server_without_authentication_has_no_limits_of_credentials(tmp_path: Path) -> None:
    with Service(tmp_path, limited(credential_calls_per_second=1)) as service:
        for _ in range(20):
            service.reports.QueryAsrUsage(ASK_USAGE, timeout=SECONDS)


def test_a_refused_call_has_no_effect(tmp_path: Path) -> None:
    with guarded(tmp_path, limited(credential_calls_per_second=1)) as held:

        def write(name: str) -> list[WriteRecordsResponse]:
            stream = Stream(held.service.channel, metadata=held.sent(WRITE))
            stream.send(WriteRecordsRequest(records=[call_record(name)]).SerializeToString())
            return stream.end()

        # On a busy machine a second may pass, and let one more in.
        accepted = 0

        def write_until_refused() -> None:
            nonlocal accepted
            for number in range(CALL_COUNT_MAX):
                (answer,) = write(f"c{number}")
                accepted += answer.accepted

        assert refusal(write_until_refused).info.reason == "CREDENTIAL_LIMIT_REACHED"
        assert accepted >= 2
        assert held.service.store.info().records == accepted


def test_calls_in_progress_are_limited(tmp_path: Path) -> None:
    with guarded(tmp_path, Config(credential_calls_in_progress=1)) as held:
        # Else its value is in the cache of the store, and nothing is held up.
        held.service.write(call_record("c1"))
        with held_up(held.service.store, "info") as gate:
            info = held.service.admin.GetStoreInfo.future(
                admin_pb2.GetStoreInfoRequest(), metadata=held.sent(ROOT), timeout=SECONDS
            )
            wait_until(gate.is_reached.is_set)
            refused = refusal(lambda: ask(held, held.sent(ROOT)))
            assert refused.metadata == {"limit": "calls_in_progress", "allowed": "1"}
            ask(held, held.sent(READ))
        info.result()
        wait_until(lambda: _succeeds(lambda: ask(held, held.sent(ROOT))))


def _succeeds(call: Callable[[], object]) -> bool:
    try:
        call()
    except Exception:
        return False
    return True


def test_work_is_limited(tmp_path: Path) -> None:
    with guarded(tmp_path, Config(credential_work_ms_per_second=1)) as held:
        held.service.write_all(call_record(f"c{number}") for number in range(2_000))

        def flood() -> None:
            for _ in range(2_000):
                ask(held, held.sent(READ))

        assert refusal(flood).metadata["limit"] == "work_ms_per_second"
        ask(held, held.sent(ROOT))
        assert held.call("GetStoreInfo", admin_pb2.GetStoreInfoRequest(), by=ADMIN)


@pytest.mark.parametrize("waiting_max", [0, 1])
def test_a_report_that_never_ran_gives_back_its_work(waiting_max: int, tmp_path: Path) -> None:
    """Refused because all places are taken, or cancelled while it waits for one."""
    config = Config(
        credential_work_ms_per_second=1,
        worker_count=1,
        waiting_call_count_max=waiting_max,
        tuning=Tuning(row_cost_ns=100_000_000),
    )
    with guarded(tmp_path, config) as held:
        held.service.write(call_record("c1"), call_record("c2"))
        with held_up(held.service.store, "partials") as gate:
            reports = held.service.reports.QueryFolderStats
            running = reports.future(ASK_FOLDER, metadata=held.sent(ROOT), timeout=SECONDS)
            wait_until(gate.is_reached.is_set)

            def ended() -> str:
                seconds = 0.2 if waiting_max else SECONDS
                call = reports.future(ASK_FOLDER, metadata=held.sent(READ), timeout=seconds)
                return str(call.code().name if waiting_max else refusal(call.result).info.reason)

            for _ in range(2):
                # A call that has ended for its caller may have the place of the next one for a moment.
                wait_until(lambda: ended() == ("DEADLINE_EXCEEDED" if waiting_max else "OVERLOADED"))
        running.result()
        # A limit would refuse it for some 200 s.
        wait_until(lambda: _succeeds(lambda: ask(held, held.sent(READ))))


def test_a_report_that_fails_takes_the_time_that_it_took(tmp_path: Path) -> None:
    config = Config(credential_work_ms_per_second=5, tuning=Tuning(row_cost_ns=100_000_000))
    with guarded(tmp_path, config) as held:
        held.service.write(call_record("c1"), call_record("c2"))
        failing = mock.Mock(side_effect=MemoryLimitError("full", scope="report"))
        with mock.patch.object(held.service.store, "partials", failing):
            refusal(lambda: ask(held, held.sent(READ)))
        assert ask(held, held.sent(READ))


def test_both_keys_of_a_credential_share_its_limits_and_a_revoked_one_is_refused_as_before(
    tmp_path: Path,
) -> None:
    with guarded(tmp_path, limited(credential_calls_per_second=2)) as held:
        rotated = held.call("RotateCredential", admin_pb2.RotateCredentialRequest(id=held.id(READ)))
        old, new = held.sent(READ), sent(rotated.secret)
        for metadata in (old, new, old):
            ask(held, metadata)
        assert use_up(held, new, 1).info.reason == "CREDENTIAL_LIMIT_REACHED"
        held.call("RevokeCredential", admin_pb2.RevokeCredentialRequest(id=held.id(READ)))
        assert refusal(lambda: ask(held, new)).info.reason == "CREDENTIAL_REFUSED"


def test_each_subject_of_tokens_has_limits_of_its_own(tmp_path: Path) -> None:
    door = Door(tmp_path, limited(credential_calls_per_second=1))
    door.now_us += 3_700_000_000

    def reason(subject: str, jti: str) -> str:
        token = EC.token(claims(sub=subject, jti=jti))
        return door.call((("authorization", f"Bearer {token}"),), request=REQUEST).reason()

    try:
        reasons = [reason("alice", number) for number in "12"]
        assert reasons == ["-", "-"]
        while reasons[-1] == "-" and len(reasons) < CALL_COUNT_MAX:
            reasons.append(reason("alice", f"one more {len(reasons)}"))
        assert [reasons[-1], reason("bob", "4")] == ["CREDENTIAL_LIMIT_REACHED", "-"]
    finally:
        door.close()


@pytest.mark.parametrize("new_client", CLIENTS)
def test_the_client_waits_as_it_is_told(new_client: ClientOf, tmp_path: Path) -> None:
    with guarded(tmp_path, limited(credential_calls_per_second=10)) as held:
        key = held.issued[READ].key.text
        with new_client(held.service.address, api_key=key) as client:
            begin_s = time.monotonic()
            for _ in range(30):
                client.call(client.reports.QueryAsrUsage, ASK_USAGE)
            assert time.monotonic() - begin_s > 0.8
        with new_client(held.service.address, api_key=key, retry=False) as client:
            with pytest.raises(PegcountError) as raised:
                [client.call(client.reports.QueryAsrUsage, ASK_USAGE) for _ in range(CALL_COUNT_MAX)]
            assert raised.value.reason == "CREDENTIAL_LIMIT_REACHED"
            assert 0 < (raised.value.retry_seconds or 0) < 1


@pytest.mark.parametrize("new_client", CLIENTS)
def test_a_writer_waits_and_loses_no_record(new_client: ClientOf, tmp_path: Path) -> None:
    with guarded(tmp_path, limited(credential_calls_per_second=1)) as held:
        key = held.issued[ROOT].key.text
        use_up(held, held.sent(ROOT), 2)
        with new_client(held.service.address, api_key=key) as client, client.write_records() as writer:
            writer.write(Record(source="s", session_id="1", setup_time=SETUP))
        assert held.service.store.info().records == 1


def test_one_admin_credential_leaves_a_thread_for_others(tmp_path: Path) -> None:
    with guarded(tmp_path, Config(admin_call_count_max=2)) as held:
        with held_up(held.service.store, "info") as gate:
            channels = [held.service.new_channel(held.service.address) for _ in range(2)]
            first, second = (
                admin_pb2_grpc.AdminServiceStub(channel).GetStoreInfo.future(
                    admin_pb2.GetStoreInfoRequest(), metadata=held.sent(ADMIN), timeout=SECONDS
                )
                for channel in channels
            )
            wait_until(gate.is_reached.is_set)
            stays(lambda: not second.done(), 0.2)
            held.call("ListCodeDecks", admin_pb2.ListCodeDecksRequest(), by=ROOT)
            assert not first.done()
        first.result()
        second.result()
        for channel in channels:
            channel.close()


def test_a_connection_that_floods_refused_calls_is_left_unread_and_others_are_not(tmp_path: Path) -> None:
    config = limited(credential_calls_per_second=1, credential_refusals_per_second=5)
    with guarded(tmp_path, config) as held, held.service.new_channel(held.service.address) as noisy:
        reports = reports_pb2_grpc.ReportServiceStub(noisy)

        def seconds_of_ten() -> float:
            begin_s = time.monotonic()
            for _ in range(10):
                call: Any = reports.QueryAsrUsage.future(ASK_USAGE, metadata=held.sent(READ), timeout=SECONDS)
                call.code()
            return time.monotonic() - begin_s

        # At 5 refusals per second, they take 2 s once the pauses have begun; without pauses, milliseconds.
        wait_until(lambda: seconds_of_ten() > 1.5, "pauses of the connection")

        def seconds_of_another() -> float:
            begin_s = time.monotonic()
            ask(held, held.sent(ROOT))
            return time.monotonic() - begin_s

        at_best(seconds_of_another, 0.2)
