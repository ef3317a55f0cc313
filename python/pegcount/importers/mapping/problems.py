"""What is wrong with a mapping file: all of it at once, each with its line and key."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pegcount.errors import ImportFileError
from pegcount.importers.mapping.toml_file import KeyPath, TomlFile, shown

_SHOWN_COUNT_MAX = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `key_path` is where, empty for what is missing in the file as a whole."""

    key_path: KeyPath
    text: str


class MappingError(ImportFileError):
    """A mapping file cannot be used; the text has a line for each problem."""


@dataclass(slots=True)
class Problems:
    """Collects problems."""

    found: list[Problem] = field(default_factory=list)

    def add(self, key_path: KeyPath, text: str) -> None:
        """Adds a problem."""
        self.found.append(Problem(key_path, text))


def described(file: TomlFile, problems: Sequence[Problem]) -> list[str]:
    """Returns a line for each problem, in the order of the file."""
    lines = file.key_lines()
    placed = sorted(problems, key=lambda problem: _line(lines, problem.key_path))
    texts = [_described(file, _line(lines, problem.key_path), problem) for problem in placed]
    more = len(texts) - _SHOWN_COUNT_MAX
    return texts if more <= 0 else [*texts[:_SHOWN_COUNT_MAX], f"{file.path}: and {more:,} more problems"]


def raise_problems(file: TomlFile, problems: Sequence[Problem]) -> None:
    """Raises MappingError if there are problems."""
    if problems:
        raise MappingError("\n".join(described(file, problems)))


def _line(lines: dict[KeyPath, int], key_path: KeyPath) -> int:
    """Returns the line of a key, or of the table that it is missing in; 0 for the file as a whole."""
    while key_path and key_path not in lines:
        key_path = key_path[:-1]
    return lines.get(key_path, 0)


def _described(file: TomlFile, line: int, problem: Problem) -> str:
    where = f"{file.path} line {line}, {shown(problem.key_path)}" if line else str(file.path)
    return f"{where}: {problem.text}"
