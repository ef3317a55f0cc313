"""Deletions over gRPC."""

import logging
from typing import Any

import grpc
import pytest
from pegcount import core, model
from pegcount.config import Config
from pegcount.v1 import admin_pb2
from service import Service
from waiting import wait_until

from server_tests.reason_triggers import Open
from server_tests.refusal import refusal


def delete(service: Service, **fields: Any) -> admin_pb2.DeleteRecordsResponse:
    answer: admin_pb2.DeleteRecordsResponse = service.admin.DeleteRecords(
        admin_pb2.DeleteRecordsRequest(**fields)
    )
    return answer


def records_of(service: Service) -> int:
    info: admin_pb2.GetStoreInfoResponse = service.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest())
    return info.records


def test_records_are_deleted_listed_and_lifted(serve: Open, caplog: pytest.LogCaptureFixture) -> None:
    service = serve(Config())
    count = records_of(service)
    assert count > 0
    counted = delete(service, all=True, dry_run=True)
    assert counted == admin_pb2.DeleteRecordsResponse(deleted=count)
    assert records_of(service) == count
    with caplog.at_level(logging.INFO):
        assert delete(service, all=True) == admin_pb2.DeleteRecordsResponse(deleted=count, rule_id=1)
    assert f"deleted {count} records by rule 1" in caplog.text
    assert delete(service, source="", session_ids=["a", "b"], from_time="2026-01-01").deleted == 0
    listed = service.admin.ListDeletions(admin_pb2.ListDeletionsRequest()).deletions
    info = service.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest())
    assert info.records == 0
    assert list(info.deletions) == list(listed)
    first, second = listed
    assert (first.rule_id, first.deleted, first.HasField("session_id_count")) == (1, count, False)
    assert (second.from_time, second.session_id_count) == ("2026-01-01T00:00:00Z", 2)
    assert second.HasField("source")
    assert not second.session_ids
    (one,) = service.admin.ListDeletions(admin_pb2.ListDeletionsRequest(rule_id=2)).deletions
    assert sorted(one.session_ids) == ["a", "b"]
    with caplog.at_level(logging.INFO):
        service.admin.LiftDeletion(admin_pb2.LiftDeletionRequest(rule_id=1))
    assert "rule 1 of a deletion was lifted" in caplog.text
    assert refusal(
        lambda: service.admin.LiftDeletion(admin_pb2.LiftDeletionRequest(rule_id=1))
    ).info.metadata == {"rule_id": "1"}


def test_a_request_may_have_many_ids(serve: Open) -> None:
    """More bytes than other admin calls may have."""
    service = serve(Config())
    ids = [f"{number:0200}" for number in range(10_000)]
    assert delete(service, session_ids=ids).rule_id == 1
    refused = refusal(lambda: delete(service, session_ids=[*ids, "more"]))
    assert (refused.info.reason, refused.metadata["asked"]) == ("LIST_LIMIT_EXCEEDED", "10001")
    refused = refusal(lambda: delete(serve(Config(deletion_request_bytes_max=9)), session_ids=ids[:1]))
    assert refused.info.reason == "REQUEST_TOO_LARGE"


def test_a_deletion_stops_when_its_call_ends(serve: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    service = serve(Config())
    count = records_of(service)
    tokens: list[core.CancelToken] = []
    real_delete = service.store.delete

    def delete_late(deletion: model.Deletion, token: core.CancelToken) -> model.DeletionOutcome:
        tokens.append(token)
        wait_until(lambda: is_ended(token))
        return real_delete(deletion, token)

    monkeypatch.setattr(service.store, "delete", delete_late)
    call = service.admin.DeleteRecords.future(admin_pb2.DeleteRecordsRequest(all=True))
    wait_until(lambda: bool(tokens))
    call.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        call.result()
    refused = refusal(
        lambda: service.admin.DeleteRecords(admin_pb2.DeleteRecordsRequest(all=True), timeout=0.5)
    )
    assert refused.code is grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: all(is_ended(token) for token in tokens))
    monkeypatch.undo()
    assert records_of(service) == count
    assert service.store.deletions() == []


def is_ended(token: core.CancelToken) -> bool:
    try:
        token.check()
    except Exception:
        return True
    return False
