"""Converts `SetMaskingRequest` to `Masking`."""

from typing import Final

from pegcount.errors import InvalidRequestError, Violation
from pegcount.privacy import Masking
from pegcount.v1 import admin_pb2

_DAYS_MAX: Final = 84_006
"""Days from 1970-01-01 to 2200-01-01, the range of record times."""
_KEEP_DIGITS_MAX: Final = 32


def masking(request: admin_pb2.SetMaskingRequest) -> Masking | None:
    """Returns the masking of a request, None if it ends it; raises InvalidRequestError."""
    if not request.HasField("masking"):
        description = "is required; empty, it ends the masking"
        raise InvalidRequestError([Violation("masking", "REQUIRED_FIELD_MISSING", description)])
    message = request.masking
    if not message.HasField("after_days") and not message.HasField("keep_digits"):
        return None
    violations = [
        *_violations(message, "after_days", 1, _DAYS_MAX),
        *_violations(message, "keep_digits", 0, _KEEP_DIGITS_MAX),
    ]
    if violations:
        raise InvalidRequestError(violations)
    return Masking(message.after_days, message.keep_digits)


def _violations(message: admin_pb2.Masking, name: str, minimum: int, maximum: int) -> list[Violation]:
    field, value = f"masking.{name}", getattr(message, name)
    allowed = f"{minimum} to {maximum}"
    if not message.HasField(name):
        other = "keep_digits" if name == "after_days" else "after_days"
        return [Violation(field, "REQUIRED_FIELD_MISSING", f"is required with {other}: {allowed}")]
    if minimum <= value <= maximum:
        return []
    metadata = {"value": str(value), "minimum": str(minimum), "maximum": str(maximum)}
    return [Violation(field, "VALUE_OUT_OF_RANGE", f"must be {allowed}", metadata)]
