"""Values that a mapping file gives to fields: what texts mean, such as causes by disposition."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pegcount.importers.csv_rows import NULLS
from pegcount.importers.mapping.problems import Problems
from pegcount.importers.mapping.targets import Target, TargetKind
from pegcount.importers.mapping.toml_file import KeyPath
from pegcount.importers.mapping.typed_values import value_text
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.q850 import cause_by_name
from pegcount.importers.record_fields import record_setters
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import Zone

_NAMED = {"q850": cause_by_name()}
# No value of a mapping file is a time, so that the zone of the setters does not matter.
_SETTERS = record_setters(Zone("UTC", np.zeros(0, np.int64), np.zeros(1, np.int32)))


def read_values(
    target: Target, options: Mapping[str, Any], at: KeyPath, problems: Problems
) -> tuple[dict[str, str] | None, str | None]:
    """Returns the values that texts stand for, and the value of all other texts.

    None if texts are values themselves, and if there is none for others: see `FieldSource`.
    """
    otherwise = _otherwise(target, options, at, problems)
    if "values" not in options or not target.fields:
        if otherwise is not None and "pattern" not in options:
            problems.add(
                (*at, "otherwise"), "needs `values` or `pattern`: it is the value of all other texts"
            )
        return None, otherwise
    values = options["values"]
    if isinstance(values, str):
        if values not in _NAMED:
            problems.add((*at, "values"), f"{values!r} is not one of {', '.join(_NAMED)}, nor a table")
        values = _NAMED.get(values, {})
    meanings = {text: value_text(value) for text, value in values.items()} if isinstance(values, dict) else {}
    if not isinstance(values, dict) or None in meanings.values():
        problems.add((*at, "values"), "a table of texts and what they mean is needed, or its name")
    if isinstance(options["values"], dict):
        _check_meanings(target, meanings, (*at, "values"), problems)
    return {text: meaning for text, meaning in meanings.items() if meaning is not None}, otherwise


def checked_value(value: object, target: Target, at: KeyPath, problems: Problems) -> str | None:
    """Returns the text of a value that fields of a target can have; None for another one, a problem."""
    text = value_text(value)
    if text is None:
        problems.add(at, "a text or a number is needed")
        return None
    # A number may have a decimal comma, if the file has them.
    set_text = text.replace(",", ".") if target.kind is TargetKind.NUMBER else text
    # An empty text leaves the field absent.
    for name in target.fields if text else ():
        try:
            _SETTERS[name](SessionRecord(), set_text)
        except UnreadableRowError as error:
            problems.add(at, str(error))
            return None
    return text


def _otherwise(target: Target, options: Mapping[str, Any], at: KeyPath, problems: Problems) -> str | None:
    if "otherwise" not in options:
        return None
    return checked_value(options["otherwise"], target, (*at, "otherwise"), problems)


def _check_meanings(
    target: Target, meanings: Mapping[str, str | None], at: KeyPath, problems: Problems
) -> None:
    for text, meaning in meanings.items():
        if text in {"", *NULLS}:
            problems.add(at, f"{text!r} is read as an empty cell, which has no value whatever the table says")
        elif meaning is not None:
            checked_value(meaning, target, (*at, text), problems)
