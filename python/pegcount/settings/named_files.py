"""Looks for the files that settings name."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pegcount.errors import cause_of
from pegcount.settings.origin import BY_DEFAULT, Origin, Problem, Source
from pegcount.settings.setting import Value

_READ: Final = ("token_config", "tls.certificate", "tls.key", "tls.client_authorities")
_LOG_FILE: Final = "log.file"


def unusable_files(values: Mapping[str, Value], origins: Mapping[str, Origin]) -> Iterator[Problem]:
    """Yields the files that a server reads and this process cannot, and the log that it cannot write."""
    for key in (*_READ, _LOG_FILE):
        path = values[key]
        if not isinstance(path, str):
            continue
        text = _why_not_written(Path(path)) if key == _LOG_FILE else _why_not_read(Path(path))
        if text is not None:
            origin = origins.get(key, BY_DEFAULT)
            name = f"{key}: " if origin.source is Source.FILE else ""
            yield Problem(origin.place, f"{name}{text}", (key,))


def _why_not_read(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        return f"cannot read {path}: {cause_of(error)}"
    if stat.S_ISDIR(mode):
        return f"cannot read {path}: Is a directory"
    return None if os.access(path, os.R_OK) else f"cannot read {path}: Permission denied"


def _why_not_written(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return _why_not_made(path)
    except (OSError, ValueError) as error:
        return f"cannot write to {path}: {cause_of(error)}"
    if stat.S_ISDIR(mode):
        return f"cannot write to {path}: Is a directory"
    return None if os.access(path, os.W_OK) else f"cannot write to {path}: Permission denied"


def _why_not_made(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"cannot write to {path}: its directory is missing"
    may_write = os.access(path.parent, os.W_OK | os.X_OK)
    return None if may_write else f"cannot write to {path}: its directory does not let this user make files"
