"""Erasures and masking over gRPC."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import grpc
import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.privacy import ErasureOutcome, Masking
from pegcount.v1 import admin_pb2, reports_pb2
from service import Service
from store_tests.party_files import FORMS, NUMBER, OTHER, files_with
from waiting import wait_until

from server_tests.example_requests import active_record, call_record
from server_tests.reason_triggers import Open
from server_tests.refusal import refusal


def erase(service: Service, *parties: str, **more: Any) -> admin_pb2.ErasePartiesResponse:
    answer: admin_pb2.ErasePartiesResponse = service.admin.EraseParties(
        admin_pb2.ErasePartiesRequest(parties=parties, **more)
    )
    return answer


def erasures(service: Service) -> Sequence[admin_pb2.Erasure]:
    listed: admin_pb2.ListErasuresResponse = service.admin.ListErasures(admin_pb2.ListErasuresRequest())
    return listed.erasures


def callers(service: Service) -> list[str]:
    """The calling numbers of active sessions."""
    request = reports_pb2.QueryActiveSessionsRequest(return_fields=["orig_src_party_id"])
    return [row.orig_src_party_id for row in service.reports.QueryActiveSessions(request).rows]


def write_callers(service: Service) -> None:
    for number, party in enumerate((*FORMS, OTHER)):
        record = active_record(f"caller {number}")
        record.orig_src_party_id = party
        service.write(record)


def test_numbers_are_erased_listed_and_lifted(serve: Open, caplog: pytest.LogCaptureFixture) -> None:
    service = serve(Config())
    write_callers(service)
    counted = erase(service, NUMBER, dry_run=True)
    assert counted == admin_pb2.ErasePartiesResponse(records=len(FORMS))
    assert erasures(service) == []
    with caplog.at_level(logging.INFO):
        answer = erase(service, NUMBER, *FORMS)
    assert answer == admin_pb2.ErasePartiesResponse(records=len(FORMS), erasure_id=1)
    assert set(callers(service)) == {"", OTHER}
    assert files_with(service.directory) == {}
    assert "23125" not in caplog.text
    [erasure] = erasures(service)
    assert erasure == admin_pb2.Erasure(
        erasure_id=1,
        party_count=1,
        create_time="2026-03-30T12:00:00Z",
        records=len(FORMS),
        is_complete=True,
    )
    service.admin.LiftErasure(admin_pb2.LiftErasureRequest(erasure_id=1))
    assert erasures(service) == []
    refused = refusal(partial(service.admin.LiftErasure, admin_pb2.LiftErasureRequest(erasure_id=1)))
    assert (refused.info.reason, refused.info.metadata) == ("ERASURE_NOT_FOUND", {"erasure_id": "1"})


@pytest.mark.parametrize(
    ("parties", "field", "reason", "text"),
    [
        ([], "parties", "REQUIRED_FIELD_MISSING", "at least one number"),
        (["1", ""], "parties[1]", "REQUIRED_FIELD_MISSING", "is empty; give one such as +1 555 0100"),
        (["+ ()"], "parties[0]", "REQUIRED_FIELD_MISSING", "'****' has no digit or letter"),
        (["a" * 257], "parties[0]", "TEXT_TOO_LONG", "has 257 bytes; 256 are allowed"),
        (["1", "2", "3", "4"], "parties", "LIST_LIMIT_EXCEEDED", "has 4 values; 3 are allowed"),
    ],
)
def test_numbers_that_cannot_be_erased_are_refused(
    serve: Open, parties: list[str], field: str, reason: str, text: str
) -> None:
    service = serve(Config(erasure_party_count_max=3))
    for dry_run in (False, True):
        refused = refusal(partial(erase, service, *parties, dry_run=dry_run))
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert (refused.info.reason, refused.metadata["field"]) == (reason, field)
        assert text in refused.message
    assert erasures(service) == []


def test_refusals_mask_the_numbers(serve: Open) -> None:
    refused = refusal(lambda: erase(serve(Config()), NUMBER, "\N{NO-BREAK SPACE}"))
    assert NUMBER not in refused.message


def test_a_request_may_have_a_thousand_long_numbers(serve: Open) -> None:
    """More bytes than other admin calls may have."""
    service = serve(Config())
    parties = [f"{number:0250}" for number in range(1_000)]
    assert erase(service, *parties).erasure_id == 1
    assert erasures(service)[0].party_count == 1_000
    refused = refusal(lambda: erase(service, *parties, "more"))
    assert (refused.info.reason, refused.metadata["asked"]) == ("LIST_LIMIT_EXCEEDED", "1001")


def test_an_erasure_to_lift_is_required(serve: Open) -> None:
    refused = refusal(lambda: serve(Config()).admin.LiftErasure(admin_pb2.LiftErasureRequest()))
    assert (refused.info.reason, refused.metadata["field"]) == ("REQUIRED_FIELD_MISSING", "erasure_id")


def test_an_erasure_stops_when_its_call_ends(serve: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    service = serve(Config())
    write_callers(service)
    tokens: list[core.CancelToken] = []
    real_erase = service.store.erase

    def erase_late(parties: Sequence[str], token: core.CancelToken) -> ErasureOutcome:
        tokens.append(token)
        wait_until(lambda: is_ended(token))
        return real_erase(parties, token)

    monkeypatch.setattr(service.store, "erase", erase_late)
    call = service.admin.EraseParties.future(admin_pb2.ErasePartiesRequest(parties=[NUMBER]))
    wait_until(lambda: bool(tokens))
    call.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        call.result()
    wait_until(lambda: all(is_ended(token) for token in tokens))
    monkeypatch.undo()
    assert {*FORMS, OTHER} <= set(callers(service))
    assert erasures(service) == []


def is_ended(token: core.CancelToken) -> bool:
    try:
        token.check()
    except Exception:
        return True
    return False


def set_masking(service: Service, **fields: int) -> None:
    masking = admin_pb2.Masking(**fields)
    service.admin.SetMasking(admin_pb2.SetMaskingRequest(masking=masking))


def masking_of(service: Service) -> admin_pb2.GetMaskingResponse:
    answer: admin_pb2.GetMaskingResponse = service.admin.GetMasking(admin_pb2.GetMaskingRequest())
    return answer


def test_masking_is_set_shown_and_ended(serve: Open) -> None:
    service = serve(Config(maintenance_seconds=3_600.0))
    assert masking_of(service) == admin_pb2.GetMaskingResponse(masking={}, waiting_segments=0)
    record = call_record("old")
    record.orig_src_party_id = NUMBER
    service.write(record)
    service.store.flush()
    service.now_us += 40 * 86_400 * 1_000_000
    set_masking(service, after_days=30, keep_digits=4)
    assert service.store.masking() == Masking(30, 4)
    answer = masking_of(service)
    assert answer.masking == admin_pb2.Masking(after_days=30, keep_digits=4)
    assert answer.waiting_segments > 0
    service.store.maintain()
    assert masking_of(service).waiting_segments == 0
    assert files_with(service.directory, [NUMBER]) == {}
    set_masking(service)
    assert masking_of(service).masking == admin_pb2.Masking()


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"after_days": 30}, "masking.keep_digits", "REQUIRED_FIELD_MISSING"),
        ({"keep_digits": 4}, "masking.after_days", "REQUIRED_FIELD_MISSING"),
        ({"after_days": 0, "keep_digits": 4}, "masking.after_days", "VALUE_OUT_OF_RANGE"),
        ({"after_days": 84_007, "keep_digits": 4}, "masking.after_days", "VALUE_OUT_OF_RANGE"),
        ({"after_days": 1, "keep_digits": -1}, "masking.keep_digits", "VALUE_OUT_OF_RANGE"),
        ({"after_days": 1, "keep_digits": 33}, "masking.keep_digits", "VALUE_OUT_OF_RANGE"),
    ],
)
def test_maskings_that_cannot_be_are_refused(
    serve: Open, fields: dict[str, int], field: str, reason: str
) -> None:
    service = serve(Config())
    refused = refusal(lambda: set_masking(service, **fields))
    assert (refused.info.reason, refused.metadata["field"]) == (reason, field)
    assert masking_of(service).masking == admin_pb2.Masking()


def test_a_masking_to_set_is_required(serve: Open) -> None:
    refused = refusal(lambda: serve(Config()).admin.SetMasking(admin_pb2.SetMaskingRequest()))
    assert (refused.info.reason, refused.metadata["field"]) == ("REQUIRED_FIELD_MISSING", "masking")
