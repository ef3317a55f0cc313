"""Who changed what is noted before it is done, and anybody with the scope root can read it."""

import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from pegcount.auth import Caller, Scope
from pegcount.config import Config
from pegcount.errors import CancelledError, StoreReadOnlyError
from pegcount.server.audit import AuditLog, Author, DeniedCalls
from pegcount.server.audited_requests import CHANGING, MASKED_FIELDS, READING, request_text
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2
from service import NOW_US, Service
from waiting import stays, wait_until

from server_tests.example_requests import ONE_CODE, call_record
from server_tests.keys import Guarded, guarded, sent
from server_tests.refusal import refusal

METHODS = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods
READABLE_FIELDS = {
    "account_id",
    "certificate_names",
    "company",
    "from_time",
    "hidden_fields",
    "id",
    "name",
    "organization",
    "session_ids",
    "shown_fields",
    "source",
    "time_zone",
    "to_time",
}
"""Texts of requests that are no numbers of parties."""
OF_CREDENTIALS = {"CreateCredential", "RotateCredential", "RevokeCredential"}
"""Methods that a server without authentication refuses."""
SET_RETENTION = admin_pb2.SetRetentionRequest(retention=admin_pb2.Retention(days=30))
WITH_A_SCOPE_OF_TOMORROW = admin_pb2.CreateCredentialRequest.FromString(b"\x12\x02\x02\x63")
DELETE_ALL = admin_pb2.DeleteRecordsRequest(all=True)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path / "data") as running:
        yield running


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as running:
        yield running


def entries(service: Service) -> list[admin_pb2.AuditEntry]:
    listed = service.admin.ListAuditEntries(admin_pb2.ListAuditEntriesRequest())
    return list(listed.entries)


def noted(service: Service) -> list[tuple[str, Any, str | None]]:
    """Method, request and outcome of each entry, the oldest first."""
    found = reversed(service.store.audit_entries(None, 1_000))
    return [(entry.method, json.loads(entry.request), entry.outcome) for entry in found]


def test_every_method_changes_something_or_does_not() -> None:
    """A new method must be put into one of the two lists."""
    assert {method.name for method in METHODS} == CHANGING | READING
    assert not CHANGING & READING


def test_every_text_of_a_request_is_masked_or_may_be_read() -> None:
    """A new field must be put into one of the two lists."""
    texts = set[str]()
    for method in METHODS:
        if method.name in CHANGING - {"PutCodeDeck"}:
            texts |= texts_of(method.input_type)
    assert texts == READABLE_FIELDS | MASKED_FIELDS


def texts_of(message: Descriptor) -> set[str]:
    texts = {field.name for field in message.fields if field.type == FieldDescriptor.TYPE_STRING}
    return texts.union(*(texts_of(field.message_type) for field in message.fields if field.message_type))


def test_a_call_that_changes_something_is_noted_with_its_outcome(service: Service) -> None:
    service.write(call_record("a"))
    service.admin.PutCodeDeck(ONE_CODE, metadata=(("x-request-id", "deck-1"),))
    service.admin.SetRetention(SET_RETENTION)
    deletion = service.admin.DeleteRecords(admin_pb2.DeleteRecordsRequest(session_ids=["a"]))
    service.admin.LiftDeletion(admin_pb2.LiftDeletionRequest(rule_id=deletion.rule_id))
    assert noted(service) == [
        ("PutCodeDeck", {"id": 1, "entries": "1 of them"}, "OK"),
        ("SetRetention", {"retention": {"days": 30}}, "OK"),
        ("DeleteRecords", {"session_ids": ["a"], "deleted": 1, "rule_id": deletion.rule_id}, "OK"),
        ("LiftDeletion", {"rule_id": deletion.rule_id}, "OK"),
    ]
    newest, *_, oldest = entries(service)
    assert (newest.entry_id, newest.method) == (4, "LiftDeletion")
    assert (oldest.time, oldest.request_id) == ("2026-03-30T12:00:00Z", "deck-1")
    assert not oldest.HasField("caller_id")
    assert not oldest.HasField("caller_name")


