"""`pegcount import --format auto`: the format of the files, and why it is that."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import typer

from pegcount.cli.import_options import AUTO, import_options
from pegcount.cli.report.figures import printable
from pegcount.errors import ImportFileError
from pegcount.importers import (
    MAPPED,
    DetectedFiles,
    InputPaths,
    default_rejects,
    detected_files,
    input_paths,
    shipped_mappings,
)


@dataclass(frozen=True, slots=True)
class FoundFormat:
    """The format of an import, as it was given or found."""

    name: str
    mapping_name: str | None = None
    """The mapping that was given, or the shipped one that was found."""
    arguments: Sequence[InputPaths] | None = None
    """The files that were looked at."""
    spools: Mapping[Path, BinaryIO] = field(default_factory=dict)
    """The content of files that are pipes."""


@contextmanager
def found_format(
    format_name: str,
    mapping: str | None,
    files: Sequence[Path],
    rejects: Path | None,
    encoding: str | None,
    final_line: bool,
    settings: Sequence[str] | None,
) -> Iterator[FoundFormat]:
    """Yields the format that was given, or for `AUTO` that of all files, of which it prints what shows it.

    Raises ImportFileError if the files do not show one format.
    """
    if format_name != AUTO:
        yield FoundFormat(format_name, mapping)
        return
    if mapping is not None:
        raise ImportFileError(
            f"--format {AUTO} looks for a mapping by itself; with --mapping, give --format {MAPPED}"
        )
    options = import_options(
        "", None, encoding, final_line, None, None, None, settings or [], accept_stored=False, correct=False
    )
    arguments = input_paths(files, default_rejects(files) if rejects is None else rejects)
    paths = [file for argument in arguments for file in argument.files]
    with detected_files(paths, options, shipped_mappings()) as found:
        for argument in arguments:
            _print(argument, found)
        yield FoundFormat(found.format_name, found.mapping_name, arguments, found.spools)


def _print(argument: InputPaths, found: DetectedFiles) -> None:
    """Prints what shows the format of an argument: of a directory, what its first file does."""
    known = [path for path in argument.files if path in found.found]
    name = next(iter(found.found.values())).name
    if known:
        reason = found.found[known[0]].reason
        count = "1 file" if len(known) == 1 else f"{len(known):,} files, such as"
        where = "" if argument.is_single else f"{count} {known[0].name}: "
        typer.echo(printable(f"{argument.argument}: {name}: {where}{reason}"))
    for path in argument.files:
        if path in found.too_little:
            typer.echo(printable(f"{path}: taken as {name}, like the others; {found.too_little[path]}"))
