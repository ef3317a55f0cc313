"""A mapping: what the columns of a CSV file are."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from pegcount.importers.mapping.conditions import Condition
from pegcount.importers.mapping.toml_file import KeyPath


class Combination(Enum):
    """How several columns make one text."""

    JOINED = auto()
    FIRST = auto()
    """The first that is not empty."""


@dataclass(frozen=True, slots=True)
class FieldSource:
    """Where a target comes from: a column, or several that are combined."""

    target: str
    columns: tuple[str, ...]
    key_path: KeyPath
    """Where the mapping file says so."""
    combination: Combination = Combination.FIRST
    separator: str = "/"
    """Between the texts of columns that are joined."""
    formats: tuple[str, ...] = ()
    """Of a time."""
    unit: str = "s"
    """Of a duration."""
    values: Mapping[str, str] | None = None
    """What the texts mean; None if they are values themselves."""
    otherwise: str | None = None
    """The value of a text that is not among `values`, or lacks `pattern`. If it is None, the former rejects
    its row, and the latter is taken as it is."""
    pattern: re.Pattern[str] | None = None
    """Its group is the text."""
    empty: frozenset[str] = frozenset()
    """Texts of cells without a value."""
    is_optional: bool = False
    """Whether a file may lack the columns."""

    @property
    def way(self) -> list[object]:
        """How its texts are made of the cells, for comparison; empty if they are the cells of one column."""
        has_several = len(self.columns) > 1
        values = None if self.values is None else sorted(self.values.items())
        found: list[object] = [
            self.combination.name if has_several else None,
            self.separator if has_several and self.combination is Combination.JOINED else None,
            None if self.pattern is None else self.pattern.pattern,
            values,
            self.otherwise,
            sorted(self.empty) or None,
        ]
        return found if any(each is not None for each in found) else []

    @property
    def name(self) -> str:
        """What errors of a row call it: column and target."""
        return f"{' + '.join(self.columns)} ({self.target})"


@dataclass(frozen=True, slots=True)
class SkipRule:
    """Rows that are not calls, and why."""

    condition: Condition
    reason: str


@dataclass(frozen=True, slots=True)
class PartRules:
    """How rows with one session id are parts of one call."""

    row_columns: tuple[str, ...] = ()
    """Columns that identify a row within its call; all of them if empty."""
    classes: tuple[tuple[int, Condition], ...] = ()
    """Classes and their rows; the first that holds counts, and class 1 if none does."""


@dataclass(frozen=True, slots=True)
class MappingFile:
    """A mapping that was read without problems."""

    name: str
    description: str = ""
    has_header: bool = True
    separator: str = ","
    skip_lines: int = 0
    has_decimal_comma: bool = False
    zone: str | None = None
    """Name of the zone of times without a UTC offset; None if the file does not say."""
    zone_evidence: str | None = None
    """Column with the Unix time at which the call began."""
    has_id_from_row: bool = False
    sources: tuple[FieldSource, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    answered: Condition | None = None
    swap: Condition | None = None
    """Rows whose caller and called party stand in each other's column."""
    skips: tuple[SkipRule, ...] = ()
    parts: PartRules | None = None

    def source(self, target: str) -> FieldSource | None:
        """Returns where a target comes from; None if it is not mapped."""
        return next((source for source in self.sources if source.target == target), None)

    @property
    def swapped_sources(self) -> tuple[FieldSource, ...]:
        """As `sources`, with the columns of caller and called party exchanged."""
        other = {"caller": "called", "called": "caller"}
        return tuple(replace(each, target=other.get(each.target, each.target)) for each in self.sources)

    @property
    def needed_columns(self) -> frozenset[str]:
        """The columns that a file must have."""
        return frozenset(
            column for each in self.sources if not each.is_optional for column in each.columns
        ) | frozenset(self._columns_of_rules())

    @property
    def columns(self) -> frozenset[str]:
        """All columns that it names."""
        return frozenset(column for each in self.sources for column in each.columns) | self.needed_columns

    @property
    def key_paths(self) -> dict[str, KeyPath]:
        """Where the mapping file names each column; of several places, one."""
        paths: dict[str, KeyPath] = {}
        if self.zone_evidence is not None:
            paths[self.zone_evidence] = ("zone_evidence",)
        if self.parts is not None:
            paths |= dict.fromkeys(self.parts.row_columns, ("parts", "row"))
        paths |= {test.column: test.key_path for each in self._conditions() for test in each.tests}
        return paths | {column: each.key_path for each in self.sources for column in each.columns}

    def _columns_of_rules(self) -> Iterator[str]:
        if self.zone_evidence is not None:
            yield self.zone_evidence
        if self.parts is not None:
            yield from self.parts.row_columns
        for condition in self._conditions():
            yield from (test.column for test in condition.tests)

    def _conditions(self) -> Iterator[Condition]:
        yield from (rule.condition for rule in self.skips)
        yield from (each for each in (self.answered, self.swap) if each is not None)
        yield from () if self.parts is None else (condition for _, condition in self.parts.classes)
