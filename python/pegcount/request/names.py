"""Checks lists of names, such as `return_fields`, `order` and `absent`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from pegcount.errors import quoted, shortened
from pegcount.request.validation import RequestValidator, suggested
from pegcount.suggestion import nearest, suggestion

_SUGGESTION_COUNT_MAX = 3
"""Unknown names of one list for which the nearest name is searched, each in half a millisecond."""
_DESCENDING = re.compile(r"\s+desc(ending)?\s*$", re.IGNORECASE)
_ASCENDING = re.compile(r"\s+asc(ending)?\s*$", re.IGNORECASE)
"""How other languages write the direction of an order."""


@dataclass(frozen=True)
class NameRule:
    """Which names a list accepts."""

    allowed: Sequence[str]
    what: str
    """What a name is, with its article, for people."""
    example: str
    has_direction: bool = False
    """Whether `-` before a name means descending."""


def check_names(field: str, texts: Sequence[str], rule: NameRule, validator: RequestValidator) -> list[int]:
    """Reports unknown and repeated names of a list; returns the indices of the other names."""
    index_of_name: dict[str, int] = {}
    unknown_count = 0
    for i, text in enumerate(texts):
        name = text.removeprefix("-") if rule.has_direction else text
        if name not in rule.allowed:
            unknown_count += 1
            near = _near_text(text, rule) if unknown_count <= _SUGGESTION_COUNT_MAX else None
            _add_unknown(f"{field}[{i}]", text, near, rule, validator)
        elif name in index_of_name:
            description = f"{name} is listed already, at position {index_of_name[name]}"
            validator.add_violation(f"{field}[{i}]", "REPEATED_NAME", description, value=name)
        else:
            index_of_name[name] = i
    return list(index_of_name.values())


def absent_columns(message: Message, allowed: Sequence[str], validator: RequestValidator) -> Sequence[str]:
    """Returns the columns that the list `absent` of a message names, of those that it may name."""
    names = validator.values("absent", message, "absent")
    rule = NameRule(allowed, "an id that may be absent", allowed[0])
    return [names[i] for i in check_names("absent", names, rule, validator)]


def _add_unknown(
    field: str, text: str, near: str | None, rule: NameRule, validator: RequestValidator
) -> None:
    hint = f", such as {rule.example}" if near is None else suggestion(near)
    if near is not None and rule.has_direction and _DESCENDING.search(text):
        hint = f'; descending is "{near}"'
    metadata = {"value": shortened(text), "allowed": ", ".join(rule.allowed), **suggested(near)}
    validator.add_violation(field, "UNKNOWN_NAME", f"{quoted(text)} is not {rule.what}{hint}", **metadata)


def _near_text(text: str, rule: NameRule) -> str | None:
    """Returns the nearest text that the list accepts, None if none is near."""
    if not rule.has_direction:
        return nearest(text, rule.allowed)
    bare = _ASCENDING.sub("", _DESCENDING.sub("", text)).strip()
    near = nearest(bare.lstrip("+- "), rule.allowed)
    is_descending = bare.startswith("-") or _DESCENDING.search(text) is not None
    return near if near is None or not is_descending else f"-{near}"