def test_a_call_that_changes_nothing_is_not_noted(service: Service) -> None:
    service.admin.DeleteRecords(admin_pb2.DeleteRecordsRequest(all=True, dry_run=True))
    for method in READING - {"ListDeletions", "ListAuditEntries"}:
        getattr(service.admin, method)(getattr(admin_pb2, f"{method}Request")())
    assert noted(service) == []


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda admin: admin.SetRetention(
                admin_pb2.SetRetentionRequest(retention=admin_pb2.Retention(days=0))
            ),
            ("SetRetention", {"retention": {"days": 0}}, "VALUE_OUT_OF_RANGE"),
        ),
        (
            lambda admin: admin.LiftDeletion(admin_pb2.LiftDeletionRequest(rule_id=9)),
            ("LiftDeletion", {"rule_id": 9}, "DELETION_NOT_FOUND"),
        ),
        (
            lambda admin: admin.PutCodeDeck(admin_pb2.PutCodeDeckRequest(id=1)),
            ("PutCodeDeck", {"id": 1, "entries": "0 of them"}, "REQUIRED_FIELD_MISSING"),
        ),
    ],
)
def test_a_refused_call_is_noted_with_its_reason(
    call: Callable[[Any], object], expected: tuple[str, Any, str], service: Service
) -> None:
    refusal(lambda: call(service.admin))
    assert noted(service) == [expected]


@pytest.mark.parametrize(
    "method", sorted(CHANGING - {"CreateCredential", "RotateCredential", "RevokeCredential"})
)
def test_a_message_that_cannot_be_read_is_noted(method: str, service: Service) -> None:
    stub = service.channel.unary_unary(f"/pegcount.v1.AdminService/{method}")
    assert refusal(lambda: stub(b"\xff")).info.reason == "MALFORMED_MESSAGE"
    assert noted(service) == [(method, {}, "MALFORMED_MESSAGE")]


