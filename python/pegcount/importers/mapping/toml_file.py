"""A TOML file, and the lines at which its keys begin.

The standard reader returns what a file says, but not on which line. Each beginning of a file that is
well-formed TOML by itself has the keys up to its last line, so that a key begins on the line after the
longest beginning that lacks it.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pegcount.errors import ImportFileError

KeyPath = tuple[str | int, ...]
"""Where a value is: the keys of tables, and numbers of the tables of an array."""

_BYTES_MAX = 65_536
_LINES_MAX = 1_000
_DEPTH_MAX = 8


@dataclass(frozen=True, slots=True)
class TomlFile:
    """What a file says, and its text."""

    path: Path
    data: dict[str, Any]
    text: str

    def key_lines(self) -> dict[KeyPath, int]:
        """Returns the line of each key, counted from 1. Takes some 20 ms for 100 lines."""
        lines = self.text.splitlines(keepends=True)
        found: dict[KeyPath, int] = {}
        last_number, beginning = 0, ""
        for number, line in enumerate(lines, 1):
            beginning += line
            try:
                data = tomllib.loads(beginning)
            except tomllib.TOMLDecodeError:
                # Within a value of several lines.
                continue
            for key_path in _key_paths(data, ()):
                found.setdefault(key_path, last_number + 1)
            last_number = number
        return found


def read_toml(path: Path) -> TomlFile:
    """Reads a file; raises ImportFileError, with the line, if it is not TOML, or if it is too long."""
    try:
        with path.open("rb") as file:
            # A file of calls that was given in place of a mapping may be larger than the memory.
            raw = file.read(_BYTES_MAX + 1)
    except OSError as error:
        raise ImportFileError(f"{path}: {error.strerror}") from error
    if len(raw) > _BYTES_MAX or raw.count(b"\n") > _LINES_MAX:
        raise ImportFileError(
            f"{path}: a mapping file has at most {_BYTES_MAX:,} bytes and {_LINES_MAX:,} lines, and this one"
            " has more; is it the file of calls?"
        )
    try:
        text = raw.decode("utf-8-sig")
        return TomlFile(path, tomllib.loads(text), text)
    except UnicodeDecodeError as error:
        raise ImportFileError(f"{path}: a mapping file is text in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ImportFileError(f"{path}: not TOML: {error}{_advice(str(error))}") from error
    except (RecursionError, ValueError) as error:
        raise ImportFileError(
            f"{path}: a mapping file has no tables this deep, and no numbers this long"
        ) from error


def shown(key_path: KeyPath) -> str:
    """Returns a key as an error names it: `columns.src`, `skip[2].when`."""
    text = ""
    for key in key_path:
        if isinstance(key, int):
            text += f"[{key + 1}]"
        else:
            text += f".{key}" if text else key
    return text


def _key_paths(value: object, at: KeyPath) -> Iterator[KeyPath]:
    """Yields the path of each key and of each element of an array, also of inner ones."""
    if len(at) > _DEPTH_MAX:
        # No key of a mapping is there.
        return
    if isinstance(value, dict):
        inner: list[tuple[str | int, object]] = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return
    for key, found in inner:
        yield (*at, key)
        yield from _key_paths(found, (*at, key))


def _advice(problem: str) -> str:
    if "overwrite" in problem:
        return "; a column is named once: a list gives it several fields"
    if "Invalid statement" in problem or "after a key" in problem:
        return '; a name with blanks or other signs than letters, digits, - and _ needs quotes: "Call ID" = …'
    return ""
