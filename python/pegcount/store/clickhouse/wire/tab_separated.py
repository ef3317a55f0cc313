"""Small answers as texts, in the format TabSeparated of ClickHouse."""

import re
from typing import Final

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANING: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "0": "\0"}


def rows_of(body: bytes) -> list[list[str]]:
    """Returns the rows of an answer; NULL stays `\\N`.

    >>> rows_of(b"1\\ta\\\\tb\\n2\\t\\n")
    [['1', 'a\\tb'], ['2', '']]
    """
    lines = body.decode().split("\n")[:-1]
    return [[_unescaped(text) for text in line.split("\t")] for line in lines]


def _unescaped(text: str) -> str:
    if text == r"\N":
        return text
    return _ESCAPED.sub(lambda match: _MEANING.get(match[1], match[1]), text)
