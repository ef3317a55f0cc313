"""mapped: CSV files of any program, whose columns a mapping file names."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.asterisk_columns import channel_creation_s
from pegcount.importers.call_record import new_call, set_instant
from pegcount.importers.content_hash import content_hash, part_number
from pegcount.importers.mapping.call_instants import StatedCall, call_instants, instants_of
from pegcount.importers.mapping.durations import StatedDuration
from pegcount.importers.mapping.field_readers import (
    ValueReader,
    cell_duration,
    cell_text,
    cell_time,
    value_reader,
)
from pegcount.importers.mapping.mapped_rows import MappedRows
from pegcount.importers.mapping.mapping import FieldSource, MappingFile
from pegcount.importers.mapping.targets import DURATIONS, TIMES
from pegcount.importers.mapping.time_formats import StatedTime
from pegcount.importers.options import ImportOptions, LookAhead
from pegcount.importers.parsed_items import parse_items
from pegcount.importers.parsed_line import ParsedLine, UnreadableRowError
from pegcount.importers.record_fields import record_setters
from pegcount.importers.text_lines import TextLine
from pegcount.importers.zone_evidence import ZoneEvidence
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import US_PER_SECOND

MAPPED = "mapped"
"""The format whose columns a mapping names."""
_LEAST_CLASS = 1


def parse_mapped(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parses the rows of a file by `options.mapping`.

    Uses constant memory, plus about 100 bytes for each row if rows have no id. Raises ImportFileError if the
    header lacks columns.
    """
    mapping = required_mapping(options)
    rows = MappedRows(file, mapping, options)
    parse_row = RowParser(rows, mapping, options)
    return parse_items(rows.lines, lambda line: parse_row(rows.cells(line.text)))


def look_ahead_in_mapped(file: BinaryIO, options: ImportOptions) -> LookAhead:
    """Returns the rule by which a mapping makes calls, and evidence of the zone if it names some."""
    mapping = required_mapping(options)
    evidence = None
    if mapping.zone_evidence is not None:
        rows = MappedRows(file, mapping, options)
        evidence = _evidence(rows, RowParser(rows, mapping, options))
    return LookAhead(call_rule(mapping), mapping.has_header, evidence)


def required_mapping(options: ImportOptions) -> MappingFile:
    """Returns the mapping of an import; raises ImportFileError if there is none."""
    if options.mapping is None:
        raise ImportFileError(
            f"{MAPPED} needs --mapping, a mapping file or the name of one that `pegcount mapping list` names"
        )
    return options.mapping


def call_rule(mapping: MappingFile) -> str:
    """Returns the rule by which rows make calls: by two rules, calls of one source could count twice."""
    source = mapping.source("session_id")
    ids = "the row" if source is None else " + ".join(source.columns)
    if source is not None and (way := source.way):
        # Another pattern, or another separator, makes other ids of the same columns.
        ids += f" ({content_hash([json.dumps(way)]):016x})"
    if mapping.parts is None:
        return f"mapped by {ids}"
    # The store keeps the rule: it must be the same in every process, and wherever a mapping says the same.
    classes = [(number, condition.meaning) for number, condition in mapping.parts.classes]
    answered = None if mapping.answered is None else mapping.answered.meaning
    rules = json.dumps([mapping.parts.row_columns, classes, answered])
    return f"mapped by {ids} in parts {content_hash([rules]):016x}"


