"""`pegcount mapping`: checks mapping files, and shows those that come with Pegcount."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from pegcount.cli.exit_status import FAILED_STATUS, REJECTED_STATUS, errors_as_exit_status
from pegcount.cli.import_dry_run import DryRun, print_dry_run
from pegcount.cli.import_options import Encoding, TimeZone
from pegcount.cli.import_summary import print_reject_kinds, print_skipped
from pegcount.cli.import_zone import check_zone
from pegcount.cli.mapping_option import mapping_path, zone_problem
from pegcount.cli.report.figures import printable
from pegcount.cli.sample_figures import SampleFigures
from pegcount.cli.stored_calls import stored_calls
from pegcount.cli.time_zone import zone_of_option
from pegcount.config import Config
from pegcount.errors import ImportFileError
from pegcount.importers import (
    MAPPED,
    FirstCalls,
    ImportCounts,
    ImportOptions,
    MappingCheck,
    RejectsFile,
    check_mapping,
    checked_encoding,
    import_file,
    prepared_files,
    seekable_file,
    shipped_mappings,
    shipped_names,
    shipped_path,
    tracked,
)
from pegcount.suggestion import did_you_mean
from pegcount.v1.records_pb2 import SessionRecord

mapping_app = typer.Typer(help="Mapping files: what the columns of a CSV file are.", no_args_is_help=True)

# The source of the records of a check, which nobody stores.
_SOURCE = "check"
_CALL_COUNT_MAX = 10_000
"""Calls that a check adds up, the first ones."""

MappingName = Annotated[
    str, typer.Argument(help="Mapping file, or a name that `pegcount mapping list` prints.")
]


@mapping_app.command("check")
def check(
    mapping: MappingName,
    sample: Annotated[Path, typer.Argument(help="File whose rows are read, and stored nowhere.")],
    time_zone: TimeZone = None,
    encoding: Encoding = None,
) -> None:
    """Read a sample by a mapping file: print the first records as they would be stored, and all problems.

    Exits with 2 if the mapping cannot be used for the sample, with 1 if some rows were rejected.
    """
    with errors_as_exit_status(), seekable_file(sample) as file:
        path = mapping_path(mapping)
        options = ImportOptions(
            _SOURCE,
            tracked(zone_of_option(time_zone or "UTC")),
            encoding="utf-8" if encoding is None else checked_encoding(encoding),
            takes_final_line=True,
        )
        found = check_mapping(path, file, options, zone_problem)
        _print_findings(found)
        if found.problems:
            typer.echo("the rows are read once the mapping has none of these problems", err=True)
            raise typer.Exit(FAILED_STATUS)
        zone = time_zone or found.mapping.zone
        options = replace(options, mapping=found.mapping, zone=tracked(zone_of_option(zone or "UTC")))
        counts = _read(sample, file, options, zone is not None)
        if counts.rejected or counts.damage:
            raise typer.Exit(REJECTED_STATUS)


@mapping_app.command("list")
def list_mappings() -> None:
    """List the mappings that come with Pegcount."""
    mappings = shipped_mappings()
    width = max(map(len, mappings), default=0)
    for name, mapping in mappings.items():
        typer.echo(f"{name.ljust(width)}  {mapping.description}")


@mapping_app.command("show")
def show(name: Annotated[str, typer.Argument(help="A name that `pegcount mapping list` prints.")]) -> None:
    """Print a mapping that comes with Pegcount, to begin one of your own with."""
    with errors_as_exit_status():
        if name not in shipped_names():
            raise ImportFileError(
                f"{name!r} is not one of {', '.join(shipped_names())}{did_you_mean(name, shipped_names())}"
            )
        typer.echo(shipped_path(name).read_text(encoding="utf-8"), nl=False)


def _print_findings(found: MappingCheck) -> None:
    for problem in found.problems:
        typer.echo(printable(problem), err=True)
    if found.unmapped:
        typer.echo(f"columns that no field uses: {printable(', '.join(found.unmapped))}")
    for note in found.notes:
        typer.echo(f"note: {printable(note)}")


def _read(sample: Path, file: BinaryIO, options: ImportOptions, is_zone_given: bool) -> ImportCounts:
    """Reads a sample, which is open as `file`, as a dry run does, and prints its records and figures."""
    config = Config()
    dry_run, figures = DryRun(config), SampleFigures()
    calls = FirstCalls(_CALL_COUNT_MAX, config.reported_call_row_count_max)

    def take(line: int, record: SessionRecord) -> None:
        dry_run.take(str(sample), line, record)
        calls.take(line, record)

    # The rejected rows may have numbers of parties: they are printed by kind, and kept nowhere.
    with (
        tempfile.TemporaryDirectory() as folder,
        RejectsFile(Path(folder) / "rejects.csv", config) as rejects,
        prepared_files([sample], MAPPED, options, {sample: file}) as prepared,
    ):
        sentences = check_zone(prepared, options.zone, is_zone_given)
        counts = import_file(
            prepared[0], MAPPED, options, dry_run.submit, rejects, lambda *_: None, config, take
        )
    # As a store joins them: rows of one id, and those that it rejects.
    for call in stored_calls(calls.calls, config, accept_stored=False):
        for record in call.records:
            figures.take(record)
    print_dry_run(dry_run, options.zone, is_zone_given, corrects=False)
    _print_counts(sample, counts)
    if len(calls.calls) == _CALL_COUNT_MAX:
        typer.echo(f"what follows is of the first {_CALL_COUNT_MAX:,} calls")
    for sentence in (*sentences, *figures.sentences(options.zone)):
        typer.echo(sentence)
    print_reject_kinds(rejects.kinds, config)
    return counts


def _print_counts(sample: Path, counts: ImportCounts) -> None:
    typer.echo(
        f"{sample}: {counts.rows:,} rows, {counts.valid:,} valid, {counts.rejected:,} rejected,"
        f" {counts.skipped:,} skipped"
    )
    print_skipped([counts])
    if counts.damage:
        typer.echo(f"{sample}: {counts.damage}", err=True)
