"""The methods of credentials: what they make, change and refuse, and from when on that counts."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from pegcount.auth import Scope
from pegcount.config import Config
from pegcount.v1 import admin_pb2, reports_pb2
from service import NOW_US, Service
from waiting import wait_until

from server_tests.example_requests import (
    ASK_ACTIVE,
    ASK_FOLDER,
    ASK_QUALITY,
    ASK_USAGE,
    active_record,
    call_record,
)
from server_tests.keys import Guarded, Request, guarded, sent
from server_tests.refusal import Refusal, refusal
from server_tests.streams import Stream, batch, half_sent

Code = grpc.StatusCode
Rotate, Revoke = admin_pb2.RotateCredentialRequest, admin_pb2.RevokeCredentialRequest
NOW = "2026-03-30T12:00:00Z"
SECOND_US = 1_000_000
REPORTS = {
    "QueryAsrUsage": ASK_USAGE,
    "QueryActiveSessions": ASK_ACTIVE,
    "QueryFolderStats": ASK_FOLDER,
    "QueryOriginationQuality": ASK_QUALITY,
}


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as running:
        yield running


def listed(held: Guarded) -> dict[str, admin_pb2.Credential]:
    """The credentials by their names."""
    answer = held.call("ListCredentials", admin_pb2.ListCredentialsRequest())
    return {credential.name: credential for credential in answer.credentials}


def is_accepted(service: Service, key: str) -> bool:
    """Whether a report takes a key; any other refusal than that of the key fails the test."""
    try:
        service.reports.QueryAsrUsage(ASK_USAGE, metadata=sent(key), timeout=20)
    except grpc.RpcError:
        refused = refusal(partial(service.reports.QueryAsrUsage, ASK_USAGE, metadata=sent(key)))
        assert refused.info.reason == "CREDENTIAL_REFUSED"
        return False
    return True


def refused_call(held: Guarded, method: str, request: Any) -> Refusal:
    return refusal(lambda: held.call(method, request))


def test_a_new_key_is_accepted_at_once_and_after_a_restart(tmp_path: Path) -> None:
    with guarded(tmp_path) as held:
        made = held.create("dashboard", Scope.READ_REPORTS)
        assert re.fullmatch(r"pk_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", made.secret)
        assert is_accepted(held.service, made.secret)
    with Service(tmp_path) as service:
        assert is_accepted(service, made.secret)


def test_a_credential_is_listed_with_all_but_its_secret(held: Guarded) -> None:
    names = ["reports.example.com", "spiffe://example.com/reports"]
    made = held.create(
        "dashboard", Scope.ADMIN, Scope.READ_REPORTS, lifetime_seconds=60, certificate_names=names
    )
    key = admin_pb2.CredentialKey(
        prefix=made.secret[:11], create_time=NOW, expire_time="2026-03-30T12:01:00Z"
    )
    assert listed(held)["dashboard"] == admin_pb2.Credential(
        id=made.id,
        name="dashboard",
        scopes=[admin_pb2.SCOPE_READ_REPORTS, admin_pb2.SCOPE_ADMIN],
        expire_time="2026-03-30T12:01:00Z",
        certificate_names=names,
        create_time=NOW,
        keys=[key],
    )
    assert listed(held).keys() == {scope.name.lower() for scope in Scope} | {"dashboard"}


def test_what_a_credential_is_held_to_is_listed_and_outlives_its_keys(tmp_path: Path) -> None:
    scope = admin_pb2.DataScope(
        tenant_id=[2],
        organization=[{"company": "acme"}, {"company": "acme", "organization": "sales"}],
        source=["sbc1"],
        hidden_metrics=["METRIC_PRICE"],
        shown_fields=["term_clients_name"],
        hidden_fields=["duration"],
    )
    limits = admin_pb2.CredentialLimits(calls_per_second=5, write_streams=1)
    with guarded(tmp_path) as held:
        made = held.create("switch", Scope.READ_REPORTS, Scope.WRITE_RECORDS, data_scope=scope, limits=limits)
        held.call("RotateCredential", Rotate(id=made.id))
        assert (listed(held)["switch"].data_scope, listed(held)["switch"].limits) == (scope, limits)
        root = listed(held)["root"]
        assert not root.HasField("data_scope")
        assert not root.HasField("limits")
    with Service(tmp_path) as service:
        answer = service.admin.ListCredentials(
            admin_pb2.ListCredentialsRequest(), metadata=held.sent(Scope.ROOT)
        )
        (kept,) = [one for one in answer.credentials if one.name == "switch"]
        assert (kept.data_scope, kept.limits) == (scope, limits)


def test_a_contradictory_data_scope_makes_no_credential(held: Guarded) -> None:
    for scope, field in (({}, "data_scope"), ({"tenant_id": [2]}, "data_scope.source")):
        asked = Request(name="switch", scopes=["SCOPE_WRITE_RECORDS"], data_scope=scope)
        refused = refused_call(held, "CreateCredential", asked)
        assert refused.code is Code.INVALID_ARGUMENT
        assert [violation[:2] for violation in refused.violations] == [(field, "CONFLICTING_FIELDS")]
    assert len(listed(held)) == len(Scope)


def test_a_revoked_credential_is_refused_once_the_call_has_returned(held: Guarded) -> None:
    made = held.create("dashboard", Scope.READ_REPORTS)
    assert is_accepted(held.service, made.secret)
    held.service.now_us += SECOND_US
    for _ in range(2):
        held.call("RevokeCredential", Revoke(id=made.id))
        assert not is_accepted(held.service, made.secret)
        held.service.now_us += SECOND_US
    assert listed(held)["dashboard"].revoke_time == "2026-03-30T12:00:01Z"


def test_a_stream_ends_when_its_credential_is_revoked_and_what_it_read_is_answered(held: Guarded) -> None:
    made = held.create("switch", Scope.WRITE_RECORDS)
    with (
        Stream(held.service.channel, metadata=sent(made.secret)) as revoked,
        Stream(held.service.channel, metadata=held.sent(Scope.WRITE_RECORDS)) as other,
    ):
        for stream in (revoked, other):
            stream.send(batch("first", "c1"))
            assert stream.answer().batch_id == "first"
        held.call("RevokeCredential", Revoke(id=made.id))
        # The answer to the revocation has come: nothing that is sent from now on may be taken.
        for stream, name in ((revoked, "c2"), (other, "c3")):
            stream.send(batch("second", name))
        refused = refusal(revoked.answer)
        assert (refused.code, refused.info.reason) == (Code.UNAUTHENTICATED, "CREDENTIAL_REFUSED")
        assert other.answer().batch_id == "second"
        assert other.end() == []
    assert held.service.store.info().records == 2


def test_a_call_that_waits_for_its_message_ends_when_its_credential_is_revoked(held: Guarded) -> None:
    made = held.create("dashboard", Scope.READ_REPORTS)
    method = "pegcount.v1.ReportService/QueryAsrUsage"
    waiting = half_sent(held.service, method, seconds=20, metadata=sent(made.secret))
    other = half_sent(held.service, method, seconds=20, metadata=held.sent(Scope.READ_REPORTS))
    wait_until(lambda: listed(held)["dashboard"].last_use_time, "the server has seen the call")
    wait_until(lambda: listed(held)["read_reports"].last_use_time, "the server has seen the other call")
    held.call("RevokeCredential", Revoke(id=made.id))
    assert refusal(waiting.result).info.reason == "CREDENTIAL_REFUSED"
    assert not other.done()
    other.cancel()


def test_a_stream_ends_when_its_credential_expires(tmp_path: Path) -> None:
    with guarded(tmp_path, Config(stream_look_seconds=0.01)) as held:
        made = held.create("switch", Scope.WRITE_RECORDS, lifetime_seconds=60)
        with Stream(held.service.channel, metadata=sent(made.secret)) as stream:
            stream.send(batch(None, "c1"))
            stream.answer()
            held.service.now_us += 60 * SECOND_US
            assert refusal(stream.answer).info.reason == "CREDENTIAL_REFUSED"


def test_a_credential_expires_by_the_clock_of_the_server(held: Guarded) -> None:
    made = held.create("dashboard", Scope.READ_REPORTS, lifetime_seconds=60)
    held.service.now_us += 60 * SECOND_US - 1
    assert is_accepted(held.service, made.secret)
    held.service.now_us += 1
    assert not is_accepted(held.service, made.secret)


def test_both_keys_are_accepted_while_a_credential_changes_its_key(held: Guarded) -> None:
    made = held.create("dashboard", Scope.READ_REPORTS)
    rotated = held.call("RotateCredential", Rotate(id=made.id, overlap_seconds=60))
    assert rotated.previous_expire_time == "2026-03-30T12:01:00Z"
    keys = listed(held)["dashboard"].keys
    assert [key.prefix for key in keys] == [rotated.secret[:11], made.secret[:11]]
    assert [key.expire_time for key in keys] == ["", rotated.previous_expire_time]
    for offset_us, accepted in ((0, [True, True]), (60 * SECOND_US - 1, [True, True]), (1, [False, True])):
        held.service.now_us += offset_us
        assert [is_accepted(held.service, key) for key in (made.secret, rotated.secret)] == accepted


def test_the_present_key_is_accepted_for_a_day_by_default(held: Guarded) -> None:
    made = held.create("dashboard", Scope.READ_REPORTS, lifetime_seconds=3 * 86_400)
    rotated = held.call("RotateCredential", Rotate(id=made.id))
    assert rotated.previous_expire_time == "2026-03-31T12:00:00Z"
    held.service.now_us += 86_400 * SECOND_US
    assert not is_accepted(held.service, made.secret)
    assert is_accepted(held.service, rotated.secret)
    # Neither key outlives its credential.
    second = held.call("RotateCredential", Rotate(id=made.id, overlap_seconds=30 * 86_400))
    assert second.previous_expire_time == "2026-04-02T12:00:00Z"


def test_a_third_key_has_to_wait_for_the_end_of_the_first(held: Guarded) -> None:
    made = held.create("dashboard", Scope.READ_REPORTS)
    held.call("RotateCredential", Rotate(id=made.id, overlap_seconds=60))
    refused = refused_call(held, "RotateCredential", Rotate(id=made.id))
    assert (refused.code, refused.info.reason) == (Code.FAILED_PRECONDITION, "ROTATION_IN_PROGRESS")
    assert (refused.metadata, "2026-03-30T12:01:00" in refused.message) == ({"id": made.id}, True)
    held.service.now_us += 60 * SECOND_US
    third = held.call("RotateCredential", Rotate(id=made.id, overlap_seconds=60))
    assert is_accepted(held.service, third.secret)
    assert len(listed(held)["dashboard"].keys) == 2


def test_a_key_without_overlap_ends_at_once(held: Guarded) -> None:
    made = held.create("dashboard", Scope.READ_REPORTS)
    second = held.call("RotateCredential", Rotate(id=made.id, overlap_seconds=0))
    assert second.previous_expire_time == NOW
    assert is_accepted(held.service, second.secret)
    assert not is_accepted(held.service, made.secret)
    assert [key.prefix for key in listed(held)["dashboard"].keys] == [second.secret[:11]]


def test_the_last_root_credential_stays(held: Guarded) -> None:
    root = held.id(Scope.ROOT)
    held.create("short", Scope.ROOT, lifetime_seconds=60)
    held.service.now_us += 60 * SECOND_US
    refused = refused_call(held, "RevokeCredential", Revoke(id=root))
    assert (refused.code, refused.info.reason) == (Code.FAILED_PRECONDITION, "LAST_ROOT_CREDENTIAL")
    assert refused.metadata == {"id": root}
    other = held.create("second", Scope.ROOT)
    held.call("RevokeCredential", Revoke(id=root))
    revoke = partial(held.service.admin.RevokeCredential, Revoke(id=other.id), metadata=sent(other.secret))
    assert refusal(revoke).info.reason == "LAST_ROOT_CREDENTIAL"
    assert is_accepted(held.service, other.secret)


@pytest.mark.parametrize(
    ("method", "request_of"), [("RevokeCredential", Revoke), ("RotateCredential", Rotate)]
)
def test_an_unknown_credential_is_not_found(method: str, request_of: Any, held: Guarded) -> None:
    root = held.id(Scope.ROOT)
    suggestions = {root.upper(): root, root[:-1]: root, "root": root, "nothing like it": None}
    for given, meant in suggestions.items():
        refused = refused_call(held, method, request_of(id=given))
        assert (refused.code, refused.info.reason) == (Code.NOT_FOUND, "CREDENTIAL_NOT_FOUND")
        assert refused.metadata == {"id": given}
        hint = "" if meant is None else f'; did you mean "{meant}"?'
        assert refused.message == f"there is no credential {given!r}{hint}"
    assert refused_call(held, method, request_of()).info.reason == "REQUIRED_FIELD_MISSING"


def test_a_credential_that_has_ended_gets_no_key(held: Guarded) -> None:
    for name, more, how in (("a", {}, "was revoked"), ("b", {"lifetime_seconds": 1}, "has expired")):
        made = held.create(name, Scope.READ_REPORTS, **more)
        if not more:
            held.call("RevokeCredential", Revoke(id=made.id))
        held.service.now_us += SECOND_US
        refused = refused_call(held, "RotateCredential", Rotate(id=made.id))
        assert (refused.info.reason, refused.message) == (
            "CREDENTIAL_NOT_FOUND",
            f"credential {made.id} {how}; make a new one",
        )


def test_all_violations_are_reported_and_nothing_is_made(held: Guarded) -> None:
    taken = held.create("dashboard", Scope.READ_REPORTS, certificate_names=["a.example.com"])
    refused = refused_call(
        held,
        "CreateCredential",
        Request(
            name="dashboard",
            scopes=[admin_pb2.SCOPE_ADMIN, admin_pb2.SCOPE_ADMIN, admin_pb2.SCOPE_UNSPECIFIED],
            lifetime_seconds=0,
            certificate_names=["a.example.com", "b.example.com", "b.example.com", ""],
        ),
    )
    assert refused.code is Code.INVALID_ARGUMENT
    assert [violation[:2] for violation in refused.violations] == [
        ("name", "REPEATED_NAME"),
        ("scopes[1]", "REPEATED_NAME"),
        ("scopes[2]", "UNKNOWN_ENUM_VALUE"),
        ("lifetime_seconds", "VALUE_OUT_OF_RANGE"),
        ("certificate_names[0]", "REPEATED_NAME"),
        ("certificate_names[2]", "REPEATED_NAME"),
        ("certificate_names[3]", "REQUIRED_FIELD_MISSING"),
    ]
    assert taken.id in refused.violations[0][2]
    assert len(listed(held)) == len(Scope) + 1


def test_names_of_a_credential_that_has_ended_are_free(held: Guarded) -> None:
    for _ in range(2):
        made = held.create("dashboard", Scope.READ_REPORTS, certificate_names=["a.example.com"])
        held.call("RevokeCredential", Revoke(id=made.id))
    assert len(held.service.store.credentials()) == len(Scope) + 2


def test_too_many_scopes_are_refused_before_anything_else(held: Guarded) -> None:
    refused = refused_call(held, "CreateCredential", Request(scopes=[admin_pb2.SCOPE_ADMIN] * 17))
    assert [violation[:2] for violation in refused.violations] == [("scopes", "LIST_LIMIT_EXCEEDED")]


@pytest.mark.parametrize("method", ["CreateCredential", "RotateCredential", "RevokeCredential"])
def test_nobody_manages_credentials_of_a_server_without_authentication(method: str, tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        request = {"CreateCredential": Request(), "RotateCredential": Rotate(), "RevokeCredential": Revoke()}
        refused = refusal(lambda: getattr(service.admin, method)(request[method]))
        assert (refused.code, refused.info.reason) == (
            Code.FAILED_PRECONDITION,
            "FIRST_CREDENTIAL_IS_LOCAL",
        )
        assert "pegcount key create --store DIR|URL --name NAME --scope root" in refused.message
        assert service.admin.ListCredentials(admin_pb2.ListCredentialsRequest()).credentials == []


def test_the_last_use_is_told_at_once_and_saved_within_its_time_and_at_the_end(tmp_path: Path) -> None:
    with guarded(tmp_path, Config(credential_save_seconds=0.01)) as held:
        store = held.service.store
        name = Scope.READ_REPORTS.name.lower()

        def saved(minute: str) -> bool:
            rows = {row.name: row.last_use_us for row in store.credentials()}
            return rows[name] == MINUTES_US[minute]

        assert not listed(held)[name].HasField("last_use_time")
        held.service.now_us += 90 * SECOND_US
        is_accepted(held.service, held.issued[Scope.READ_REPORTS].key.text)
        assert listed(held)[name].last_use_time == "2026-03-30T12:01:00Z"
        wait_until(lambda: saved("12:01"), "the last use is saved")
        assert {row.name for row in store.credentials() if row.last_use_us} == {name, "root"}
    with guarded_again(tmp_path) as service:
        service.now_us += 150 * SECOND_US
        is_accepted(service, held.issued[Scope.READ_REPORTS].key.text)
        service.stop()
        rows = {row.name: row.last_use_us for row in service.store.credentials()}
        assert rows[name] == MINUTES_US["12:02"]


MINUTES_US = {"12:01": NOW_US + 60 * SECOND_US, "12:02": NOW_US + 120 * SECOND_US}


def guarded_again(directory: Path) -> Service:
    """A service that saves uses at its end only."""
    return Service(directory, Config(credential_save_seconds=3_600.0))


def notices_of(
    held: Guarded, key: str, method: str = "QueryAsrUsage", request: Any = ASK_USAGE
) -> list[reports_pb2.Notice]:
    answer = getattr(held.service.reports, method)(request, metadata=sent(key))
    return [one for one in answer.notices if one.code == reports_pb2.NOTICE_CODE_CREDENTIAL_EXPIRES]


def test_reports_say_from_a_week_before_that_the_credential_expires(held: Guarded) -> None:
    made = held.create("dashboard", Scope.READ_REPORTS, lifetime_seconds=7 * 86_400 + 1)
    assert notices_of(held, made.secret) == []
    held.service.now_us += SECOND_US
    (notice,) = notices_of(held, made.secret)
    assert notice.metadata == {"id": made.id, "expire_time": "2026-04-06T12:00:01Z"}
    assert notice.text == (
        f"the credential {made.id} of this call, or its key, expires at 2026-04-06T12:00:01Z"
    )


def test_every_report_has_the_notice(held: Guarded) -> None:
    held.service.write(call_record("c1"), active_record("c2"))
    made = held.create("dashboard", Scope.READ_REPORTS, lifetime_seconds=60)
    for method, request in REPORTS.items():
        assert len(notices_of(held, made.secret, method, request)) == 1
        assert notices_of(held, held.issued[Scope.READ_REPORTS].key.text, method, request) == []


def test_only_the_key_that_expires_brings_the_notice(held: Guarded) -> None:
    made = held.create("dashboard", Scope.READ_REPORTS)
    rotated = held.call("RotateCredential", Rotate(id=made.id))
    assert len(notices_of(held, made.secret)) == 1
    assert notices_of(held, rotated.secret) == []


def test_the_log_says_at_the_start_what_expires_soon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with guarded(tmp_path) as held:
        soon = held.create("soon", Scope.READ_REPORTS, lifetime_seconds=7 * 86_400)
        held.create("later", Scope.READ_REPORTS, lifetime_seconds=7 * 86_400 + 1)
        rotating = held.create("rotating", Scope.READ_REPORTS)
        held.call("RotateCredential", Rotate(id=rotating.id, overlap_seconds=60))
    caplog.clear()
    with Service(tmp_path):
        wait_until(lambda: "expires at" in caplog.text, "the log line")
    lines = {record.message for record in caplog.records if "expires at" in record.message}
    assert lines == {
        f"credential {soon.id} expires at 2026-04-06T12:00:00Z",
        f"key {rotating.secret[:11]} of credential {rotating.id} expires at 2026-03-30T12:01:00Z",
    }
