"""A document of a file: what its text says, and where it stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """A document; `line` is the number of the line on which it begins, counted from 1."""

    line: int
    text: str
    value: object
    """The content of its text, as the reader of its format returns it."""
