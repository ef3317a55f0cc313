"""The files that the arguments of an import name: files, directories, globs and standard input."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pegcount.errors import ImportFileError

STANDARD_INPUT = Path("-")
"""The argument that stands for standard input."""


@dataclass(frozen=True, slots=True)
class InputPaths:
    """The files that one argument names, sorted."""

    argument: Path
    files: Sequence[Path]
    is_single: bool
    """Whether the argument is itself the file."""


def input_paths(arguments: Sequence[Path], rejects: Path) -> list[InputPaths]:
    """Returns what each argument names: of a directory, its files, without those in its subdirectories.

    Hidden files and the rejects file are left out of directories and globs. Raises ImportFileError if an
    argument names no file, or names the rejects file.
    """
    if list(arguments).count(STANDARD_INPUT) > 1:
        raise ImportFileError("standard input (-) can be given once only")
    return [_named(argument, rejects) for argument in arguments]


def _named(argument: Path, rejects: Path) -> InputPaths:
    if argument == STANDARD_INPUT:
        return InputPaths(argument, [argument], is_single=True)
    if argument.is_dir():
        return _several(argument, argument.iterdir(), rejects)
    if not argument.exists() and glob.has_magic(str(argument)):
        return _several(argument, map(Path, glob.iglob(str(argument), recursive=True)), rejects)
    if _is_same(argument, rejects):
        raise ImportFileError(f"{argument} is the file for rejected rows; name another one with --rejects")
    return InputPaths(argument, [argument], is_single=True)


def _several(argument: Path, found: Iterator[Path], rejects: Path) -> InputPaths:
    try:
        files = [
            path
            for path in sorted(found)
            if path.is_file() and not path.name.startswith(".") and not _is_same(path, rejects)
        ]
    except OSError as error:
        raise ImportFileError(f"{argument}: {error.strerror}") from error
    if not files:
        raise ImportFileError(f"{argument}: no files")
    return InputPaths(argument, files, is_single=False)


def _is_same(path: Path, rejects: Path) -> bool:
    return path.exists() and rejects.exists() and path.samefile(rejects)
