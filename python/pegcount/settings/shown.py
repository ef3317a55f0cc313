"""Shows settings with their origins: as a table, JSON or TOML."""

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum

from pegcount.settings.loading import Loaded
from pegcount.settings.origin import Source
from pegcount.settings.setting import NONE, SETTINGS, Kind, Setting, Value


class ShownAs(StrEnum):
    """How settings are shown."""

    TABLE = "table"
    JSON = "json"
    TOML = "toml"


def shown(loaded: Loaded, form: ShownAs, *, only_changed: bool) -> str:
    """Returns settings as a text; with `only_changed`, those whose value is not the default."""
    keys = [key for key in SETTINGS if not only_changed or loaded.is_changed(key)]
    if form is ShownAs.JSON:
        return json.dumps({key: _as_json(loaded, key) for key in keys}, indent=2)
    return _table(loaded, keys) if form is ShownAs.TABLE else "\n".join(_toml(loaded, keys))


def toml_value(value: Value) -> str:
    """Returns a value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # A basic string of TOML has the escapes of JSON, and takes letters beyond ASCII as they are. JSON
        # writes one character as it is that TOML does not allow.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return str(value)


def value_text(setting: Setting, value: Value) -> str:
    """Returns a value as TOML writes it, "none" or "-" without one."""
    if value is None:
        return toml_value(NONE) if setting.kind is Kind.ADDRESS_OR_NONE else "-"
    return toml_value(value)


def _as_json(loaded: Loaded, key: str) -> dict[str, object]:
    origin = loaded.origins[key]
    value = loaded.values[key]
    place = origin.place if origin.source is not Source.DEFAULT else None
    return {"value": value, "source": str(origin.source), "place": place}


def _table(loaded: Loaded, keys: Sequence[str]) -> str:
    rows = [("setting", "value", "origin")]
    for key in keys:
        rows.append((key, value_text(SETTINGS[key], loaded.values[key]), str(loaded.origins[key])))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}" for row in rows)


def _toml(loaded: Loaded, keys: Sequence[str]) -> Iterator[str]:
    table = ""
    for key in keys:
        setting = SETTINGS[key]
        if key.rpartition(".")[0] != table:
            table = key.rpartition(".")[0]
            yield f"\n[{table}]"
        text = value_text(setting, loaded.values[key])
        # TOML has nothing that stands for an absent value.
        absent = "# " if text == "-" else ""
        yield f"{absent}{setting.name} = {'…' if absent else text}  # {loaded.origins[key]}"
