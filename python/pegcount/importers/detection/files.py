"""The one format of all files of an import."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.detection.choice import (
    Detected,
    TooLittleError,
    UndetectedError,
    UnknownFormatError,
    detected,
)
from pegcount.importers.detection.findings import listed
from pegcount.importers.detection.head import Head, read_head
from pegcount.importers.mapping import MappingFile
from pegcount.importers.options import ImportOptions
from pegcount.importers.prepared_files import open_file, spooled

_FORMATS_SHOWN = 8
_FILES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class DetectedFiles:
    """What the files of an import are, all of them alike."""

    format_name: str
    mapping_name: str | None
    found: Mapping[Path, Detected]
    too_little: Mapping[Path, str]
    """Files that nothing tells the format of, as they have no row to import, and why."""
    spools: Mapping[Path, BinaryIO] = field(default_factory=dict)
    """The content of files that are pipes."""


@contextmanager
def detected_files(
    paths: Sequence[Path], options: ImportOptions, mappings: Mapping[str, MappingFile]
) -> Iterator[DetectedFiles]:
    """Looks at the head of each file; pipes are copied to temporary files, as they can be read once.

    A file without a row goes along with the others. Raises ImportFileError if a file cannot be opened, if one
    fits no format or several, or if not all have the same format.
    """
    found: dict[Path, Detected] = {}
    too_little: dict[Path, str] = {}
    undetected: dict[Path, UndetectedError] = {}
    spools: dict[Path, BinaryIO] = {}
    with ExitStack() as stack:
        for path in dict.fromkeys(paths):
            head = _head(path, options, stack, spools)
            try:
                found[path] = detected(head, mappings)
            except TooLittleError as error:
                too_little[path] = str(error)
            except UndetectedError as error:
                undetected[path] = error
        _check_alike(found, too_little, undetected)
        first = next(iter(found.values()))
        yield DetectedFiles(first.format_name, first.mapping_name, found, too_little, spools)


def _head(path: Path, options: ImportOptions, stack: ExitStack, spools: dict[Path, BinaryIO]) -> Head:
    try:
        with open_file(path) as file:
            if file.seekable():
                return read_head(file, options)
            spools[path] = spooled(file, stack)
        return read_head(spools[path], options)
    except ImportFileError as error:
        raise ImportFileError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def _check_alike(
    found: Mapping[Path, Detected], too_little: Mapping[Path, str], undetected: Mapping[Path, UndetectedError]
) -> None:
    """Raises ImportFileError unless the files that have rows are of one format, and at least one has."""
    if len(undetected) == 1 and not found:
        ((path, error),) = undetected.items()
        step = f"\n{_next_step(path)}" if isinstance(error, UnknownFormatError) else ""
        raise type(error)(f"{path}: {error}{step}")
    if undetected or len({one.name for one in found.values()}) > 1:
        raise UndetectedError(_which_is_which(found, undetected))
    if not found:
        path, problem = next(iter(too_little.items()))
        more = f" (and so for {len(too_little) - 1} more files)" if len(too_little) > 1 else ""
        raise TooLittleError(f"{path}: {problem}{more}")


def _which_is_which(found: Mapping[Path, Detected], undetected: Mapping[Path, UndetectedError]) -> str:
    paths_by_format: dict[str, list[Path]] = {}
    for path, one in found.items():
        paths_by_format.setdefault(one.name, []).append(path)
    for path, error in undetected.items():
        paths_by_format.setdefault(str(error).partition("\n")[0].rstrip(":"), []).append(path)
    lines = [
        f"  {name}: {listed(map(str, paths), _FILES_SHOWN)}"
        for name, paths in list(paths_by_format.items())[:_FORMATS_SHOWN]
    ]
    more = len(paths_by_format) - len(lines)
    return "\n".join(
        [
            "the files are not all of one format, and nothing was imported; import them format by format:",
            *lines,
            *([f"  and {more} more formats"] if more > 0 else []),
        ]
    )


def _next_step(path: Path) -> str:
    return (
        "  if you know its format, give --format NAME; otherwise write a mapping file (docs/mapping.md), and"
        f" try it: pegcount mapping check FILE.toml {path}"
    )
