"""The Python versions that the packages say they run on, and the interpreters of this machine."""

import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from packages.environment import REPOSITORY

SERVICE = REPOSITORY / "pyproject.toml"
CLIENT = REPOSITORY / "clients" / "python" / "pyproject.toml"
_NEWEST_MINOR = 20
"""Minor versions of Python 3 that are looked for."""


def classified(project: Path) -> set[str]:
    """Returns the versions such as 3.12 among the classifiers of a project."""
    classifiers = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["classifiers"]
    matches = (re.fullmatch(r"Programming Language :: Python :: (\d+\.\d+)", text) for text in classifiers)
    return {match[1] for match in matches if match}


@cache
def interpreters() -> dict[str, Path]:
    """Returns an interpreter for each version, from the oldest that is classified, that this machine has."""
    oldest = min(int(version.split(".")[1]) for version in classified(SERVICE))
    versions = [f"3.{minor}" for minor in range(oldest, _NEWEST_MINOR + 1)]
    found = {version: next(_interpreters(version), None) for version in versions}
    return {version: path for version, path in found.items() if path is not None}


def versions() -> list[str]:
    """Returns every version that is classified or that this machine has."""
    every = classified(SERVICE) | classified(CLIENT) | set(interpreters())
    return sorted(every, key=lambda version: int(version.split(".")[1]))


def _interpreters(version: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)
    # pyenv has a shim for each version that it ever installed; those that work are found above.
    if (path := shutil.which(f"python{version}")) is not None and "shims" not in path:
        yield Path(path)
