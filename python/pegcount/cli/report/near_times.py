"""Suggests the times that the writer of a text may have meant; it never decides between two readings."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from pegcount.suggestion import nearest

_WORD_SIMILARITY_MIN: Final = 0.75
_YEAR_FIRST: Final = re.compile("([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})")
_DIGITS: Final = re.compile("([0-9]{4})([0-9]{2})([0-9]{2})")
_YEAR_LAST: Final = re.compile("([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})")
_NO_YEAR: Final = re.compile("([0-9]{1,2})[-/.]([0-9]{1,2})")


def near_times(text: str, now: datetime, words: Iterable[str]) -> list[str]:
    """Returns the texts that a text resembles; `now` gives the year of a date that has none.

    >>> now = datetime(2026, 11, 2)
    >>> near_times("05/10/2026", now, []), near_times("25.10.2026", now, []), near_times("10-05", now, [])
    (['2026-10-05', '2026-05-10'], ['2026-10-25'], ['2026-10-05'])
    >>> near_times("yesteday", now, ["yesterday", "today"])
    ['yesterday']
    """
    plain = " ".join(text.casefold().split())
    if match := _DIGITS.fullmatch(plain) or _YEAR_FIRST.match(plain):
        return _dates((match[1], match[2], match[3]))
    if match := _YEAR_LAST.match(plain):
        return _dates((match[3], match[2], match[1]), (match[3], match[1], match[2]))
    if match := _NO_YEAR.fullmatch(plain):
        return _dates((str(now.year), match[1], match[2]))
    near = nearest(plain, words, _WORD_SIMILARITY_MIN)
    return [] if near is None else [near]


def _dates(*readings: tuple[str, str, str]) -> list[str]:
    """Returns those of some readings as year, month and day that exist, each once."""
    found = []
    for year, month, day in readings:
        try:
            found.append(date(int(year), int(month), int(day)).isoformat())
        except ValueError:
            continue
    return list(dict.fromkeys(found))
