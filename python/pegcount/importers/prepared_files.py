"""Files of an import, of which the first look tells by which rule their rows make calls."""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.formats import format_named
from pegcount.importers.input_paths import STANDARD_INPUT
from pegcount.importers.input_stream import OpenedInput, opened_input
from pegcount.importers.options import Format, ImportOptions, LookAhead


@dataclass(frozen=True, slots=True)
class PreparedFile:
    """A file that is ready for `import_file`."""

    path: Path
    ahead: LookAhead = field(default_factory=LookAhead)
    spool: BinaryIO | None = None
    """Its content, if it came from a pipe."""

    @property
    def rule(self) -> str | None:
        """How its rows make calls; None if its format has one way, or if it has no records."""
        return self.ahead.rule

    @contextmanager
    def opened(self, options: ImportOptions, takes_final_line: bool = True) -> Iterator[OpenedInput]:
        """Opens the file at its beginning; raises ImportFileError."""
        if self.spool is not None:
            yield opened_input(self.spool, options, takes_final_line)
        else:
            with open_file(self.path) as file:
                yield opened_input(file, options, takes_final_line)


@contextmanager
def prepared_files(
    paths: Sequence[Path],
    format_name: str,
    options: ImportOptions,
    spools: Mapping[Path, BinaryIO] | None = None,
) -> Iterator[list[PreparedFile]]:
    """Reads ahead what decides how calls are made, before anything is written; spools pipes to files.

    `spools` are the contents of pipes that were copied to files already. Raises ImportFileError if a file
    cannot be opened, or if not all calls would be made in the same way.
    """
    found = format_named(format_name)
    known = spools or {}
    with ExitStack() as stack:
        files = [_prepared(path, found, options, stack, known.get(path)) for path in paths]
        _check_same_rule([file for file in files if file.rule is not None])
        yield files


def open_file(path: Path) -> BinaryIO:
    """Opens a file to read its bytes; raises ImportFileError."""
    if path == STANDARD_INPUT:
        return _StandardInput(io.FileIO(sys.stdin.fileno(), closefd=False))
    try:
        return path.open("rb")
    except OSError as error:
        raise ImportFileError(f"{path}: {error.strerror}") from error


@contextmanager
def seekable_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a file to read its bytes more than once, a pipe as a copy; raises ImportFileError."""
    with open_file(path) as file, ExitStack() as stack:
        yield file if file.seekable() else spooled(file, stack)


class _StandardInput(io.BufferedReader):
    """Standard input, which is read once, even if it is a file of which others have read the beginning."""

    def seekable(self) -> bool:
        return False


def _prepared(
    path: Path, found: Format, options: ImportOptions, stack: ExitStack, spool: BinaryIO | None
) -> PreparedFile:
    if found.look_ahead is None and not found.is_read_twice:
        return PreparedFile(path, spool=spool)
    with nullcontext(spool) if spool is not None else open_file(path) as file:
        if not file.seekable():
            spool = spooled(file, stack)
        if found.look_ahead is None:
            return PreparedFile(path, spool=spool)
        opened = opened_input(spool or file, options, options.takes_final_line or not found.has_rows)
        try:
            return PreparedFile(path, found.look_ahead(opened.file, options), spool)
        except ImportFileError as error:
            raise ImportFileError(f"{path}: {error}") from error


def spooled(file: BinaryIO, stack: ExitStack) -> BinaryIO:
    """Copies a pipe to a temporary file, which lives as long as the stack; returns it at its beginning."""
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    shutil.copyfileobj(file, spool)
    spool.seek(0)
    return spool


def _check_same_rule(files: Sequence[PreparedFile]) -> None:
    for file in files[1:]:
        if file.rule != files[0].rule:
            raise ImportFileError(
                f"the rows of {files[0].path} make calls by the rule {files[0].rule!r}, those of {file.path}"
                f" by {file.rule!r}, so that calls could count twice; import them into sources of their own,"
                " or choose one rule for all with --calls linkedid, uniqueid or rows"
            )
