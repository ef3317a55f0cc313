"""The file formats that can be imported, and the options that each of them uses."""

from collections.abc import Iterable

from pegcount.errors import ImportFileError, quoted
from pegcount.importers.asterisk_csv import parse_asterisk_csv
from pegcount.importers.asterisk_look_ahead import look_ahead_in_asterisk_csv
from pegcount.importers.freeswitch_csv import parse_freeswitch_csv
from pegcount.importers.freeswitch_json import parse_freeswitch_json
from pegcount.importers.freeswitch_xml import parse_freeswitch_xml
from pegcount.importers.mapping.mapped_csv import MAPPED, look_ahead_in_mapped, parse_mapped
from pegcount.importers.mapping.shipped import shipped_names
from pegcount.importers.options import Format
from pegcount.importers.pegcount_csv import parse_pegcount_csv
from pegcount.importers.yeti_csv import parse_yeti_csv
from pegcount.suggestion import nearest, suggestion

_ALL = frozenset({"--report-calls", "--set"})
# Documents are UTF-8 and end at a brace or a tag. Some have local times only.
_DOCUMENTS = _ALL | {"--time-zone"}
_ROWS = _DOCUMENTS | {"--encoding", "--final-line"}
_ASTERISK = _ROWS | {"--columns", "--calls", "--answered"}

FORMATS: dict[str, Format] = {
    "asterisk-csv": Format(parse_asterisk_csv, _ASTERISK, look_ahead_in_asterisk_csv),
    "freeswitch-csv": Format(parse_freeswitch_csv, _ROWS, is_read_twice=True),
    "freeswitch-json": Format(parse_freeswitch_json, _DOCUMENTS),
    "freeswitch-xml": Format(parse_freeswitch_xml, _DOCUMENTS),
    MAPPED: Format(parse_mapped, _ROWS | {"--mapping"}, look_ahead_in_mapped),
    "pegcount-csv": Format(parse_pegcount_csv, _ROWS | {"--accept-stored"}, has_header=True),
    "yeti-csv": Format(parse_yeti_csv, _ROWS, has_header=True),
}
"""The formats by name."""


def format_named(name: str) -> Format:
    """Returns a format; raises ImportFileError for an unknown name."""
    found = FORMATS.get(name)
    if found is None:
        raise ImportFileError(f"there is no format {quoted(name)}{_advice(name)}")
    return found


def _advice(name: str) -> str:
    near = nearest(name, [*FORMATS, *shipped_names()])
    if near is None:
        return f"; the formats are {', '.join(FORMATS)}; pegcount mapping list names those of {MAPPED}"
    return suggestion(near if near in FORMATS else f"{MAPPED} --mapping {near}")


def require_used(name: str, options: Iterable[str]) -> None:
    """Raises ImportFileError, naming the formats that use it, for an option that a format does not use."""
    used = format_named(name).options
    for option in options:
        if option not in used:
            users = ", ".join(other for other, found in FORMATS.items() if option in found.options)
            raise ImportFileError(f"{name} does not use {option}; the formats that do: {users or 'none'}")
