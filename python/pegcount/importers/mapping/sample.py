"""What a sample file shows about a mapping: columns that it lacks or leaves over, and unreadable texts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

from pegcount.importers.mapping.field_readers import cell_duration, cell_time
from pegcount.importers.mapping.mapped_rows import MappedRows, column_places
from pegcount.importers.mapping.mapping import FieldSource, MappingFile
from pegcount.importers.mapping.problems import Problem, Problems
from pegcount.importers.mapping.targets import TARGETS, TargetKind
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.text_lines import TextLine
from pegcount.suggestion import did_you_mean

_ROW_COUNT_MAX = 1_000
"""Rows of a sample, its first ones, on which formats are tried."""


@dataclass(frozen=True, slots=True)
class SampleFindings:
    """What a sample shows about a mapping."""

    problems: Sequence[Problem]
    unmapped: Sequence[str]
    """Columns of the header that the mapping does not name."""
    notes: Sequence[str]
    """What may be wrong, if other rows are unlike those of the sample."""


@dataclass(frozen=True, slots=True)
class _Sample:
    header: Sequence[str] | None
    rows: Sequence[tuple[int, list[str]]]
    """Line and cells of each."""


def sample_findings(file: BinaryIO, mapping: MappingFile, options: ImportOptions) -> SampleFindings:
    """Looks at the first rows of a file; raises ImportFileError if its header cannot be read.

    The mapping may lack what other problems have taken from it.
    """
    sample = _read(file, mapping, options)
    problems, notes = Problems(), []
    missing = _missing_columns(sample, mapping, problems)
    for source in mapping.sources:
        if missing.isdisjoint(source.columns):
            _note_unreadable(source, sample, mapping, problems)
            notes += _order_notes(source, sample, mapping)
    header = sample.header or []
    mapped = column_places(header, mapping.columns).values()
    unmapped = [name for place, name in enumerate(header) if name and place not in mapped]
    return SampleFindings(problems.found, unmapped, notes)


def _read(file: BinaryIO, mapping: MappingFile, options: ImportOptions) -> _Sample:
    bare = replace(mapping, sources=(), answered=None, skips=(), parts=None, zone_evidence=None)
    rows = MappedRows(file, bare, options)
    return _Sample(rows.header, list(islice(_cells(rows), _ROW_COUNT_MAX)))


def _cells(rows: MappedRows) -> Iterator[tuple[int, list[str]]]:
    for line in rows.lines:
        if isinstance(line, TextLine):
            try:
                yield line.line, rows.cells(line.text)
            except UnreadableRowError:
                # The rows are counted when all of them are read.
                continue


def _missing_columns(sample: _Sample, mapping: MappingFile, problems: Problems) -> set[str]:
    """Notes columns that the mapping names and the sample lacks, and returns them."""
    if sample.header is None:
        width = max((len(cells) for _, cells in sample.rows), default=0)
        known = [str(number) for number in range(1, width + 1)]
    else:
        known = list(sample.header)
    missing = mapping.columns - column_places(known, mapping.columns).keys()
    free = [name for name in known if name not in mapping.columns]
    key_paths = mapping.key_paths
    optional = mapping.columns - mapping.needed_columns
    for column in sorted(missing - optional):
        problems.add(
            key_paths.get(column, ()), f"the file has no column {column!r}{did_you_mean(column, free)}"
        )
    return set(missing)


def _note_unreadable(source: FieldSource, sample: _Sample, mapping: MappingFile, problems: Problems) -> None:
    """Notes a format or unit that reads no text of its column."""
    read = _reader(source, sample, mapping)
    if read is None:
        return
    failures: list[tuple[int, str]] = []
    for line, cells in sample.rows:
        try:
            if read(cells) is not None:
                return
        except UnreadableRowError as error:
            failures.append((line, str(error)))
    if failures:
        line, text = failures[0]
        problems.add(
            source.key_path, f"none of {len(failures):,} texts can be read; the first, of line {line}: {text}"
        )


def _reader(
    source: FieldSource, sample: _Sample, mapping: MappingFile
) -> Callable[[Sequence[str]], object] | None:
    places = _places(sample, source.columns)
    match TARGETS[source.target].kind:
        case TargetKind.TIME:
            return cell_time(source, places, mapping.has_decimal_comma)
        case TargetKind.DURATION:
            return cell_duration(source, places, mapping.has_decimal_comma)
        case _:
            return None


def _places(sample: _Sample, columns: Iterable[str]) -> dict[str, int]:
    if sample.header is not None:
        return column_places(sample.header, columns)
    width = min((len(cells) for _, cells in sample.rows), default=0)
    return {str(place + 1): place for place in range(width)}


def _order_notes(source: FieldSource, sample: _Sample, mapping: MappingFile) -> list[str]:
    """Returns a note if day and month of a format may be the other way round for all that the rows show."""
    if TARGETS[source.target].kind is not TargetKind.TIME:
        return []
    if len(source.formats) > 1:
        return _format_notes(source, sample, mapping)
    swapped = _swapped(source.formats[0])
    if swapped is None:
        return []
    read = _reader(replace(source, formats=(swapped,)), sample, mapping)
    if read is None:
        return []
    try:
        found = [read(cells) for _, cells in sample.rows]
    except UnreadableRowError:
        return []
    if not any(time is not None for time in found):
        return []
    return [
        f"{source.name}: {swapped!r} reads every time as well as {source.formats[0]!r}; a row of a day after"
        " the 12th would show which is right"
    ]


def _format_notes(source: FieldSource, sample: _Sample, mapping: MappingFile) -> list[str]:
    """Returns a note if two formats of a column read one text as different times."""
    readers = [
        (each, read)
        for each in source.formats
        if (read := _reader(replace(source, formats=(each,)), sample, mapping)) is not None
    ]
    for line, cells in sample.rows:
        found = {each: time for each, read in readers if (time := _read_or_none(read, cells)) is not None}
        if len(set(found.values())) > 1:
            names = " and ".join(repr(each) for each in found)
            return [f"{source.name}: {names} read line {line} as different times; the first one counts"]
    return []


def _read_or_none(read: Callable[[Sequence[str]], object], cells: Sequence[str]) -> object:
    try:
        return read(cells)
    except UnreadableRowError:
        return None


def _swapped(time_format: str) -> str | None:
    """Returns a format with day and month the other way round, None unless it has both as numbers."""
    if "%d" not in time_format or "%m" not in time_format:
        return None
    return "%m".join(part.replace("%m", "%d") for part in time_format.split("%d"))
