"""On which line of a TOML file each key stands.

`tomllib` does not tell. Each statement of TOML is whole lines, and ends with the first end of a line that is
in none of a text, a list and an inline table.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

Keys = tuple[str, ...]
"""A key below those of its tables."""

_TOKEN: Final = re.compile(
    r"""
    \"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5}   # Up to two quotes may stand before the last three.
    | "(?:\\.|[^"\\])*" | '[^']*'
    | \#[^\n]*
    | [\[{] | [\]}] | \n
    """,
    re.DOTALL | re.VERBOSE,
)
"""What decides where a statement of a valid file ends."""


def lines_of_keys(text: str) -> dict[Keys, int]:
    """Returns the number of the line, from 1, on which each key and table of a valid file first stands."""
    found: dict[Keys, int] = {}
    table: Keys = ()
    for number, statement in _statements(text.replace("\r\n", "\n")):
        content = tomllib.loads(statement)
        is_header = statement.lstrip().startswith("[")
        paths = list(_paths(content))
        if is_header and paths:
            table = max(paths, key=len)
        for path in paths:
            found.setdefault(path if is_header else table + path, number)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yields the statements of a valid file with the number of the first line of each."""
    begin, begin_number, number, depth = 0, 1, 1, 0
    for found in _TOKEN.finditer(text):
        token = found[0]
        number += token.count("\n")
        depth += (token in "[{") - (token in "]}")
        if token == "\n" and not depth:
            yield begin_number, text[begin : found.end()]
            begin, begin_number = found.end(), number
    yield begin_number, text[begin:]


def _paths(content: Mapping[str, Any], above: Keys = ()) -> Iterator[Keys]:
    for key, value in content.items():
        path = (*above, key)
        yield path
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(inner, dict):
            yield from _paths(inner, path)
