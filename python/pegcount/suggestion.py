"""Suggests what the writer of a wrong name may have meant."""

import difflib
from collections.abc import Iterable
from typing import Final

_LENGTH_MAX: Final = 100
"""Characters of a name to compare; to compare a longer one would take too long."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns `; did you mean "X"?` for the nearest of the known names, "" if none is near.

    >>> did_you_mean("origClientsName", ["orig_clients_id", "orig_clients_name"])
    '; did you mean "orig_clients_name"?'
    >>> did_you_mean("x", ["orig_clients_id"])
    ''
    """
    near = nearest(name, known)
    return "" if near is None else suggestion(near)


def nearest(name: str, known: Iterable[str], similarity_min: float = 0.6) -> str | None:
    """Returns the nearest of the known names, None if none has the similarity that `difflib` measures.

    Upper and lower case, underscores and spaces do not count. Takes some ten microseconds per known name.
    """
    form = comparable(name)
    if form is None:
        return None
    known_by_form = {found: each for each in known if (found := comparable(each)) is not None}
    near = difflib.get_close_matches(form, known_by_form, 1, similarity_min)
    return known_by_form[near[0]] if near else None


def comparable(name: str) -> str | None:
    """Returns the form in which names are compared, None for a name that is too long to compare."""
    return name.casefold().replace("_", "").replace(" ", "") if len(name) <= _LENGTH_MAX else None


def suggestion(text: str) -> str:
    """Returns the end of an error text that suggests another text."""
    return f'; did you mean "{text}"?'
