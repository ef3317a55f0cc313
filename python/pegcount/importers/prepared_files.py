"""Files of an import, of which the first look tells by which rule their rows make calls."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.asterisk_rule import asterisk_rule
from pegcount.importers.options import ImportOptions

RuleReader = Callable[[BinaryIO, ImportOptions], str | None]
"""Returns the rule by which the rows of a file make calls, None if it has no records."""

_RULES: dict[str, RuleReader] = {"asterisk-csv": asterisk_rule}
"""How to find the rule, by format. In the other formats, a row is a call and has an id of its own."""


@dataclass(frozen=True, slots=True)
class PreparedFile:
    """A file that is ready for `import_file`."""

    path: Path
    rule: str | None = None
    """How its rows make calls; None if its format has one way, or if it has no records."""
    spool: BinaryIO | None = None
    """Its content, if it came from a pipe."""

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Opens the file at its beginning; raises ImportFileError."""
        if self.spool is not None:
            self.spool.seek(0)
            yield self.spool
        else:
            with open_file(self.path) as file:
                yield file


@contextmanager
def prepared_files(
    paths: Sequence[Path], format_name: str, options: ImportOptions
) -> Iterator[list[PreparedFile]]:
    """Reads ahead what decides how calls are made, before anything is written; spools pipes to files.

    Raises ImportFileError if a file cannot be opened, or if not all calls would be made in the same way.
    """
    with ExitStack() as spools:
        files = [_prepared(path, _RULES.get(format_name), options, spools) for path in paths]
        _check_same_rule([file for file in files if file.rule is not None])
        yield files


def open_file(path: Path) -> BinaryIO:
    """Opens a file to read its bytes; raises ImportFileError."""
    try:
        return path.open("rb")
    except OSError as error:
        raise ImportFileError(f"{path}: {error.strerror}") from error


def _prepared(
    path: Path, read_rule: RuleReader | None, options: ImportOptions, spools: ExitStack
) -> PreparedFile:
    if read_rule is None:
        return PreparedFile(path)
    with open_file(path) as file:
        spool = None if file.seekable() else _spooled(file, spools)
        try:
            return PreparedFile(path, read_rule(spool or file, options), spool)
        except ImportFileError as error:
            raise ImportFileError(f"{path}: {error}") from error


def _spooled(file: BinaryIO, spools: ExitStack) -> BinaryIO:
    spool = spools.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
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
