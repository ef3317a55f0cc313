"""Converts `ErasePartiesRequest` to numbers of parties."""

from collections.abc import Callable

from pegcount.config import Config
from pegcount.masked import masked
from pegcount.request.validation import Check, RequestValidator, never_ends
from pegcount.v1 import admin_pb2


def parties(
    request: admin_pb2.ErasePartiesRequest,
    config: Config,
    canonical: Callable[[str], str],
    check: Check = never_ends,
) -> tuple[str, ...]:
    """Returns the numbers of a request, each in one form; `canonical` is `core.canonical_party`.

    Raises InvalidRequestError with the violations of the request, which mask the numbers.
    """
    validator = RequestValidator(config, check)
    values = validator.values("parties", request, "parties")
    if not request.parties:
        validator.add_violation("parties", "REQUIRED_FIELD_MISSING", "is required: at least one number")
    for index, party in enumerate(values):
        _check_party(f"parties[{index}]", party, canonical, validator)
    validator.raise_violations()
    return tuple({canonical(party): party for party in values}.values())


def erasure_id(request: admin_pb2.LiftErasureRequest, config: Config) -> int:
    """Returns the number of the erasure to lift; raises InvalidRequestError if it is missing."""
    validator = RequestValidator(config, never_ends)
    if not request.HasField("erasure_id"):
        validator.add_violation("erasure_id", "REQUIRED_FIELD_MISSING", "is required: see ListErasures")
    validator.raise_violations()
    return request.erasure_id


def _check_party(
    field: str, party: str, canonical: Callable[[str], str], validator: RequestValidator
) -> None:
    # A text that is too long for a field of a record is in none.
    if not validator.accepts_text(field, party):
        return
    has_name = any(character.isalnum() for character in party)
    if not has_name or not canonical(party):
        shown = f"{masked(party)!r} has no digit or letter of a number" if party.strip() else "is empty"
        description = f"{shown}; give one such as +1 555 0100"
        validator.add_violation(field, "REQUIRED_FIELD_MISSING", description)
