"""Record fields set from cell texts and from overrides."""

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.record_fields import FIELD_NAMES, OVERRIDABLE_NAMES, read_overrides, record_setters
from pegcount.v1.records_pb2 import SESSION_EVENT_END, SESSION_KIND_ASR, SessionRecord

from .reading import get_zone, times

BERLIN = get_zone("Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("kind", "ASR", SESSION_KIND_ASR),
        ("kind", "asr", SESSION_KIND_ASR),
        ("kind", "SESSION_KIND_ASR", SESSION_KIND_ASR),
        ("event", "END", SESSION_EVENT_END),
        ("event", "SESSION_EVENT_END", SESSION_EVENT_END),
        ("is_last_attempt", "true", True),
        ("is_last_attempt", "T", True),
        ("is_last_attempt", "1", True),
        ("is_last_attempt", "False", False),
        ("is_last_attempt", "f", False),
        ("is_last_attempt", "0", False),
        ("is_last_attempt", "Yes", True),
        ("is_last_attempt", "no", False),
        ("is_last_attempt", "y", True),
        ("is_last_attempt", "N", False),
        ("tenant_id", "0", 0),
        ("tenant_id", "-7", -7),
        ("tenant_id", "9223372036854775807", 2**63 - 1),
        ("folder", " Süd, 1 ", " Süd, 1 "),
        ("customer_price", "0.0125", "0.0125"),
        ("vendor_currency", "EUR", "EUR"),
        ("sip_status", "486", 486),
        ("release_party", "termination", 2),
        ("release_party", "RELEASE_PARTY_SWITCH", 3),
    ],
)
def test_values(name: str, text: str, expected: object) -> None:
    record = SessionRecord()
    record_setters(BERLIN)[name](record, text)
    assert record.HasField(name)
    assert getattr(record, name) == expected


def test_times_without_a_zone_are_local() -> None:
    record = SessionRecord()
    record_setters(BERLIN)["setup_time"](record, "2026-03-28T12:00:00")
    assert times(record)[0] == "2026-03-28T11:00:00Z"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kind", "FAX"),
        ("kind", "1"),
        ("kind", "UNSPECIFIED"),
        ("event", "SESSION_EVENT_UNSPECIFIED"),
        ("event", "SESSION_KIND_CALL"),
        ("is_last_attempt", "on"),
        ("is_last_attempt", "2"),
        ("tenant_id", "1.0"),
        ("tenant_id", "1_000"),
        ("tenant_id", " 1"),
        ("tenant_id", "9223372036854775808"),
        ("tenant_id", "-9223372036854775808"),
        ("setup_time", "2026-03-29"),
    ],
)
def test_malformed_values_are_rejected(name: str, text: str) -> None:
    with pytest.raises(UnreadableRowError, match=f"^{name}: "):
        record_setters(BERLIN)[name](SessionRecord(), text)


def test_every_field_has_a_setter() -> None:
    assert tuple(record_setters(BERLIN)) == FIELD_NAMES


def test_overrides() -> None:
    record = read_overrides({"company": "acme", "tenant_id": "7", "is_last_attempt": "f"}, BERLIN)
    assert record == SessionRecord(company="acme", tenant_id=7, is_last_attempt=False)


def test_all_bad_overrides_are_named() -> None:
    overrides = {"compny": "acme", "setup_time": "x", "folder": "", "tenant_id": "x", "company": "\udcff"}
    with pytest.raises(ImportFileError) as refused:
        read_overrides(overrides, BERLIN)
    for part in ("compny cannot", "setup_time cannot", "folder: a value", "tenant_id: 'x'", "surrogates"):
        assert part in str(refused.value)


def test_identity_and_times_cannot_be_overridden() -> None:
    fixed_names = {"source", "session_id", "event", "setup_time", "alert_time", "answer_time", "end_time"}
    fixed_names |= {"part", "part_class"}
    assert set(FIELD_NAMES) - set(OVERRIDABLE_NAMES) == fixed_names