class RowParser:
    """Converts rows to records."""

    def __init__(self, rows: MappedRows, mapping: MappingFile, options: ImportOptions) -> None:
        self._rows = rows
        self._mapping = mapping
        self._source = options.source
        self._zone = options.zone
        places = rows.places
        by_target = {source.target: source for source in mapping.sources}
        comma = mapping.has_decimal_comma
        found = {name: cell_time(by_target[name], places, comma) for name in TIMES if name in by_target}
        self._times = {name: read for name, read in found.items() if read is not None}
        lengths = {
            name: cell_duration(by_target[name], places, comma) for name in DURATIONS if name in by_target
        }
        self._durations = {name: read for name, read in lengths.items() if read is not None}
        id_source = by_target.pop("session_id", None)
        self._id = None if id_source is None else cell_text(id_source, places)
        self._id_name = "" if id_source is None else id_source.name
        self._values = self._value_readers(mapping.sources, options)
        self._swapped = self._value_readers(mapping.swapped_sources, options)
        self._is_swapped = None if mapping.swap is None else mapping.swap.bound(places)
        self._constants = self._constant_fields(options)
        self._answered = None if mapping.answered is None else mapping.answered.bound(places)
        self._skips = [(rule.condition.bound(places), rule.reason) for rule in mapping.skips]
        parts = mapping.parts
        self._classes = (
            [] if parts is None else [(number, each.bound(places)) for number, each in parts.classes]
        )
        self._row_places = [] if parts is None else [places[column] for column in parts.row_columns]
        evidence = mapping.zone_evidence
        self._created_place = None if evidence is None else places[evidence]
        self._count_by_row_hash: Counter[int] = Counter()

    def __call__(self, cells: list[str]) -> SessionRecord | str | None:
        """Returns the record of a row, why it is skipped, or None for a header once more."""
        if self._rows.is_header(cells):
            return None
        for is_skipped, reason in self._skips:
            if is_skipped(cells):
                return reason
        record = new_call(self._source, self._session_id(cells))
        record.MergeFrom(self._constants)
        self._set_times(record, cells)
        is_swapped = self._is_swapped is not None and self._is_swapped(cells)
        for reader in self._swapped if is_swapped else self._values:
            reader.set_on(record, cells)
        if self._mapping.parts is not None:
            record.part = self._part(record.session_id, cells)
            record.part_class = next(
                (number for number, holds in self._classes if holds(cells)), _LEAST_CLASS
            )
        return record

    def local_setup_s(self, cells: list[str]) -> tuple[int, int] | None:
        """Returns the local time of the setup and the Unix time at which the call began, in seconds."""
        created_us = self._created_us(cells)
        if created_us is None or "setup_time" not in self._times:
            return None
        setup = self._times["setup_time"](cells)
        if setup is None or setup.is_instant:
            return None
        return setup.us // US_PER_SECOND, created_us // US_PER_SECOND

    def _value_readers(self, sources: Iterable[FieldSource], options: ImportOptions) -> list[ValueReader]:
        setters = record_setters(options.zone)
        comma = self._mapping.has_decimal_comma
        timed = {*TIMES, *DURATIONS, "session_id"}
        found = [
            value_reader(source, self._rows.places, setters, comma)
            for source in sources
            if source.target not in timed
        ]
        return [reader for reader in found if reader is not None]

    def _constant_fields(self, options: ImportOptions) -> SessionRecord:
        setters = record_setters(options.zone)
        record = SessionRecord()
        for name, text in self._mapping.constants.items():
            setters[name](record, text)
        return record

    def _session_id(self, cells: list[str]) -> str:
        if self._id is not None:
            found = self._id(cells)
            if not found:
                raise UnreadableRowError(f"{self._id_name} is empty")
            return found
        row_hash = content_hash(cells)
        self._count_by_row_hash[row_hash] += 1
        return f"{row_hash:016x}/{self._count_by_row_hash[row_hash]}"

    def _set_times(self, record: SessionRecord, cells: list[str]) -> None:
        times = {name: read(cells) for name, read in self._times.items()}
        lengths = {name: read(cells) for name, read in self._durations.items()}
        call = StatedCall(
            is_answered=self._is_answered(cells, times, lengths),
            setup=times.get("setup_time"),
            answer=times.get("answer_time"),
            end=times.get("end_time"),
            call=lengths.get("call_seconds"),
            ring=lengths.get("ring_seconds"),
            talk=lengths.get("talk_seconds"),
        )
        found = call_instants(call, self._zone, self._created_us(cells))
        set_instant(record.setup_time, found.setup_us)
        set_instant(record.end_time, found.end_us)
        if found.answer_us is not None:
            set_instant(record.answer_time, found.answer_us)
        alert, alert_after = times.get("alert_time"), lengths.get("alert_seconds")
        if alert is not None:
            readings_us = instants_of(alert, self._zone)
            # A phone rings soon after the setup: the other reading of a repeated hour is an hour off.
            set_instant(record.alert_time, min(readings_us, key=lambda us: abs(us - found.setup_us)))
        elif alert_after is not None:
            set_instant(record.alert_time, found.setup_us + alert_after.us)

    def _is_answered(
        self,
        cells: list[str],
        times: Mapping[str, StatedTime | None],
        lengths: Mapping[str, StatedDuration | None],
    ) -> bool:
        """Returns whether a call was answered; `times` and `lengths` have the targets that the file has."""
        if self._answered is not None:
            return self._answered(cells)
        talk = lengths.get("talk_seconds")
        has_talk = talk is not None and talk.us > 0
        if "answer_time" in times:
            is_dated = times["answer_time"] is not None
            if has_talk and not is_dated:
                raise UnreadableRowError(
                    "answer_time is empty, and talk_seconds is not 0; `answered.when` in the mapping says"
                    " which calls were answered"
                )
            return is_dated
        if "talk_seconds" in lengths:
            return has_talk
        # Both columns are optional, and the file has neither. One that was not answered has rung, too.
        raise UnreadableRowError(
            "nothing tells whether the call was answered; `answered.when` in the mapping can say it"
        )

    def _created_us(self, cells: list[str]) -> int | None:
        if self._created_place is None or not cells[self._created_place]:
            return None
        # The Unix time alone, or as in Asterisk's uniqueid, whose point is needed there.
        text = cells[self._created_place]
        created_s = channel_creation_s(text if "." in text else f"{text}.0")
        return None if created_s is None else created_s * US_PER_SECOND

    def _part(self, session_id: str, cells: list[str]) -> int:
        identity = [cells[place] for place in self._row_places] or cells
        return part_number([session_id, *identity])


def _evidence(rows: MappedRows, parser: RowParser) -> ZoneEvidence:
    evidence = ZoneEvidence()
    for line in rows.lines:
        if isinstance(line, TextLine):
            try:
                seen = parser.local_setup_s(rows.cells(line.text))
            except UnreadableRowError:
                # The import reports it.
                continue
            if seen is not None:
                evidence.take_local_s(*seen)
    return evidence
