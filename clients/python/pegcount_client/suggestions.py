"""Errors about names that are not known: what is allowed, and what the writer may have meant."""

import difflib
from collections.abc import Iterable
from typing import Final

_LENGTH_MAX: Final = 100
"""Characters of a name to compare and to repeat; comparing a longer one would take too long."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Returns an error text that lists the known names, and suggests the nearest one if one is near.

    >>> unknown_name("granularity", "dya", ["HOUR", "DAY"])
    'unknown granularity "dya"; did you mean "DAY"? Allowed: HOUR, DAY'
    """
    names = list(known)
    shown = name if len(name) <= _LENGTH_MAX else f"{name[:_LENGTH_MAX]}..."
    near = _nearest(name, names)
    end = "" if near is None else f'; did you mean "{near}"?'
    return f'unknown {what} "{shown}"{end}{"" if end else "."} Allowed: {", ".join(names)}'


def _nearest(name: str, known: Iterable[str]) -> str | None:
    if len(name) > _LENGTH_MAX:
        return None
    known_by_form = {_comparable(each): each for each in known}
    near = difflib.get_close_matches(_comparable(name), known_by_form, 1)
    return known_by_form[near[0]] if near else None


def _comparable(name: str) -> str:
    """Returns a name without what people vary: case, underscores, hyphens and blanks."""
    return name.casefold().translate({ord(letter): None for letter in "_- "})
