"""Validates `PutCodeDeckRequest`, which the core decodes, as a deck may have 500,000 entries."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from pegcount.config import Config
from pegcount.errors import quoted, shortened
from pegcount.model import BadCodeDeckEntry, DecodedCodeDeck
from pegcount.request.list_limits import LIST_LIMITS, add_if_exceeded
from pegcount.request.violations import Violations

_ID_MAX: Final = 2**63 - 1
_ENTRIES: Final = LIST_LIMITS["pegcount.v1.PutCodeDeckRequest.entries"]
_DESCRIPTIONS: Final[Mapping[str, Callable[[BadCodeDeckEntry, Config], str]]] = {
    "code": lambda entry, _: f"code {quoted(entry.code)} is not 1 to 32 digits",
    "repeated_code": lambda entry, _: (
        f"code {entry.code} is that of another entry; a code may have one entry"
    ),
    "text": lambda _, config: f"name and country may have {config.filter_text_bytes_max} bytes each",
}


def code_deck_id(request: DecodedCodeDeck, config: Config) -> int:
    """Returns the id of a valid code deck; raises InvalidRequestError with the violations of any other."""
    violations = Violations(config.violation_count_max)
    if request.id is None:
        violations.add("id", "REQUIRED_FIELD_MISSING", "is required")
    elif request.id < 1:
        metadata = {"value": request.id, "minimum": 1, "maximum": _ID_MAX}
        violations.add("id", "VALUE_OUT_OF_RANGE", "must be 1 or greater", **metadata)
    if not request.entry_count:
        violations.add("entries", "REQUIRED_FIELD_MISSING", "needs one entry or more")
    add_if_exceeded("entries", request.entry_count, _ENTRIES, config, violations)
    for entry in request.bad_entries:
        description = _DESCRIPTIONS[entry.fault](entry, config)
        value = shortened(entry.code)
        violations.add(f"entries[{entry.index}]", "INVALID_CODE_DECK", description, value=value)
    violations.count += request.bad_entry_count - len(request.bad_entries)
    violations.raise_any()
    assert request.id is not None, "an absent id is a violation"
    return request.id


def check_deck_count(deck_id: int, stored_ids: Collection[int], config: Config) -> None:
    """Raises InvalidRequestError if a deck would be one more than allowed."""
    asked, allowed = len(stored_ids) + (deck_id not in stored_ids), config.code_deck_count_max
    if asked > allowed and deck_id not in stored_ids:
        violations = Violations(config.violation_count_max)
        description = (
            f"is that of a new code deck, and {allowed} are stored, which is the limit; replace one of these"
        )
        violations.add("id", "LIST_LIMIT_EXCEEDED", description, asked=asked, allowed=allowed)
        violations.raise_any()
