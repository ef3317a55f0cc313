"""The mappings that come with Pegcount."""

from functools import cache
from pathlib import Path

from pegcount.importers.mapping.mapping import MappingFile
from pegcount.importers.mapping.reading import read_mapping

_FOLDER = Path(__file__).parent / "files"


def shipped_names() -> list[str]:
    """Returns the names of all of them, in order."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def shipped_path(name: str) -> Path:
    """Returns the file of one of the names."""
    return _FOLDER / f"{name}.toml"


@cache
def shipped_mappings() -> dict[str, MappingFile]:
    """Returns all of them by name. Their zones are known to be zones."""
    return {name: read_mapping(shipped_path(name), _no_problem) for name in shipped_names()}


def _no_problem(_: str) -> str:
    return ""
