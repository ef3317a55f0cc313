"""Values of a query, which are bound as parameters: they are never in its text."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_LIST_BYTES_MAX: Final = 100_000
"""Bytes of a list of tuples; a longer one is bound as several. A form takes at most 120,000 in one field."""
_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"}
)


class BoundValues:
    """Gives names to the values of one query. Each method returns what stands for a value in its text."""

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}
        """The text form of each value by its name."""

    def integer(self, value: int) -> str:
        """Binds an integer of 64 bits."""
        return self._bind(str(value), "Int64")

    def unsigned(self, value: int) -> str:
        """Binds an integer of 64 bits that is not negative."""
        return self._bind(str(value), "UInt64")

    def integers(self, values: Iterable[int], type_name: str = "Int64") -> str:
        """Binds a list of integers."""
        return self._bind(f"[{','.join(map(str, values))}]", f"Array({type_name})")

    def text(self, value: str) -> str:
        """Binds a text."""
        return self._bind(value.translate(_ESCAPES), "String")

    def texts(self, values: Iterable[str]) -> str:
        """Binds a list of texts."""
        return self._bind(f"[{','.join(map(_quoted, values))}]", "Array(String)")

    def tuples(self, type_names: Sequence[str], rows: Iterable[Sequence[int | str]]) -> list[str]:
        """Binds tuples of values of these types, as one list or, if they are long, as several."""
        texts = [f"({','.join(map(_literal, row))})" for row in rows]
        type_name = f"Array(Tuple({', '.join(type_names)}))"
        return [self._bind(f"[{','.join(part)}]", type_name) for part in _parts(texts)]

    def _bind(self, value: str, type_name: str) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{type_name}}}"


def _literal(value: int | str) -> str:
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    return f"'{text.translate(_ESCAPES)}'"


def _parts(rows: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for row in rows:
        row_size = len(row.encode()) + 1
        if part and size + row_size > _LIST_BYTES_MAX:
            yield part
            part, size = [], 0
        part.append(row)
        size += row_size
    if part:
        yield part