def test_a_call_is_noted_before_it_begins(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(service.store, "set_retention", lambda _: seen.extend(noted(service)))
    service.admin.SetRetention(SET_RETENTION)
    assert seen == [("SetRetention", {"retention": {"days": 30}}, None)]


def test_nothing_is_done_that_cannot_be_noted(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.write(call_record("a"))
    monkeypatch.setattr(service.store, "append_audit", mock.Mock(side_effect=StoreReadOnlyError("disk full")))
    for call in (
        lambda: service.admin.DeleteRecords(DELETE_ALL),
        lambda: service.admin.SetRetention(SET_RETENTION),
        lambda: service.admin.PutCodeDeck(ONE_CODE),
    ):
        assert refusal(call).info.reason == "STORE_READ_ONLY"
    assert service.store.info().records == 1
    assert service.store.retention().days is None
    assert not service.store.code_decks()


def test_what_was_done_is_answered_though_its_outcome_cannot_be_noted(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = mock.Mock(side_effect=StoreReadOnlyError("disk full"))
    monkeypatch.setattr(service.store, "set_audit_outcome", failing)
    with caplog.at_level(logging.WARNING, "pegcount"):
        service.admin.SetRetention(SET_RETENTION)
    assert service.store.retention().days == 30
    assert noted(service)[0][2] is None
    assert caplog.messages == ["audit entry 1 stays without its outcome, OK: disk full"]


def test_faults_and_cancelled_calls_have_an_outcome(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, Config(), create=True)
    audit = AuditLog(Config(), store, lambda: 7)
    for error in (CancelledError("gone"), RuntimeError("a bug"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            audit.carry_out("DeleteRecords", Author(), lambda: DELETE_ALL, mock.Mock(side_effect=error))
    found = [entry.outcome for entry in reversed(store.audit_entries(None, 9))]
    store.close()
    assert found == ["CANCELLED", "INTERNAL_FAULT", "INTERNAL_FAULT"]


def test_an_entry_has_the_caller_and_no_secret(held: Guarded) -> None:
    made = held.create("switch", Scope.WRITE_RECORDS)
    held.call("RotateCredential", admin_pb2.RotateCredentialRequest(id=made.id))
    listed = held.call("ListAuditEntries", admin_pb2.ListAuditEntriesRequest()).entries
    assert [(entry.method, entry.caller_name, entry.outcome) for entry in listed] == [
        ("RotateCredential", "root", "OK"),
        ("CreateCredential", "root", "OK"),
    ]
    assert all(entry.caller_id.startswith("cr_") for entry in listed)
    assert json.loads(listed[1].request) == {
        "name": "switch",
        "scopes": ["SCOPE_WRITE_RECORDS"],
        "id": made.id,
    }
    assert "pk_" not in str(listed)


def test_a_denied_call_is_noted(held: Guarded) -> None:
    switch = held.create("switch", Scope.WRITE_RECORDS)
    refused = refusal(lambda: held.service.admin.DeleteRecords(DELETE_ALL, metadata=sent(switch.secret)))
    assert refused.info.reason == "ACCESS_DENIED"
    wait_until(lambda: len(noted(held.service)) == 2)
    assert noted(held.service)[1] == ("DeleteRecords", {}, "ACCESS_DENIED")
    assert held.service.store.audit_entries(None, 1)[0].caller_id == switch.id


def test_a_denied_call_of_a_reading_method_is_noted(held: Guarded) -> None:
    ask = admin_pb2.ListAuditEntriesRequest()
    refused = refusal(lambda: held.call("ListAuditEntries", ask, by=Scope.ADMIN))
    assert refused.code is grpc.StatusCode.PERMISSION_DENIED
    wait_until(lambda: noted(held.service) == [("ListAuditEntries", {}, "ACCESS_DENIED")])


def test_nobody_is_noted_without_a_credential(held: Guarded) -> None:
    for metadata in ((), sent("pk_wrong")):
        refusal(partial(held.service.admin.DeleteRecords, DELETE_ALL, metadata=metadata))
    stays(lambda: noted(held.service) == [], 0.1)


def test_denied_calls_cannot_make_the_log_long() -> None:
    audit, now_s = mock.Mock(), 0.0
    denied = DeniedCalls(Config(audit_denied_calls_per_minute_max=2), audit, lambda: now_s)
    callers = [Caller(f"cr_{number}", "a", frozenset(), None) for number in range(30)]

    def noted_ids() -> list[str]:
        for caller in callers * 3:
            denied.add("DeleteRecords", caller, "r")
        wait_until(lambda: audit.note.call_count >= 20)
        found = [call.args[1].caller_id for call in audit.note.call_args_list]
        audit.note.reset_mock()
        return found

    first = noted_ids()
    now_s = 59.0
    for caller in callers:
        denied.add("DeleteRecords", caller, "r")
    now_s = 60.0
    assert noted_ids() == first
    denied.close()
    assert len(first) == 20
    assert max(map(first.count, first)) <= 2


def test_unreadable_calls_cannot_make_the_log_long(tmp_path: Path) -> None:
    """At 200 calls in a second they made 100,000 entries go in 8 minutes."""
    with guarded(tmp_path, Config(audit_denied_calls_per_minute_max=3)) as held:
        held.create("switch", Scope.WRITE_RECORDS)
        stub = held.service.channel.unary_unary("/pegcount.v1.AdminService/SetRetention")
        for scope in [Scope.ADMIN] * 9 + [Scope.ROOT]:
            refusal(lambda by=scope: stub(b"\xff", metadata=held.sent(by)))  # type: ignore[misc]
        found = [entry.caller_name for entry in reversed(held.service.store.audit_entries(None, 99))]
        assert found == ["root", *["admin"] * 3, "root"]


def test_a_denied_call_that_cannot_be_noted_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    audit = mock.Mock()
    audit.note.side_effect = StoreReadOnlyError("disk full")
    denied = DeniedCalls(Config(), audit)
    with caplog.at_level(logging.WARNING, "pegcount"):
        denied.add("DeleteRecords", Caller("cr_1", "a", frozenset(), None), "r")
        denied.close()
    assert caplog.messages == ["a denied call of DeleteRecords was not noted: disk full"]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            admin_pb2.ErasePartiesRequest(parties=["+1 555 0100", "anna"]),
            {"parties": ["+1 55* ****", "****"]},
        ),
        (
            admin_pb2.DeleteRecordsRequest(session_ids=[f"s{n}" for n in range(1_012)]),
            {"session_ids": [*(f"s{n}" for n in range(10)), "1,002 more"]},
        ),
        (admin_pb2.LiftDeletionRequest(), {}),
        (
            admin_pb2.CreateCredentialRequest.FromString(b"\x12\x02\x02\x63"),
            {"scopes": ["SCOPE_WRITE_RECORDS", 99]},
        ),
        (
            admin_pb2.CreateCredentialRequest(
                data_scope=admin_pb2.DataScope(
                    organization=[admin_pb2.OrganizationScope(company="acme")],
                    hidden_metrics=[admin_pb2.METRIC_PRICE],
                ),
                limits=admin_pb2.CredentialLimits(calls_per_second=5),
            ),
            {
                "data_scope": {"organization": [{"company": "acme"}], "hidden_metrics": ["METRIC_PRICE"]},
                "limits": {"calls_per_second": 5},
            },
        ),
        (
            admin_pb2.DeleteRecordsRequest(source="s" * 101),
            {"source": "s" * 97 + "..."},
        ),
        (
            admin_pb2.DeleteRecordsRequest(session_ids=["i" * 100] * 20),
            {"session_ids": [*(["i" * 100] * 3), "17 more"]},
        ),
    ],
)
def test_requests_are_shown_as_json(request_: Any, expected: object) -> None:
    assert json.loads(request_text(request_, 1_000)) == expected


def test_a_request_that_is_long_without_its_lists_is_left_out() -> None:
    request = admin_pb2.DeleteRecordsRequest(source="s" * 100, from_time="t" * 100, session_ids=["a"])
    assert json.loads(request_text(request, 100)) == {"omitted_characters": 259}


@pytest.mark.parametrize(
    ("before", "limit", "expected"), [(None, None, [3, 2, 1]), (3, None, [2, 1]), (None, 1, [3]), (1, 5, [])]
)
def test_entries_are_listed_in_pages(
    before: int | None, limit: int | None, expected: list[int], service: Service
) -> None:
    for _ in range(3):
        service.admin.SetRetention(SET_RETENTION)
    request = admin_pb2.ListAuditEntriesRequest(before_entry_id=before, limit=limit)
    assert [entry.entry_id for entry in service.admin.ListAuditEntries(request).entries] == expected


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [("limit", 0, "1 to 1000"), ("limit", 1_001, "1 to 1000"), ("before_entry_id", 0, f"1 to {2**63 - 1}")],
)
def test_a_page_has_limits(field: str, value: int, allowed: str, service: Service) -> None:
    request = admin_pb2.ListAuditEntriesRequest(**{field: value})
    refused = refusal(lambda: service.admin.ListAuditEntries(request))
    assert refused.info.reason == "VALUE_OUT_OF_RANGE"
    assert refused.message == f"{field}: {value} is not within {allowed}"


def test_entries_outlast_the_server(tmp_path: Path) -> None:
    with Service(tmp_path / "data") as running:
        running.admin.SetRetention(SET_RETENTION)
    with Service(tmp_path / "data", now_us=NOW_US + 1) as running:
        assert [entry.method for entry in entries(running)] == ["SetRetention"]
