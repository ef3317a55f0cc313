"""Parses `tests/cases/*.case` into records, requests, and expected tables.

`tests/cases/README.md` describes the format.
"""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from google.protobuf import text_format, timestamp_pb2
from google.protobuf.message import Message
from pegcount.calendar import zone
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import ParsedRecord
from pegcount.importers.pegcount_csv import parse_pegcount_csv
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2, traffic_pb2

Cells = tuple[str, ...]

REQUESTS: dict[str, type[Message]] = {
    "QueryAsrUsage": reports_pb2.QueryAsrUsageRequest,
    "QueryActiveSessions": reports_pb2.QueryActiveSessionsRequest,
    "QueryFolderStats": reports_pb2.QueryFolderStatsRequest,
    "QueryOriginationQuality": reports_pb2.QueryOriginationQualityRequest,
    "QueryTraffic": traffic_pb2.QueryTrafficRequest,
    "GetStoreInfo": admin_pb2.GetStoreInfoRequest,
}
"""Request classes of the methods that a case may call."""


@dataclass(frozen=True, slots=True)
class Section:
    """A line or table of an answer; `head` is the value or the column names."""

    name: str
    head: Cells
    rows: tuple[Cells, ...] = ()


@dataclass(frozen=True, slots=True)
class SetClock:
    """Sets the clock of the service to `now_us`."""

    now_us: int


@dataclass(frozen=True, slots=True)
class Seal:
    """Flushes finished records into segments."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Closes the service and opens another one on the same directory."""


@dataclass(frozen=True, slots=True)
class PutCodeDeck:
    """Uploads a code deck, replacing one with the same id."""

    request: admin_pb2.PutCodeDeckRequest


