"""Converts `PutCodeDeckRequest` to the entries of a code deck."""

import re

from pegcount.config import Config
from pegcount.errors import InvalidRequestError, Violation
from pegcount.model import CodeDeckEntry
from pegcount.v1 import admin_pb2

_CODE = re.compile(r"[0-9]{1,32}")


def code_deck_entries(request: admin_pb2.PutCodeDeckRequest, config: Config) -> list[CodeDeckEntry]:
    """Returns the entries of a request; raises InvalidRequestError with all its violations."""
    violations = []
    if not request.HasField("id"):
        violations.append(Violation("id", "REQUIRED_FIELD_MISSING", "is required"))
    elif request.id < 1:
        metadata = {"value": str(request.id), "minimum": "1", "maximum": str(2**63 - 1)}
        violations.append(Violation("id", "VALUE_OUT_OF_RANGE", "must be 1 or greater", metadata))
    if not request.entries:
        violations.append(Violation("entries", "REQUIRED_FIELD_MISSING", "needs one entry or more"))
    seen_codes: set[str] = set()
    for i, entry in enumerate(request.entries):
        problem = _problem(entry, seen_codes, config.filter_text_bytes_max)
        if problem:
            field = f"entries[{i}]"
            violations.append(Violation(field, "INVALID_CODE_DECK", problem, {"value": entry.code}))
        seen_codes.add(entry.code)
    if violations:
        raise InvalidRequestError(violations)
    return [CodeDeckEntry(entry.code, entry.name, entry.country) for entry in request.entries]


def _problem(entry: admin_pb2.CodeDeckEntry, seen_codes: set[str], text_bytes_max: int) -> str | None:
    if not _CODE.fullmatch(entry.code):
        return f"code {entry.code!r} is not 1 to 32 digits"
    if entry.code in seen_codes:
        return f"code {entry.code} stands there already"
    if any(len(text.encode()) > text_bytes_max for text in (entry.name, entry.country)):
        return f"name and country may have {text_bytes_max} bytes each"
    return None
