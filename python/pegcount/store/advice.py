"""What to do about an error, for the sentences of SQLite and of the core that do not say it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pegcount.errors import DataDamagedError

_HELD = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_PRIMARY_CODE = 0xFF
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
RESTORE_ADVICE = "restore a backup (`pegcount backup` makes them)"
_LOST = {
    "journal": "the batches from the damage on, which only this file has",
    "active": "the active sessions in it",
}


@contextmanager
def advised_start() -> Iterator[None]:
    """Adds to the error of a damaged file, which prevents a start, how to go on and what is lost then."""
    try:
        yield
    except DataDamagedError as error:
        name = error.metadata.get("file", "")
        lost = _LOST.get(Path(name).parent.name)
        if lost is None:
            # The catalogue: nothing can go on without it.
            raise DataDamagedError(f"{error}; {RESTORE_ADVICE}", file=name) from error
        text = (
            f"{error}: restore the file or a backup, or start with --accept-loss-of {name} to go on without"
        )
        raise DataDamagedError(f"{text} {lost}", file=name) from error


def sqlite_text(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> str:
    """Returns the text of an error of SQLite about a file of this name, with its probable cause."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    if code in _HELD:
        return f"another program holds {path.name} ({error})"
    if code in _FORBIDDEN and path.exists():
        return (
            f"{error}; check the permissions of {path.name} and of its directory, and whether the disk is"
            " mounted read-only"
        )
    return str(error)


def unopened_text(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> str:
    """Returns why SQLite cannot open a file of this name, and what to do if it is damaged."""
    text = f"{path} cannot be opened: {sqlite_text(error, path)}"
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & _PRIMARY_CODE
    return f"{text}; {RESTORE_ADVICE}" if code in _DAMAGED else text


def lost_catalog_text(path: Path, parts: Sequence[str]) -> str:
    """Returns that a catalogue of this path is lost, though the parts of its directory are there."""
    *others, last = (f"{part}/" for part in parts)
    named = f"{', '.join(others)} and {last} are" if others else f"{last} is"
    return f"{path} is missing or empty, but {named} there: {RESTORE_ADVICE}"
