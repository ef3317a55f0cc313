"""Conditions of a mapping about the cells of a row: all tests of `when` hold, and not all of `unless`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pegcount.importers.mapping.toml_file import KeyPath

CellTest = Callable[[Sequence[str]], bool]
"""Returns whether the cells of a row satisfy a condition."""


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """Whether the cell of a column is one of some texts, or contains what a pattern describes."""

    column: str
    key_path: KeyPath
    """Where the mapping file says so."""
    texts: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None

    @property
    def meaning(self) -> tuple[str, list[str], str]:
        """What it tests, wherever and in which order the mapping file says so."""
        return self.column, sorted(self.texts), "" if self.pattern is None else self.pattern.pattern

    def holds(self, cell: str) -> bool:
        """Returns whether a cell satisfies it."""
        return cell in self.texts if self.pattern is None else self.pattern.search(cell) is not None


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds if all tests of `when` hold, and not all of `unless`, which may have none."""

    when: tuple[ColumnTest, ...] = ()
    unless: tuple[ColumnTest, ...] = ()

    @property
    def tests(self) -> tuple[ColumnTest, ...]:
        """All its tests."""
        return (*self.when, *self.unless)

    @property
    def meaning(self) -> list[list[tuple[str, list[str], str]]]:
        """What its tests are, in an order of their own."""
        return [sorted(test.meaning for test in tests) for tests in (self.when, self.unless)]

    def bound(self, places: Mapping[str, int]) -> CellTest:
        """Returns the condition for rows whose columns have these places."""
        when = [(places[test.column], test) for test in self.when]
        unless = [(places[test.column], test) for test in self.unless]

        def holds(cells: Sequence[str]) -> bool:
            if not all(test.holds(cells[place]) for place, test in when):
                return False
            return not unless or not all(test.holds(cells[place]) for place, test in unless)

        return holds
