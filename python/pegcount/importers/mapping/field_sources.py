"""Reads what a mapping file says about its columns: [columns], [joined] and [first]."""

from collections.abc import Iterator, Mapping
from typing import Any

from pegcount.importers.mapping.durations import UNITS
from pegcount.importers.mapping.mapping import Combination, FieldSource
from pegcount.importers.mapping.problems import Problems
from pegcount.importers.mapping.read_conditions import read_pattern
from pegcount.importers.mapping.targets import TARGETS, TargetKind
from pegcount.importers.mapping.time_formats import format_problem
from pegcount.importers.mapping.toml_file import KeyPath, shown
from pegcount.importers.mapping.typed_values import list_of_texts, require_known, typed
from pegcount.importers.mapping.value_tables import read_values
from pegcount.suggestion import did_you_mean

_OF_ALL = ("pattern", "empty", "optional")
_OF_KIND = {
    TargetKind.VALUE: ("values", "otherwise"),
    TargetKind.NUMBER: ("values", "otherwise"),
    TargetKind.TIME: ("format",),
    TargetKind.DURATION: ("unit",),
}


def read_sources(
    data: Mapping[str, Any], formats: tuple[str, ...], problems: Problems
) -> Iterator[FieldSource]:
    """Yields where each target comes from; `formats` are those of times without one of their own."""
    sources = [*_of_columns(data, formats, problems), *_of_several(data, formats, problems)]
    yield from sources
    _require_one_source(sources, data, problems)


def _of_columns(
    data: Mapping[str, Any], formats: tuple[str, ...], problems: Problems
) -> Iterator[FieldSource]:
    columns = typed(data, "columns", dict, {}, (), problems)
    for column, value in columns.items():
        at: KeyPath = ("columns", column)
        targets = value if isinstance(value, list) else [value]
        for number, target in enumerate(targets):
            place = (*at, number) if isinstance(value, list) else at
            options = {"field": target} if isinstance(target, str) else target
            if not isinstance(options, dict) or not isinstance(options.get("field"), str):
                problems.add(place, 'the name of a field is needed, or { field = "…" }, or a list of those')
            elif source := _source(options["field"], (column,), options, place, formats, problems):
                yield source


def _of_several(
    data: Mapping[str, Any], formats: tuple[str, ...], problems: Problems
) -> Iterator[FieldSource]:
    for key, combination in (("joined", Combination.JOINED), ("first", Combination.FIRST)):
        for target, value in typed(data, key, dict, {}, (), problems).items():
            at: KeyPath = (key, target)
            options = {"columns": value} if isinstance(value, list) else value
            if not isinstance(options, dict):
                problems.add(at, "a list of columns is needed, or { columns = […] }")
                continue
            columns = tuple(list_of_texts(options, "columns", at, problems))
            if not columns:
                problems.add(at, "a list of columns is needed")
                continue
            if source := _source(target, columns, options, at, formats, problems, combination):
                yield source


def _source(
    target: str,
    columns: tuple[str, ...],
    options: Mapping[str, Any],
    at: KeyPath,
    formats: tuple[str, ...],
    problems: Problems,
    combination: Combination | None = None,
) -> FieldSource | None:
    found = TARGETS.get(target)
    if found is None:
        problems.add(at, f"no field is called {target!r}{did_you_mean(target, TARGETS)}")
        return None
    own = {"field"} if combination is None else {"columns"}
    own |= {"separator"} if combination is Combination.JOINED else set()
    require_known(options, (*sorted(own), *_OF_ALL, *_OF_KIND[found.kind]), at, problems)
    values, otherwise = read_values(found, options, at, problems)
    pattern = None
    if "pattern" in options:
        pattern = read_pattern(options["pattern"], (*at, "pattern"), problems, group_count=1)
    return FieldSource(
        target,
        columns,
        key_path=at,
        combination=combination or Combination.FIRST,
        separator=typed(options, "separator", str, "/", at, problems),
        formats=_formats(options, at, formats, problems),
        unit=_unit(options, at, problems),
        values=values,
        otherwise=otherwise,
        pattern=pattern,
        empty=frozenset(list_of_texts(options, "empty", at, problems)),
        is_optional=typed(options, "optional", bool, False, at, problems),
    )


def _formats(
    options: Mapping[str, Any], at: KeyPath, default: tuple[str, ...], problems: Problems
) -> tuple[str, ...]:
    sound = []
    for each in list_of_texts(options, "format", at, problems):
        if problem := format_problem(each):
            problems.add((*at, "format"), problem)
        else:
            sound.append(each)
    return tuple(sound) or default


def _unit(options: Mapping[str, Any], at: KeyPath, problems: Problems) -> str:
    unit: str = typed(options, "unit", str, UNITS[0], at, problems)
    if unit not in UNITS:
        problems.add((*at, "unit"), f"{unit!r} is not one of {', '.join(UNITS)}")
        return UNITS[0]
    return unit


def _require_one_source(sources: list[FieldSource], data: Mapping[str, Any], problems: Problems) -> None:
    """Notes fields that come from two places."""
    places: dict[str, KeyPath] = {}
    for source in sources:
        for name in TARGETS[source.target].fields or (source.target,):
            first = places.setdefault(name, source.key_path)
            if first != source.key_path:
                problems.add(
                    source.key_path,
                    f"{name} already comes from {shown(first)}; a field comes from one column, or from"
                    " several by [joined] or [first]",
                )
    # What is wrong with [constants] itself is noted where they are read.
    for name in typed(data, "constants", dict, {}, (), Problems()):
        if name in places:
            problems.add(("constants", name), f"{name} already comes from {shown(places[name])}")
