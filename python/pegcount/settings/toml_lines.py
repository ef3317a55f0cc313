"""On which line of a TOML file each key stands.

`tomllib` does not tell. Each statement of TOML is whole lines, and the first lines of one are not a statement
by themselves, so a statement ends with the first line with which `tomllib` accepts it.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Keys = tuple[str, ...]
"""A key below those of its tables."""


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
    """Yields the statements with the number of the first line of each."""
    begin, lines = 1, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        lines.append(line)
        statement = "\n".join(lines)
        if _is_whole(statement):
            yield begin, statement
            begin, lines = number + 1, []


def _is_whole(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _paths(content: Mapping[str, Any], above: Keys = ()) -> Iterator[Keys]:
    for key, value in content.items():
        path = (*above, key)
        yield path
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(inner, dict):
            yield from _paths(inner, path)
