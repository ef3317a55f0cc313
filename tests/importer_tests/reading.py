"""Parses texts with an importer and summarizes the records."""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.calendar import zone
from pegcount.importers import FORMATS, ImportOptions, ParsedLine, ParsedRecord, SkippedLine
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import Zone


def get_zone(name: str) -> Zone:
    found = zone(name)
    assert found is not None
    return found


def options(zone_name: str = "UTC", source: str = "pbx", **more: Any) -> ImportOptions:
    return ImportOptions(source=source, zone=get_zone(zone_name), **more)


def parse(format_name: str, data: str | bytes, given: ImportOptions | None = None) -> list[ParsedLine]:
    raw = data.encode() if isinstance(data, str) else data
    return list(FORMATS[format_name].parse(io.BytesIO(raw), given or options()))


def only_record(parsed: Iterable[ParsedLine]) -> SessionRecord:
    (line,) = parsed
    assert isinstance(line, ParsedRecord), line
    return line.record


def outline(parsed: Iterable[ParsedLine]) -> list[str]:
    """Returns one text per parsed line: its number, then id and times, "skipped", or "!" and the reason."""
    return [f"{line.line} {_summary(line)}" for line in parsed]


def csv_line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _summary(line: ParsedLine) -> str:
    if isinstance(line, SkippedLine):
        return "skipped"
    if isinstance(line, ParsedRecord):
        return " ".join([line.record.session_id, *times(line.record)])
    return f"! {line.reason}"


def times(record: SessionRecord) -> list[str]:
    """Returns setup, answer and end time in UTC, `-` for an absent one."""
    return [
        _time(getattr(record, name)) if record.HasField(name) else "-"
        for name in ("setup_time", "answer_time", "end_time")
    ]


def _time(time: Timestamp) -> str:
    moment = datetime.fromtimestamp(time.seconds, UTC).replace(microsecond=time.nanos // 1000)
    return moment.isoformat().replace("+00:00", "Z")
