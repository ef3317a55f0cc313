"""Converts `SetRetentionRequest` to `Retention`."""

from pegcount.errors import InvalidRequestError, Violation
from pegcount.model import Retention
from pegcount.v1 import admin_pb2

_DAYS_MAX = 84_006
"""Days from 1970-01-01 to 2200-01-01, the range of record times."""


def retention(request: admin_pb2.SetRetentionRequest) -> Retention | None:
    """Returns the retention of a request; raises InvalidRequestError with all its violations.

    None if the request only accepts the clock.
    """
    if not request.HasField("retention"):
        if request.accept_clock:
            return None
        raise InvalidRequestError([Violation("retention", "REQUIRED_FIELD_MISSING", "is required")])
    message = request.retention
    days = message.days if message.HasField("days") else None
    size = message.bytes if message.HasField("bytes") else None
    violations = [
        *_range_violations("retention.days", days, _DAYS_MAX),
        *_range_violations("retention.bytes", size, 2**63 - 1),
    ]
    if violations:
        raise InvalidRequestError(violations)
    return Retention(days, size)


def _range_violations(field: str, value: int | None, maximum: int) -> list[Violation]:
    if value is None or 1 <= value <= maximum:
        return []
    metadata = {"value": str(value), "minimum": "1", "maximum": str(maximum)}
    return [Violation(field, "VALUE_OUT_OF_RANGE", f"must be 1 to {maximum}", metadata)]
