"""Texts as a log line may show them: no line breaks, no codes that control a terminal, numbers masked."""

import json
import re
import time
from functools import lru_cache
from typing import Final

from pegcount.masked import masked_digits

_LONG_NUMBER: Final = re.compile(r"\d(?:[ ./()-]{0,2}\d){5,}")
_KNOWN_COUNT = 1_024


def escaped(text: str) -> str:
    r"""Returns a text in one line, where escapes such as `\n` and `\x1b` stand for what cannot be shown.

    These are line breaks, control characters, characters that change the direction of the text, and halves
    of a character.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def as_json(text: str) -> str:
    r"""Returns a string of JSON in ASCII; half a character is written out, as `\udc80` would not be valid."""
    whole = text.encode("utf-8", "backslashreplace").decode() if not text.isascii() else text
    return json.dumps(whole).replace("\x7f", "\\u007f")


def value_as_json(value: object) -> str:
    """Returns a number of JSON for a number, and a string for everything else."""
    return json.dumps(value) if isinstance(value, int | float) else as_json(str(value))


@lru_cache(_KNOWN_COUNT)
def known_as_json(text: str) -> str:
    """Does the same for texts that come again and again, such as names of methods."""
    return as_json(text)


def without_numbers(text: str) -> str:
    """Returns a text such as that of an unexpected error, with the numbers of parties in it masked.

    A number of a party is taken to have 6 digits or more.
    """
    return _LONG_NUMBER.sub(lambda found: masked_digits(found[0]), text)


def utc(time_ns: int) -> str:
    """Returns nanoseconds since 1970 in the form of RFC 3339, with milliseconds."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest_ns // 1_000_000:03d}Z"


@lru_cache(4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _escape(character: str) -> str:
    return repr(character)[1:-1]
