"""Mapping files of tests, written to a folder and read."""

from pathlib import Path
from typing import Any

from pegcount.importers import ImportOptions, MappingFile, read_mapping

from .reading import options, outline, parse


def no_zone_but(*known: str) -> Any:
    return lambda name: "" if name in known else "no zone"


def mapping_of(folder: Path, text: str) -> MappingFile:
    """Returns the mapping of a text; one line may be an array of tables."""
    path = folder / "calls.toml"
    path.write_text(text, encoding="utf-8")
    return read_mapping(path, no_zone_but("Europe/Berlin", "UTC"))


def mapped(folder: Path, text: str, zone: str = "Europe/Berlin") -> ImportOptions:
    """Returns the options of an import by a mapping."""
    found = mapping_of(folder, text)
    return options(zone, mapping=found)


def outlined(folder: Path, text: str, data: str, zone: str = "Europe/Berlin") -> list[str]:
    """Returns what the rows of a text are by a mapping: see `outline`."""
    return outline(parse("mapped", data, mapped(folder, text, zone)))