@dataclass(frozen=True, slots=True)
class Write:
    """Writes a batch; `expected` is None if the case has no expectation for it."""

    line: int
    request: records_pb2.WriteRecordsRequest
    expected: tuple[Section, ...] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Calls a report method; `expected` is the expected answer."""

    line: int
    method: str
    request: Message
    expected: tuple[Section, ...] | None = None


Step = SetClock | Seal | Restart | PutCodeDeck | Write | Call


class CaseError(Exception):
    """A malformed case file."""


def read_case(path: Path) -> list[Step]:
    """Returns the steps of a case in order; raises CaseError if the file is malformed."""
    steps: list[Step] = []
    for block in _blocks(path.read_text(encoding="utf-8")):
        try:
            _READERS[block.word](block, steps)
        except (CaseError, text_format.ParseError, ValueError) as error:
            raise CaseError(f"{path.name}:{block.line}: {error}") from error
    for step in steps:
        if isinstance(step, Call):
            _check_rows_are_expected(step, path)
    return steps


# An expected answer needs one of these sections, so that unexpected rows cannot go unnoticed.
_ROWS = frozenset({"bins", "count", "data", "error", "groups", "info", "rows"})


def _check_rows_are_expected(ask: Call, path: Path) -> None:
    sections = {section.name: section for section in ask.expected or ()}
    if _ROWS.isdisjoint(sections):
        raise CaseError(f"{path.name}:{ask.line}: one of {', '.join(sorted(_ROWS))} must be expected")
    if "count" not in sections and any(("...",) in section.rows for section in sections.values()):
        raise CaseError(f"{path.name}:{ask.line}: with ... a count must be expected")


@dataclass(frozen=True, slots=True)
class _Block:
    """A directive with its argument and the lines below it."""

    line: int
    word: str
    argument: str
    body: list[str]


def _blocks(text: str) -> list[_Block]:
    blocks: list[_Block] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s+)#(\s.*)?$", "", raw).rstrip()
        word, _, argument = line.partition(" ")
        if word in _READERS:
            blocks.append(_Block(number, word, argument.strip(), []))
        elif line and not blocks:
            raise CaseError(f"line {number}: {word!r} is none of {', '.join(_READERS)}")
        elif line:
            blocks[-1].body.append(line)
    return blocks


def _read_now(block: _Block, steps: list[Step]) -> None:
    instant = timestamp_pb2.Timestamp()
    instant.FromJsonString(block.argument)
    steps.append(SetClock(instant.ToMicroseconds()))


def _read_records(block: _Block, steps: list[Step]) -> None:
    header, *rows = block.body
    records = [record for row in rows for record in _records(header, row)]
    is_correction = block.word == "corrections"
    steps.append(Write(block.line, records_pb2.WriteRecordsRequest(records=records, correct=is_correction)))


def _read_again(block: _Block, steps: list[Step]) -> None:
    written = next(step for step in reversed(steps) if isinstance(step, Write))
    steps.append(Write(block.line, written.request))


def _read_deck(block: _Block, steps: list[Step]) -> None:
    header, *rows = ([cell.strip() for cell in line.split(",")] for line in block.body)
    cells = ({k: v for k, v in zip(header, row, strict=True) if v} for row in rows)
    entries = [admin_pb2.CodeDeckEntry(**given) for given in cells]
    steps.append(PutCodeDeck(admin_pb2.PutCodeDeckRequest(id=int(block.argument), entries=entries)))


def _read_request(block: _Block, steps: list[Step]) -> None:
    if block.argument not in REQUESTS:
        raise CaseError(f"{block.argument!r} is none of {', '.join(REQUESTS)}")
    request = text_format.Parse("\n".join(block.body), REQUESTS[block.argument]())
    steps.append(Call(block.line, block.argument, request))


def _read_expect(block: _Block, steps: list[Step]) -> None:
    previous = steps[-1] if steps else None
    if not isinstance(previous, Write | Call) or previous.expected is not None:
        raise CaseError("an expectation belongs below a request or records")
    lines = [block.argument, *block.body] if block.argument else block.body
    steps[-1] = replace(previous, expected=tuple(_sections(lines)))


def _sections(lines: Iterable[str]) -> Iterator[Section]:
    section: Section | None = None
    for line in lines:
        if line.startswith(" "):
            if section is None:
                raise CaseError(f"{line.strip()!r} belongs to nothing")
            section = replace(section, rows=(*section.rows, _cells(line)))
            continue
        if section is not None:
            yield section
        name, _, rest = line.partition(" ")
        section = Section(name, _cells(rest))
    if section is not None:
        yield section


def _cells(text: str) -> Cells:
    """Splits a table line into cells, at two or more spaces."""
    return tuple(re.split(r"\s{2,}", text.strip())) if text.strip() else ()


# Spaces before a comma serve only to align columns.
_SPACES_BEFORE_COMMA = re.compile(r"\s+(?=,)")
_REPEATED_ROW = re.compile(
    r"(?P<count>[0-9]+) times(?: every (?P<step>[0-9.]+)(?P<unit>ms|s|min|h|d))?: +(?P<row>.*)"
)
_UNIT_US = {"ms": 1e3, "s": 1e6, "min": 60e6, "h": 3600e6, "d": 86400e6}


def _records(header: str, row: str) -> Iterator[records_pb2.SessionRecord]:
    """Yields the record of a row, or the numbered records of a row `N times every STEP:`."""
    repeated = _REPEATED_ROW.fullmatch(row.strip())
    if repeated is None:
        yield _record(header, row)
        return
    step_us = round(float(repeated["step"] or 0) * _UNIT_US[repeated["unit"] or "s"])
    for i in range(int(repeated["count"])):
        record = _record(header, repeated["row"].replace("{n}", str(i + 1)))
        for name in ("setup_time", "alert_time", "answer_time", "end_time"):
            if record.HasField(name):
                _shift(getattr(record, name), i * step_us)
        yield record


def _shift(instant: timestamp_pb2.Timestamp, by_us: int) -> None:
    instant.FromMicroseconds(instant.ToMicroseconds() + by_us)


def _record(header: str, row: str) -> records_pb2.SessionRecord:
    utc = zone("UTC")
    assert utc is not None
    text = "\n".join(_SPACES_BEFORE_COMMA.sub("", line.strip()) for line in (header, row))
    (parsed,) = parse_pegcount_csv(
        io.BytesIO(text.encode()), ImportOptions(source="", zone=utc, accepts_stored=True)
    )
    if not isinstance(parsed, ParsedRecord):
        raise CaseError(f"{row.strip()!r} is not a record: {parsed}")
    return parsed.record


_READERS: dict[str, Callable[[_Block, list[Step]], None]] = {
    "now": _read_now,
    "records": _read_records,
    "corrections": _read_records,
    "again": _read_again,
    "seal": lambda _, steps: steps.append(Seal()),
    "restart": lambda _, steps: steps.append(Restart()),
    "deck": _read_deck,
    "request": _read_request,
    "expect": _read_expect,
}
