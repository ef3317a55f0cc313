"""Which methods of `AdminService` change something, and what the audit log keeps of their requests."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from pegcount.errors import shortened
from pegcount.masked import masked
from pegcount.model import DecodedCodeDeck

CHANGING: Final = frozenset(
    {
        "PutCodeDeck",
        "SetRetention",
        "DeleteRecords",
        "LiftDeletion",
        "CreateCredential",
        "RotateCredential",
        "RevokeCredential",
        "EraseParties",
        "LiftErasure",
        "SetMasking",
    }
)
"""Methods whose calls are noted."""
READING: Final = frozenset(
    {
        "ListCodeDecks",
        "GetRetention",
        "GetStoreInfo",
        "ListDeletions",
        "ListCredentials",
        "ListErasures",
        "GetMasking",
        "ListAuditEntries",
    }
)
"""All other methods: their calls change nothing, and are not noted."""

MASKED_FIELDS: Final = frozenset({"parties"})
"""Fields of requests whose texts are numbers of parties."""

ANSWERED_FIELDS: Final = frozenset({"deleted", "erasure_id", "id", "records", "rule_id"})
"""Fields of answers that an entry keeps beside its request: what was made, and how much it concerned."""

_LISTED_COUNTS: Final = (10, 3, 0)
"""How many values of each list an entry keeps: as many as its length allows, in three tries."""

AdminRequest: TypeAlias = Message | DecodedCodeDeck


def changes_something(method: str, request: AdminRequest) -> bool:
    """Whether a call would change something: one with `dry_run` only counts."""
    return method in CHANGING and not getattr(request, "dry_run", False)


def request_text(request: AdminRequest, length_max: int, answer: object = None) -> str:
    """Returns a request as JSON, with numbers of parties masked, and long lists and texts cut.

    One that is still longer than `length_max` characters becomes the number of its characters. The
    `ANSWERED_FIELDS` of an answer follow.
    """
    answered = _answered(answer)
    for count in _LISTED_COUNTS:
        text = json.dumps(_members(request, count) | answered, ensure_ascii=False)
        if len(text) <= length_max:
            return text
    return json.dumps({"omitted_characters": len(text)} | answered)


def _answered(answer: object) -> dict[str, Any]:
    if not isinstance(answer, Message):
        return {}
    return {field.name: value for field, value in answer.ListFields() if field.name in ANSWERED_FIELDS}


def _members(request: AdminRequest, listed_count: int) -> dict[str, Any]:
    if isinstance(request, Message):
        return {field.name: _shown_field(field, value, listed_count) for field, value in request.ListFields()}
    return {"id": request.id, "entries": _count_text(request.entry_count)}


def _shown_field(field: FieldDescriptor, value: Any, listed_count: int) -> Any:
    if not field.is_repeated:
        return _shown(field, value, listed_count)
    shown = [_shown(field, each, listed_count) for each in value[:listed_count]]
    return shown if len(value) <= listed_count else _cut(shown, len(value))


def _shown(field: FieldDescriptor, value: Any, listed_count: int) -> Any:
    if isinstance(value, Message):
        return _members(value, listed_count)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return value if known is None else known.name
    if isinstance(value, str):
        return shortened(masked(value) if field.name in MASKED_FIELDS else value)
    return value


def _cut(shown: Sequence[Any], count: int) -> Iterable[Any]:
    return [*shown, f"{count - len(shown):,} more"] if shown else _count_text(count)


def _count_text(count: int) -> str:
    return f"{count:,} of them"
