"""Readers of the cells of a row, one for each target of a mapping."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pegcount.importers.mapping.durations import DurationTextError, StatedDuration, duration_reader
from pegcount.importers.mapping.mapping import Combination, FieldSource
from pegcount.importers.mapping.targets import TARGETS, TargetKind
from pegcount.importers.mapping.time_formats import StatedTime, time_reader
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.record_fields import Setter
from pegcount.importers.rounded_numbers import read_number
from pegcount.masked import masked_digits
from pegcount.time_text import TimeTextError
from pegcount.v1.records_pb2 import SessionRecord

_ESCAPED = "%2F"
"""Stands for a separator within a text of a joined id."""

CellText = Callable[[Sequence[str]], str]
"""Returns the text of a target in a row, "" if it has none; raises UnreadableRowError."""
CellTime = Callable[[Sequence[str]], StatedTime | None]
CellDuration = Callable[[Sequence[str]], StatedDuration | None]


def cell_text(source: FieldSource, places: Mapping[str, int]) -> CellText | None:
    """Returns the reader of a source's text; None if the file lacks all its columns, which it may."""
    found = [places[column] for column in source.columns if column in places]
    if not found:
        return None
    empty, is_id = source.empty | {""}, source.target == "session_id"

    def text(cells: Sequence[str]) -> str:
        texts = ["" if cells[place] in empty else cells[place] for place in found]
        if not any(texts):
            return ""
        whole = next(filter(None, texts))
        if source.combination is Combination.JOINED:
            whole = (
                joined_id(texts, source.separator) if is_id else source.separator.join(filter(None, texts))
            )
        if source.pattern is not None:
            match = source.pattern.search(whole)
            if match is None:
                return whole if source.otherwise is None else source.otherwise
            whole = (match[1] if source.pattern.groups else match[0]) or ""
        return whole if source.values is None else _meaning(source, whole)

    return text


def joined_id(texts: Sequence[str], separator: str) -> str:
    """Returns an id of several texts, which other texts never have, also if some are empty.

    Raises UnreadableRowError if a spreadsheet has rounded one of them.
    """
    escaped = (read_number(each).replace("%", "%25").replace(separator, _ESCAPED) for each in texts)
    return separator.join(escaped) if separator else _ESCAPED.join(escaped)


def cell_time(source: FieldSource, places: Mapping[str, int], has_decimal_comma: bool) -> CellTime | None:
    """Returns the reader of a time; None as for `cell_text`."""
    text = cell_text(source, places)
    if text is None:
        return None
    read = time_reader(source.formats, has_decimal_comma)

    def time(cells: Sequence[str]) -> StatedTime | None:
        found = text(cells)
        try:
            return read(found) if found else None
        except TimeTextError as error:
            raise UnreadableRowError(f"{source.name}: {found!r} {error}") from error

    return time


def cell_duration(
    source: FieldSource, places: Mapping[str, int], has_decimal_comma: bool
) -> CellDuration | None:
    """Returns the reader of a duration; None as for `cell_text`."""
    text = cell_text(source, places)
    if text is None:
        return None
    read = duration_reader(source.unit, has_decimal_comma)

    def duration(cells: Sequence[str]) -> StatedDuration | None:
        found = text(cells)
        try:
            return read(found) if found else None
        except DurationTextError as error:
            raise UnreadableRowError(f"{source.name}: {found!r} {error}") from error

    return duration


@dataclass(frozen=True, slots=True)
class ValueReader:
    """Sets the fields of a target from a row."""

    source: FieldSource
    text: CellText
    setters: tuple[Setter, ...]
    replaces_comma: bool

    def set_on(self, record: SessionRecord, cells: Sequence[str]) -> None:
        """Sets the fields; raises UnreadableRowError, naming the column."""
        text = self.text(cells)
        if not text:
            return
        if self.replaces_comma:
            if "." in text and self.source.values is None:
                raise UnreadableRowError(
                    f"{self.source.name}: {masked_digits(text)!r} has a point, and `decimal_comma` says that"
                    " decimals follow a comma"
                )
            text = text.replace(",", ".")
        try:
            for setter in self.setters:
                setter(record, text)
        except UnreadableRowError as error:
            raise UnreadableRowError(f"{' + '.join(self.source.columns)}: {error}") from error


def value_reader(
    source: FieldSource, places: Mapping[str, int], setters: Mapping[str, Setter], has_decimal_comma: bool
) -> ValueReader | None:
    """Returns the reader of a value; None as for `cell_text`."""
    text = cell_text(source, places)
    if text is None:
        return None
    target = TARGETS[source.target]
    replaces_comma = has_decimal_comma and target.kind is TargetKind.NUMBER
    return ValueReader(source, text, tuple(setters[name] for name in target.fields), replaces_comma)


def _meaning(source: FieldSource, text: str) -> str:
    values = source.values or {}
    meaning = values.get(text, source.otherwise)
    if meaning is None:
        raise UnreadableRowError(f"{source.name}: {masked_digits(text)!r} is not among its values")
    return meaning
