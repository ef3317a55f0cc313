"""Why rows were rejected, by kind: reasons that differ only in quoted values and numbers are one kind."""

import re
from dataclasses import dataclass

from pegcount.masked import masked_digits

# A quote without an end goes to the end of the text, so that a search takes no time for each letter after it.
_QUOTED = r"""(?<!\w)'(?:[^'\\]|\\.)*(?:'|\\?\Z)|"(?:[^"\\]|\\.)*(?:"|\\?\Z)"""
_VALUE = re.compile(rf"({_QUOTED}|\b\d(?:[\w.,:+-]*\w)?)", re.DOTALL)
"""A quoted value, a number or a time; split by it, a text alternates with values."""
_VALUE_CHARS_MAX = 40
_ANY = "…"


@dataclass(slots=True)
class RejectKind:
    """Rows of an import that were rejected for reasons of one kind."""

    texts: list[str]
    values: list[str]
    """The values between the texts; `…` where the rows differ, or where one is long."""
    first_file: str
    first_line: int
    row_count: int = 0

    @property
    def reason(self) -> str:
        """The reason, with the values that all its rows have."""
        values = [*self.values, ""]
        return "".join(text + value for text, value in zip(self.texts, values, strict=True))


class RejectKinds:
    """Counts rejected rows by the kind of their reason; holds at most `count_max` kinds, the first ones."""

    def __init__(self, count_max: int) -> None:
        self.row_count = 0
        """All rejected rows, also those of kinds that are not held."""
        self._count_max = count_max
        self._kinds: dict[tuple[str, ...], RejectKind] = {}

    def add(self, file: str, line: int, reason: str) -> None:
        """Counts a row."""
        self.row_count += 1
        parts = _VALUE.split(reason)
        texts, values = parts[::2], [_shown(value) for value in parts[1::2]]
        kind = self._kinds.get(tuple(texts))
        if kind is None:
            if len(self._kinds) >= self._count_max:
                return
            short = [value if len(value) <= _VALUE_CHARS_MAX else _ANY for value in values]
            kind = self._kinds[tuple(texts)] = RejectKind(texts, short, file, line)
        elif kind.values != values:
            pairs = zip(kind.values, values, strict=True)
            kind.values = [held if held == value else _ANY for held, value in pairs]
        kind.row_count += 1

    def most_frequent(self) -> list[RejectKind]:
        """Returns the kinds that are held, those with most rows first."""
        return sorted(self._kinds.values(), key=lambda kind: -kind.row_count)


def _shown(value: str) -> str:
    """Returns a value as it is printed: a cell of a row may be a number of a party, in whichever column."""
    return masked_digits(value) if value[0] in "'\"" else value
