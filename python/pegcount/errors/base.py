"""What all errors share: their reason, their metadata, and how they quote what a caller sent."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

_REPEATED_CHARS_MAX: Final = 100
"""Characters of a caller's text that an error repeats."""


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a request breaks.

    `reason` is the name of an `ErrorReason` without its prefix; `metadata` holds the metadata
    that the proto documents for the reason, except `field`.
    """

    field: str
    reason: str
    description: str
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)


def shortened(text: str) -> str:
    """Returns a text of a caller as an error repeats it: cut, with "..." at its end, if it is long.

    A request of many long texts would otherwise cost more memory as an error than as a request.
    """
    return text if len(text) <= _REPEATED_CHARS_MAX else text[: _REPEATED_CHARS_MAX - 3] + "..."


def quoted(text: str) -> str:
    """Returns a text of a caller in quotes, `shortened`."""
    return repr(shortened(text))


def violations_text(texts: Sequence[str], omitted_count: int) -> str:
    """Returns the texts of violations as one, which says how many more there are."""
    rest = [f"and {omitted_count} more violation{'s' * (omitted_count > 1)}"] if omitted_count else []
    return "; ".join([*texts, *rest])


def cause_of(error: Exception) -> str:
    """Returns the text of an error without the path that one of the operating system names."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)


class PegcountError(Exception):
    """Base of all expected errors. Any other exception is a bug and becomes INTERNAL_FAULT."""

    reason = "INTERNAL_FAULT"

    def __init__(self, message: str, **metadata: object) -> None:
        super().__init__(message)
        self.metadata = {name: str(value) for name, value in metadata.items()}


class InvalidRequestError(PegcountError):
    """A request is invalid; `violations` lists the broken rules, and `reason` is that of the first.

    `omitted_count` further violations were counted and not listed.
    """

    def __init__(self, violations: Sequence[Violation], omitted_count: int = 0) -> None:
        self.texts = [f"{v.field}: {v.description}" if v.field else v.description for v in violations]
        super().__init__(violations_text(self.texts, omitted_count))
        self.violations = violations
        self.omitted_count = omitted_count
        self.reason = violations[0].reason
        first = violations[0]
        self.metadata = {**({"field": first.field} if first.field else {}), **first.metadata}


class NotFoundError(PegcountError):
    """An object that the request names does not exist."""

    def __init__(self, reason: str, resource_type: str, message: str, **metadata: object) -> None:
        super().__init__(message, **metadata)
        self.reason = reason
        self.resource_type = resource_type
