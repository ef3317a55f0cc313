"""Options of an import: facts about a file that the file itself does not state."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.mapping import MappingFile
from pegcount.importers.parsed_line import ParsedLine
from pegcount.importers.zone_evidence import ZoneEvidence
from pegcount.zone import Zone

FORMAT_OPTIONS = (
    *("--time-zone", "--encoding", "--final-line", "--columns", "--calls", "--answered"),
    *("--report-calls", "--set", "--accept-stored", "--mapping"),
)
"""Options of which a format declares those that it uses. All formats use `--source`."""
ASTERISK_COLUMN_ORDERS = ("auto", "cdr_csv", "cdr_custom")
"""Values of `ImportOptions.asterisk_columns`; of these and the next two, the first is the default."""
ASTERISK_CALLS = ("auto", "linkedid", "uniqueid", "rows")
"""Values of `ImportOptions.asterisk_calls`."""
ASTERISK_ANSWERS = ("party", "switch")
"""Values of `ImportOptions.asterisk_answered`."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of one import."""

    source: str
    """Switch or feed that wrote the records; "" is the unnamed feed."""
    zone: Zone
    """Zone of the times that the file states without a zone."""
    asterisk_columns: str = ASTERISK_COLUMN_ORDERS[0]
    """Order of the columns of asterisk-csv, one of `ASTERISK_COLUMN_ORDERS`."""
    asterisk_calls: str = ASTERISK_CALLS[0]
    """What makes rows of asterisk-csv one call, one of `ASTERISK_CALLS`: "auto" is the linkedid if the rows
    have one, otherwise the uniqueid."""
    asterisk_answered: str = ASTERISK_ANSWERS[0]
    """Whose answer makes a call of asterisk-csv an answered one, one of `ASTERISK_ANSWERS`."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Values of `SessionRecord` fields, by name, that replace those of every row."""
    accepts_stored: bool = False
    """Whether pegcount-csv takes texts that were stored before they were refused: see `TEXT_READERS`."""
    corrects: bool = False
    """Whether each record replaces what is stored of it; see `WriteRecordsRequest.correct`."""
    encoding: str = "utf-8"
    """Encoding of the text, a name that `checked_encoding` returns."""
    takes_final_line: bool = False
    """Whether a last line without a line end is a row; otherwise it may be the beginning of a longer one."""
    mapping: MappingFile | None = None
    """What the columns of a mapped file are."""
    line_bytes_max: int = 1_048_576
    """Maximum bytes of a line, or of a document of many lines; a longer one is unreadable."""

    @property
    def states_zone(self) -> bool:
        """Whether the mapping states the zone of its files."""
        return self.mapping is not None and self.mapping.zone is not None

    def __post_init__(self) -> None:
        """Raises ImportFileError for a choice of asterisk-csv that does not exist."""
        for name, value, values in (
            ("--columns", self.asterisk_columns, ASTERISK_COLUMN_ORDERS),
            ("--calls", self.asterisk_calls, ASTERISK_CALLS),
            ("--answered", self.asterisk_answered, ASTERISK_ANSWERS),
        ):
            if value not in values:
                raise ImportFileError(f"{name}: {value!r} is not one of {', '.join(values)}")


Parser = Callable[[BinaryIO, ImportOptions], Iterator[ParsedLine]]
"""Reads one file, in constant memory unless the parser documents otherwise."""


@dataclass(frozen=True, slots=True)
class LookAhead:
    """What the rows of a file show before anything is written."""

    rule: str | None = None
    """How rows make calls; None if the format has one way, or if the file has no records."""
    has_header: bool = False
    zone_evidence: ZoneEvidence | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: its parser, and which options of the command line that parser uses."""

    parse: Parser
    options: frozenset[str]
    """Of `FORMAT_OPTIONS`; to give another option is an error, rather than to ignore it."""
    look_ahead: Callable[[BinaryIO, ImportOptions], LookAhead] | None = None
    """Reads a file ahead."""
    is_read_twice: bool = False
    """Whether the parser rewinds its file."""
    has_header: bool = False
    """Whether each file has a header line."""

    @property
    def has_rows(self) -> bool:
        """Whether a line is a row, so that a last line without a line end may be incomplete."""
        return "--final-line" in self.options
