"""The options of `pegcount import`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pegcount.cli.mapping_option import mapping_of_option
from pegcount.cli.time_zone import zone_of_option
from pegcount.errors import ImportFileError
from pegcount.importers import (
    ARCHIVE,
    ASTERISK_ANSWERS,
    ASTERISK_CALLS,
    ASTERISK_COLUMN_ORDERS,
    FORMATS,
    ImportOptions,
    checked_encoding,
    tracked,
)

_OF_CORRECTIONS = ("revision", "replaces")

Files = Annotated[
    list[Path],
    typer.Argument(
        help="Files to import, also compressed by gzip or zstd; directories, of which all files are imported;"
        " globs; and - for standard input."
    ),
]
AUTO = "auto"
"""It stands for the format that the files show."""
FormatName = Annotated[
    str,
    typer.Option(
        "--format",
        help=f"One of {', '.join([*FORMATS, ARCHIVE])}; or {AUTO}: the files show it, and the import says by"
        " what.",
    ),
]
Source = Annotated[
    str | None,
    typer.Option(help="Name of the switch or feed that wrote the records; needed but for pegcount-archive."),
]
TimeZone = Annotated[
    str | None, typer.Option(help="IANA zone of local times without a UTC offset; by default, UTC.")
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of the files, such as latin-1 or cp1252; by default, UTF-8.")
]
FinalLine = Annotated[
    bool,
    typer.Option(
        "--final-line",
        help="Import a last line without a line end. By default, as it may be incomplete, it is held back for"
        " the next import of a log that is still written, and rejected in a table with a header.",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        help=f"Column order of asterisk-csv without a header: {', '.join(ASTERISK_COLUMN_ORDERS)}; by"
        " default, auto."
    ),
]
Calls = Annotated[
    str | None,
    typer.Option(
        help="What makes rows of asterisk-csv one call: linkedid, uniqueid, rows (each row is a call) or, by"
        " default, auto: the linkedid if the rows have one, otherwise the uniqueid."
    ),
]
Answered = Annotated[
    str | None,
    typer.Option(
        help="Whose answer counts in asterisk-csv: party (somebody who was called; the default) or switch"
        " (any ANSWERED row)."
    ),
]
MappingName = Annotated[
    str | None,
    typer.Option(
        "--mapping",
        help="Mapping file of the format mapped: what the columns are; or a name that `pegcount mapping"
        " list` prints.",
    ),
]
ReportCalls = Annotated[
    int, typer.Option(min=0, help="Print the first N calls of each file with the rows they were made of.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="field=value for every record; may be repeated.")
]
AcceptStored = Annotated[
    bool,
    typer.Option(
        "--accept-stored",
        help="Take long calls, addresses and rounded numbers of pegcount-csv as they are: the file is an"
        " export of a directory that has them from a version which did not refuse them.",
    ),
]
Correct = Annotated[
    bool,
    typer.Option(
        "--correct",
        help="Let each row replace what is stored of its call, or of its part of the call, whatever its"
        " revision. A row that says the same changes nothing.",
    ),
]
DryRunFlag = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Read the files, count their rows and print the first three records; write nothing but the"
        " rejected rows, and ask no data directory or server.",
    ),
]
Rejects = Annotated[
    Path | None,
    typer.Option(
        help="File for rejected rows. By default, named after the first of the files: calls.rejects.csv for"
        " calls.csv, in the current directory."
    ),
]


def import_options(
    source: str,
    time_zone: str | None,
    encoding: str | None,
    final_line: bool,
    columns: str | None,
    calls: str | None,
    answered: str | None,
    settings: Sequence[str],
    accept_stored: bool,
    correct: bool,
    mapping: str | None = None,
) -> ImportOptions:
    """Returns the options of an import, of which None means the default; raises PegcountError for others."""
    found = mapping_of_option(mapping)
    zone = zone_of_option(time_zone or (found and found.zone) or "UTC")
    if calls == "rows" and answered is not None:
        raise ImportFileError("--answered is about calls of several rows; with --calls rows, each row is one")
    overrides = _overrides(settings)
    if correct and not overrides.keys().isdisjoint(_OF_CORRECTIONS):
        names = " and ".join(f"--set {name}" for name in _OF_CORRECTIONS)
        raise ImportFileError(f"--correct gives each record its revision and replaces: leave out {names}")
    return ImportOptions(
        source,
        tracked(zone),
        ASTERISK_COLUMN_ORDERS[0] if columns is None else columns,
        ASTERISK_CALLS[0] if calls is None else calls,
        ASTERISK_ANSWERS[0] if answered is None else answered,
        overrides,
        encoding="utf-8" if encoding is None else checked_encoding(encoding),
        takes_final_line=final_line,
        accepts_stored=accept_stored,
        corrects=correct,
        mapping=found,
    )


def _overrides(settings: Sequence[str]) -> dict[str, str]:
    overrides = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ImportFileError(f"--set: {setting!r} is not of the form field=value")
        overrides[name] = value
    return overrides
