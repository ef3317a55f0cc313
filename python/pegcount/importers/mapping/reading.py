"""Reads mapping files, and finds all that is wrong with one."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pegcount.importers.mapping.call_rules import missing_of_calls
from pegcount.importers.mapping.conditions import Condition
from pegcount.importers.mapping.field_sources import read_sources
from pegcount.importers.mapping.mapping import MappingFile, PartRules, SkipRule
from pegcount.importers.mapping.problems import Problems, raise_problems
from pegcount.importers.mapping.read_conditions import CONDITION_KEYS, read_condition
from pegcount.importers.mapping.targets import CONSTANTS, TARGETS
from pegcount.importers.mapping.time_formats import ISO, format_problem
from pegcount.importers.mapping.toml_file import KeyPath, TomlFile, read_toml
from pegcount.importers.mapping.typed_values import list_of_texts, require_known, typed
from pegcount.importers.mapping.value_tables import checked_value
from pegcount.suggestion import did_you_mean

ZoneProblem = Callable[[str], str]
"""Returns why a text is not a zone, "" if it is one."""

_KEYS = (
    *("description", "header", "separator", "skip_lines", "decimal_comma", "time_format", "zone"),
    *("zone_evidence", "id_from_row", "columns", "joined", "first", "constants"),
    *("answered", "swap", "skip", "parts"),
)
_SKIP_LINES_MAX = 1_000
_CLASSES = (1, 2, 3)
_POSITION = re.compile(r"[1-9][0-9]{0,4}")


def read_mapping(path: Path, zone_problem: ZoneProblem) -> MappingFile:
    """Reads a mapping file; raises MappingError with all its problems, ImportFileError if it is not TOML."""
    file = read_toml(path)
    mapping, problems = checked_mapping(file, zone_problem)
    raise_problems(file, problems.found)
    return mapping


def checked_mapping(file: TomlFile, zone_problem: ZoneProblem) -> tuple[MappingFile, Problems]:
    """Returns the mapping that a file describes, without what is wrong, and the problems."""
    data, problems = file.data, Problems()
    require_known(data, _KEYS, (), problems)
    formats = _formats(data, problems)
    zone = typed(data, "zone", str, None, (), problems)
    if zone is not None and (problem := zone_problem(zone)):
        problems.add(("zone",), problem)
    mapping = MappingFile(
        name=file.path.stem,
        description=typed(data, "description", str, "", (), problems),
        has_header=typed(data, "header", bool, True, (), problems),
        separator=_separator(data, problems),
        skip_lines=_skip_lines(data, problems),
        has_decimal_comma=typed(data, "decimal_comma", bool, False, (), problems),
        zone=zone,
        zone_evidence=typed(data, "zone_evidence", str, None, (), problems),
        has_id_from_row=typed(data, "id_from_row", bool, False, (), problems),
        sources=tuple(read_sources(data, formats, problems)),
        constants=_constants(data, problems),
        answered=read_condition(data["answered"], ("answered",), problems) if "answered" in data else None,
        swap=read_condition(data["swap"], ("swap",), problems) if "swap" in data else None,
        skips=tuple(_skips(data, problems)),
        parts=_parts(data, problems),
    )
    if not mapping.has_header:
        _require_positions(mapping, problems)
    missing_of_calls(mapping, data, problems)
    return mapping, problems


def _formats(data: Mapping[str, Any], problems: Problems) -> tuple[str, ...]:
    formats = list_of_texts(data, "time_format", (), problems) or (ISO,)
    for each in formats:
        if problem := format_problem(each):
            problems.add(("time_format",), problem)
    return tuple(each for each in formats if not format_problem(each)) or (ISO,)


def _separator(data: Mapping[str, Any], problems: Problems) -> str:
    separator: str = typed(data, "separator", str, ",", (), problems)
    if len(separator) != 1 or separator in '"\r\n' or not separator.isascii():
        problems.add(("separator",), 'one character is needed, such as ";", "|" or "\\t"')
        return ","
    return separator


def _skip_lines(data: Mapping[str, Any], problems: Problems) -> int:
    count: int = typed(data, "skip_lines", int, 0, (), problems)
    if not 0 <= count <= _SKIP_LINES_MAX:
        problems.add(("skip_lines",), f"a number from 0 to {_SKIP_LINES_MAX} is needed")
        return 0
    return count


def _constants(data: Mapping[str, Any], problems: Problems) -> dict[str, str]:
    constants: dict[str, Any] = typed(data, "constants", dict, {}, (), problems)
    found: dict[str, str] = {}
    for name, value in constants.items():
        at = ("constants", name)
        if name not in CONSTANTS:
            problems.add(at, f"no field that all rows may have alike{did_you_mean(name, CONSTANTS)}")
        elif value == "":
            problems.add(at, "a value is needed; leave out a field that has none")
        elif (text := checked_value(value, TARGETS[name], at, problems)) is not None:
            found[name] = text
    return found


def _skips(data: Mapping[str, Any], problems: Problems) -> list[SkipRule]:
    rules: list[SkipRule] = []
    for number, rule in enumerate(typed(data, "skip", list, [], (), problems)):
        at = ("skip", number)
        if not isinstance(rule, dict) or rule.keys().isdisjoint(CONDITION_KEYS):
            problems.add(at, "a table with `when` or `unless` is needed: [[skip]] when = { COLUMN = TEXT }")
            continue
        require_known(rule, (*CONDITION_KEYS, "reason"), at, problems)
        reason = typed(rule, "reason", str, "rows that the mapping leaves out", at, problems)
        rules.append(SkipRule(_condition_in(rule, at, problems), reason))
    return rules


def _parts(data: Mapping[str, Any], problems: Problems) -> PartRules | None:
    if "parts" not in data:
        return None
    parts = typed(data, "parts", dict, {}, (), problems)
    require_known(parts, ("row", "classes"), ("parts",), problems)
    row_columns = list_of_texts(parts, "row", ("parts",), problems)
    return PartRules(tuple(row_columns), tuple(_classes(parts, problems)))


def _classes(parts: Mapping[str, Any], problems: Problems) -> Iterator[tuple[int, Condition]]:
    for number, rule in enumerate(typed(parts, "classes", list, [], ("parts",), problems)):
        at = ("parts", "classes", number)
        # Python takes 1.0 and true for 1.
        if not isinstance(rule, dict) or type(rule.get("class")) is not int or rule["class"] not in _CLASSES:
            problems.add(at, "a table with `class`, from 1 to 3, is needed")
            continue
        require_known(rule, (*CONDITION_KEYS, "class"), at, problems)
        yield rule["class"], _condition_in(rule, at, problems)


def _condition_in(rule: Mapping[str, Any], at: KeyPath, problems: Problems) -> Condition:
    """Returns the condition of a rule; a class without one takes all rows that are left."""
    own = {key: rule[key] for key in CONDITION_KEYS if key in rule}
    return read_condition(own, at, problems) if own else Condition()


def _require_positions(mapping: MappingFile, problems: Problems) -> None:
    for name, key_path in mapping.key_paths.items():
        if not _POSITION.fullmatch(name):
            problems.add(key_path, "without a header, a column is its number: 1, 2, …")
