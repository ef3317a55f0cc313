"""Requests about credentials."""

from typing import Any

import pytest
from pegcount.config import Config
from pegcount.errors import InvalidRequestError
from pegcount.model import CredentialRow, NewCredential
from pegcount.request import credential_id, new_credential, rotation
from pegcount.v1.admin_pb2 import (
    SCOPE_ADMIN,
    SCOPE_READ_REPORTS,
    SCOPE_ROOT,
    CreateCredentialRequest,
    RevokeCredentialRequest,
    RotateCredentialRequest,
)

CONFIG = Config()
ACCEPTED = [CredentialRow("cr_a", "taken", (1,), ("taken.example.com",), (), 0)]


def created(**fields: Any) -> NewCredential:
    request = CreateCredentialRequest(**{"name": "n", "scopes": [SCOPE_ADMIN], **fields})
    return new_credential(request, CONFIG, ACCEPTED)


def violations(**fields: Any) -> list[tuple[str, str, dict[str, str]]]:
    with pytest.raises(InvalidRequestError) as raised:
        created(**fields)
    return [(one.field, one.reason, dict(one.metadata)) for one in raised.value.violations]


def test_a_request_becomes_a_credential() -> None:
    assert created() == NewCredential("n", (3,), None, ())
    full = created(
        name="Zoë's reports",
        scopes=[SCOPE_ROOT, SCOPE_READ_REPORTS],
        lifetime_seconds=60,
        certificate_names=["b.example.com", "spiffe://example.com/a"],
    )
    names = ("b.example.com", "spiffe://example.com/a")
    assert full == NewCredential("Zoë's reports", (1, 4), 60, names)


def test_values_at_their_limits() -> None:
    assert created(name="é" * 64, lifetime_seconds=1).name == "é" * 64
    assert created(lifetime_seconds=3_153_600_000).lifetime_seconds == 3_153_600_000
    assert len(created(certificate_names=[f"{i}.example.com" for i in range(16)]).certificate_names) == 16
    assert created(certificate_names=["a" * 255]).certificate_names == ("a" * 255,)


ALLOWED = "SCOPE_READ_REPORTS, SCOPE_WRITE_RECORDS, SCOPE_ADMIN, SCOPE_ROOT"
LIFETIME = {"minimum": "1", "maximum": "3153600000"}
INVISIBLE = "visible characters"


@pytest.mark.parametrize(
    ("fields", "field", "reason", "metadata"),
    [
        ({"name": ""}, "name", "REQUIRED_FIELD_MISSING", {}),
        ({"name": "é" * 65}, "name", "TEXT_TOO_LONG", {"asked": "65", "allowed": "64"}),
        ({"name": "a\nb"}, "name", "UNKNOWN_NAME", {"value": "a\nb", "allowed": INVISIBLE}),
        ({"name": "a "}, "name", "UNKNOWN_NAME", {"value": "a ", "allowed": INVISIBLE}),
        ({"name": "\u200b"}, "name", "UNKNOWN_NAME", {"value": "\u200b", "allowed": INVISIBLE}),
        ({"name": "taken"}, "name", "REPEATED_NAME", {"value": "taken"}),
        ({"scopes": []}, "scopes", "REQUIRED_FIELD_MISSING", {"allowed": ALLOWED}),
        ({"scopes": [0]}, "scopes[0]", "UNKNOWN_ENUM_VALUE", {"value": "0", "allowed": ALLOWED}),
        ({"scopes": [1, 9]}, "scopes[1]", "UNKNOWN_ENUM_VALUE", {"value": "9", "allowed": ALLOWED}),
        ({"scopes": [3, 3]}, "scopes[1]", "REPEATED_NAME", {"value": "SCOPE_ADMIN"}),
        ({"scopes": [3] * 17}, "scopes", "LIST_LIMIT_EXCEEDED", {"asked": "17", "allowed": "16"}),
        ({"lifetime_seconds": 0}, "lifetime_seconds", "VALUE_OUT_OF_RANGE", {"value": "0", **LIFETIME}),
        (
            {"lifetime_seconds": 2**63 - 1},
            "lifetime_seconds",
            "VALUE_OUT_OF_RANGE",
            {"value": str(2**63 - 1), **LIFETIME},
        ),
        (
            {"certificate_names": ["taken.example.com"]},
            "certificate_names[0]",
            "REPEATED_NAME",
            {"value": "taken.example.com"},
        ),
        ({"certificate_names": ["a", "a"]}, "certificate_names[1]", "REPEATED_NAME", {"value": "a"}),
        ({"certificate_names": [""]}, "certificate_names[0]", "REQUIRED_FIELD_MISSING", {}),
        (
            {"certificate_names": ["é" * 128]},
            "certificate_names[0]",
            "TEXT_TOO_LONG",
            {"asked": "256", "allowed": "255"},
        ),
        (
            {"certificate_names": ["a"] * 17},
            "certificate_names",
            "LIST_LIMIT_EXCEEDED",
            {"asked": "17", "allowed": "16"},
        ),
    ],
)
def test_each_violation(fields: dict[str, Any], field: str, reason: str, metadata: dict[str, str]) -> None:
    assert violations(**fields) == [(field, reason, metadata)]


def test_all_violations_come_together() -> None:
    found = violations(name="", scopes=[], lifetime_seconds=-1, certificate_names=["", ""])
    assert [field for field, _, _ in found] == [
        "name",
        "scopes",
        "lifetime_seconds",
        "certificate_names[0]",
        "certificate_names[1]",
        "certificate_names[1]",
    ]


def test_the_id_is_required() -> None:
    assert credential_id(RevokeCredentialRequest(id="cr_a"), CONFIG) == "cr_a"
    for request in (RevokeCredentialRequest(), RevokeCredentialRequest(id="")):
        with pytest.raises(InvalidRequestError, match="id: is required"):
            credential_id(request, CONFIG)
    with pytest.raises(InvalidRequestError, match="id: has 257 bytes; 256 are allowed"):
        credential_id(RevokeCredentialRequest(id="a" * 257), CONFIG)


def test_the_overlap_of_a_rotation_is_a_day_or_what_is_asked() -> None:
    assert rotation(RotateCredentialRequest(id="cr_a"), CONFIG) == ("cr_a", 86_400)
    for seconds in (0, 2_592_000):
        assert rotation(RotateCredentialRequest(id="cr_a", overlap_seconds=seconds), CONFIG)[1] == seconds
    for seconds in (-1, 2_592_001):
        with pytest.raises(InvalidRequestError, match="id: is required; overlap_seconds: "):
            rotation(RotateCredentialRequest(overlap_seconds=seconds), CONFIG)
