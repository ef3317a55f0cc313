"""Converts `CreateCredentialRequest` to `NewCredential`, and reads the other requests about credentials."""

from collections.abc import Callable, Sequence
from typing import Final

from pegcount.config import Config
from pegcount.errors import quoted, shortened
from pegcount.model import CredentialRow, NewCredential
from pegcount.request.data_scope import data_scope, limits, require_few_values
from pegcount.request.unknown_fields import check_known
from pegcount.request.validation import RequestValidator, never_ends
from pegcount.v1 import admin_pb2

_VISIBLE: Final = "visible characters"


def new_credential(
    request: admin_pb2.CreateCredentialRequest, config: Config, accepted: Sequence[CredentialRow]
) -> NewCredential:
    """Returns the credential that a request asks for; raises InvalidRequestError with its violations.

    `accepted` has the credentials that are accepted now, whose names no other one may have.
    """
    validator = RequestValidator(config, never_ends)
    # Before anything looks at each of them.
    require_few_values(request, validator)
    check_known(request, validator)
    _check_name(request.name, accepted, validator)
    scopes = _scopes(request, validator)
    lifetime_seconds = request.lifetime_seconds if request.HasField("lifetime_seconds") else None
    if lifetime_seconds is not None:
        maximum = config.credential_lifetime_seconds_max
        validator.number_within("lifetime_seconds", lifetime_seconds, 1, maximum)
    names = _certificate_names(request, accepted, validator)
    scope = data_scope(request, scopes, validator)
    found_limits = limits(request, validator)
    validator.raise_violations()
    return NewCredential(request.name, scopes, lifetime_seconds, names, scope, found_limits)


def credential_id(
    request: admin_pb2.RevokeCredentialRequest | admin_pb2.RotateCredentialRequest, config: Config
) -> str:
    """Returns the id of a credential; raises InvalidRequestError if it is missing or too long."""
    validator = RequestValidator(config, never_ends)
    validator.required_text("id", request.id)
    validator.raise_violations()
    return request.id


def rotation(request: admin_pb2.RotateCredentialRequest, config: Config) -> tuple[str, int]:
    """Returns the id of a credential, and the seconds for which its present key stays accepted.

    Raises InvalidRequestError with the violations.
    """
    validator = RequestValidator(config, never_ends)
    validator.required_text("id", request.id)
    overlap_seconds = config.credential_overlap_seconds
    if request.HasField("overlap_seconds"):
        overlap_seconds = request.overlap_seconds
        maximum = config.credential_overlap_seconds_max
        validator.number_within("overlap_seconds", overlap_seconds, 0, maximum)
    validator.raise_violations()
    return request.id, overlap_seconds


def _check_name(name: str, accepted: Sequence[CredentialRow], validator: RequestValidator) -> None:
    _check_text("name", name, validator.config.credential_name_length_max, len, validator)
    for row in accepted:
        if row.name == name:
            _add_taken("name", name, row, validator)


def _check_text(
    field: str, text: str, allowed: int, length_of: Callable[[str], int], validator: RequestValidator
) -> None:
    """Reports a text that is empty, too long, or has characters that nobody would see."""
    asked = length_of(text)
    if not text:
        validator.add_violation(field, "REQUIRED_FIELD_MISSING", "is required")
    elif asked > allowed:
        unit = "characters" if length_of is len else "bytes"
        description = f"has {asked} {unit}; {allowed} are allowed"
        validator.add_violation(field, "TEXT_TOO_LONG", description, asked=asked, allowed=allowed)
    elif not text.isprintable() or text != text.strip():
        description = f"{quoted(text)} has characters, or spaces at its ends, that nobody would see"
        validator.add_violation(field, "UNKNOWN_NAME", description, value=shortened(text), allowed=_VISIBLE)


def _scopes(request: admin_pb2.CreateCredentialRequest, validator: RequestValidator) -> tuple[int, ...]:
    scopes = validator.values("scopes", request, "scopes")
    allowed = ", ".join(admin_pb2.Scope.keys()[1:])
    if not request.scopes:
        description = "is required, such as SCOPE_READ_REPORTS"
        validator.add_violation("scopes", "REQUIRED_FIELD_MISSING", description, allowed=allowed)
    for index, scope in enumerate(scopes):
        field = f"scopes[{index}]"
        if scope == admin_pb2.SCOPE_UNSPECIFIED:
            description = "0 is not a value of Scope, such as SCOPE_READ_REPORTS"
            validator.add_violation(field, "UNKNOWN_ENUM_VALUE", description, value=0, allowed=allowed)
        elif validator.enum(field, scope, admin_pb2.Scope) and scope in scopes[:index]:
            name = admin_pb2.Scope.Name(scope)
            validator.add_violation(field, "REPEATED_NAME", f"{name} is listed already", value=name)
    return tuple(sorted(scopes))


def _certificate_names(
    request: admin_pb2.CreateCredentialRequest,
    accepted: Sequence[CredentialRow],
    validator: RequestValidator,
) -> tuple[str, ...]:
    names = tuple(validator.values("certificate_names", request, "certificate_names"))
    owners = {name: row for row in accepted for name in row.certificate_names}
    for index, name in enumerate(names):
        field = f"certificate_names[{index}]"
        _check_text(field, name, validator.config.credential_certificate_name_bytes_max, _bytes_of, validator)
        if name in names[:index]:
            validator.add_violation(field, "REPEATED_NAME", f"{name} is listed already", value=name)
        if name in owners:
            _add_taken(field, name, owners[name], validator)
    return names


def _add_taken(field: str, name: str, row: CredentialRow, validator: RequestValidator) -> None:
    description = f"{quoted(name)} is that of credential {row.id}; revoke that one, or take another name"
    validator.add_violation(field, "REPEATED_NAME", description, value=name)


def _bytes_of(text: str) -> int:
    return len(text.encode())
