"""The files that the arguments of an import name: files, directories, globs and standard input."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pegcount.errors import ImportFileError

STANDARD_INPUT = Path("-")
"""The argument that stands for standard input."""
_REJECTS = ".rejects.csv"
_COMPRESSED = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class InputPaths:
    """The files that one argument names, sorted."""

    argument: Path
    files: Sequence[Path]
    is_single: bool
    """Whether the argument is itself the file."""


def default_rejects(arguments: Sequence[Path]) -> Path:
    """Returns the rejects file of an import of arguments: in the current directory, named after the first.

    >>> default_rejects([Path("logs/calls.csv.gz"), Path("-")])
    PosixPath('calls.rejects.csv')
    >>> default_rejects([Path("logs/2026/*.csv")])
    PosixPath('2026.rejects.csv')
    """
    first = arguments[0]
    if first == STANDARD_INPUT:
        return Path(f"stdin{_REJECTS}")
    if _is_glob(first):
        while glob.has_magic(str(first)):
            first = first.parent
    # Without links resolved, so that a directory keeps its name, but `.` and `..` get one.
    named = Path(os.path.abspath(first))
    return Path(f"{named.name if first.is_dir() else _stem(named)}{_REJECTS}")


def input_paths(arguments: Sequence[Path], rejects: Path) -> list[InputPaths]:
    """Returns what each argument names: of a directory, its files, without those in its subdirectories.

    Hidden files, the rejects file and those of other imports are left out of directories and globs. Raises
    ImportFileError if an argument names no file, or names the rejects file.
    """
    if list(arguments).count(STANDARD_INPUT) > 1:
        raise ImportFileError("standard input (-) can be given once only")
    return [_named(argument, rejects) for argument in arguments]


def _named(argument: Path, rejects: Path) -> InputPaths:
    if argument == STANDARD_INPUT:
        return InputPaths(argument, [argument], is_single=True)
    if argument.is_dir():
        return _several(argument, argument.iterdir(), rejects)
    if _is_glob(argument):
        return _several(argument, map(Path, glob.iglob(str(argument), recursive=True)), rejects)
    if _is_same(argument, rejects):
        raise ImportFileError(f"{argument} is the file for rejected rows; name another one with --rejects")
    return InputPaths(argument, [argument], is_single=True)


def _several(argument: Path, found: Iterator[Path], rejects: Path) -> InputPaths:
    try:
        files = [
            path
            for path in sorted(found)
            if path.is_file() and not path.name.startswith(".") and not _is_rejects(path, rejects)
        ]
    except OSError as error:
        raise ImportFileError(f"{argument}: {error.strerror}") from error
    if not files:
        raise ImportFileError(f"{argument}: no files")
    return InputPaths(argument, files, is_single=False)


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix in _COMPRESSED else path.stem


def _is_glob(argument: Path) -> bool:
    return glob.has_magic(str(argument)) and not argument.exists()


def _is_rejects(path: Path, rejects: Path) -> bool:
    return path.name.endswith(_REJECTS) or _is_same(path, rejects)


def _is_same(path: Path, rejects: Path) -> bool:
    return path.exists() and rejects.exists() and path.samefile(rejects)
