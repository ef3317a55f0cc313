"""Audit entries as the values that stores keep of them."""

from collections.abc import Sequence
from typing import Any, Final

from pegcount.privacy import AuditEntry

AUDIT_FIELDS: Final = (
    "entry_id",
    "time_us",
    "method",
    "caller_id",
    "caller_name",
    "request",
    "outcome",
    "request_id",
)
"""The names of the values of an entry, in order."""


def audit_values(entry: AuditEntry) -> Sequence[Any]:
    """Returns the values of an entry, each a text, an integer or None."""
    texts = (entry.method, entry.caller_id, entry.caller_name, entry.request, entry.outcome, entry.request_id)
    return (entry.entry_id, entry.time_us, *texts)


def audit_entry_of(
    entry_id: int,
    time_us: int,
    method: str,
    caller_id: str | None,
    caller_name: str | None,
    request: str,
    outcome: str | None,
    request_id: str | None,
) -> AuditEntry:
    """Returns the entry of which these are the values."""
    return AuditEntry(time_us, method, caller_id, caller_name, request, outcome, request_id, entry_id)
