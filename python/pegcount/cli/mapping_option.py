"""The option `--mapping`: a mapping file, or the name of a mapping that comes with Pegcount."""

from pathlib import Path

from pegcount import calendar
from pegcount.errors import ImportFileError
from pegcount.importers import MappingFile, read_mapping, shipped_names, shipped_path
from pegcount.suggestion import did_you_mean


def mapping_of_option(value: str | None) -> MappingFile | None:
    """Returns the mapping that an option means; raises ImportFileError with all that is wrong with it."""
    return None if value is None else read_mapping(mapping_path(value), zone_problem)


def mapping_path(value: str) -> Path:
    """Returns the file of a mapping; raises ImportFileError if it is neither a file nor a name."""
    names = shipped_names()
    if value in names:
        return shipped_path(value)
    path = Path(value)
    if not path.exists():
        hint = did_you_mean(value, names) or f"; the names are {', '.join(names)}"
        raise ImportFileError(f"{value!r} is neither a mapping file nor one that comes with Pegcount{hint}")
    return path


def zone_problem(name: str) -> str:
    """Returns why a text is not a zone, "" if it is one."""
    if calendar.zone(name) is not None:
        return ""
    return f"{name!r} is not an IANA time zone{calendar.zone_hint(name)}"
