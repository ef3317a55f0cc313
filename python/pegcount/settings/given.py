"""What a file, the environment and the command line say, before it is checked."""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pegcount.errors import quoted
from pegcount.settings.origin import Origin, Problem, Source
from pegcount.settings.setting import (
    ACTIVE_TTL,
    ACTIVE_TTL_KEY,
    CONFIG,
    DATA,
    SET,
    SETTINGS,
    STORE_KEY,
    TABLES,
    TUNING,
    field_prefix,
)
from pegcount.settings.toml_lines import Keys, lines_of_keys
from pegcount.suggestion import did_you_mean, suggestion

_BOTH = "{} and {} are two names of one setting: give the second one only"
_OPTION_OF_KEY = {setting.parameter: key for key, setting in SETTINGS.items() if setting.parameter}
"""Keys by what people may write in their place: the options."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value of a setting from one source."""

    key: str
    value: Any
    origin: Origin
    is_text: bool
    """Whether numbers and flags are texts, as in the environment."""
    directory: Path | None = None
    """What relative paths begin at; None: the working directory."""


Found = Given | Problem


def of_file(path: Path) -> Iterator[Found]:
    """Yields what a TOML file says; a file that cannot be read is a problem."""
    try:
        text = path.read_bytes().decode()
        document = tomllib.loads(text)
        lines = lines_of_keys(text)
    except OSError as error:
        yield Problem("", f"cannot read {path}: {os.strerror(error.errno or 0)}")
        return
    except (ValueError, RecursionError) as error:
        yield Problem(str(path), f"not TOML: {error}")
        return
    if DATA.key in document and STORE_KEY in document:
        yield Problem(f"{path}:{lines.get((DATA.key,), 1)}", _BOTH.format(DATA.key, STORE_KEY), (STORE_KEY,))
    for keys, value in _leaves(document):
        place = f"{path}:{lines.get(keys, 1)}"
        key = ".".join(keys)
        if key == DATA.key:
            key = STORE_KEY
        if key in SETTINGS:
            yield Given(key, value, Origin(Source.FILE, place), False, path.parent)
        elif key in TABLES:
            yield Problem(place, f"{key}: must be a table; write [{key}]")
        else:
            yield Problem(place, _unknown_key(keys))


def of_environment(variables: Mapping[str, str]) -> Iterator[Found]:
    """Yields what environment variables say; an empty one says nothing."""
    of_setting = {setting.variable: key for key, setting in SETTINGS.items()}
    of_setting[ACTIVE_TTL.variable] = ACTIVE_TTL_KEY
    of_setting[DATA.variable] = STORE_KEY
    named = {variables.get(name) for name in (DATA.variable, SETTINGS[STORE_KEY].variable)} - {None, ""}
    if len(named) > 1:
        both = _BOTH.format(DATA.variable, SETTINGS[STORE_KEY].variable)
        yield Problem(DATA.variable, both, (STORE_KEY,))
    # That of the field itself comes later, and counts.
    older = (ACTIVE_TTL.variable, DATA.variable)
    for variable in sorted(of_setting, key=lambda name: name not in older):
        if variables.get(variable):
            origin = Origin(Source.ENVIRONMENT, variable)
            yield Given(of_setting[variable], variables[variable], origin, True)
    prefixes = [field_prefix(table) for table in (CONFIG, TUNING)]
    for variable in sorted(variables):
        prefix = next((each for each in prefixes if variable.startswith(each)), None)
        if prefix is not None and variable not in of_setting:
            known = [name for name in of_setting if name.startswith(prefix)]
            yield Problem(variable, f"there is no such setting{did_you_mean(variable, known)}")


def of_flags(options: Mapping[str, Any], fields: Sequence[str]) -> Iterator[Found]:
    """Yields what a command line says: values of options by their parameters, and each text of `--set`."""
    if ACTIVE_TTL.parameter in options:
        origin = Origin(Source.FLAG, ACTIVE_TTL.flag)
        yield Given(ACTIVE_TTL_KEY, options[ACTIVE_TTL.parameter], origin, True)
    for key, setting in SETTINGS.items():
        if setting.parameter in options:
            value = options[setting.parameter]
            value = setting.flag_value if value is True else value
            yield Given(key, value, Origin(Source.FLAG, setting.flag), isinstance(value, str))
    yield from _set(fields)


def _set(texts: Sequence[str]) -> Iterator[Found]:
    seen: set[str] = set()
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        place = f"{SET} {name}"
        key = name if name.startswith((f"{TUNING}.", f"{CONFIG}.")) else f"{CONFIG}.{name}"
        if not equals:
            yield Problem(f"{SET} {text}", "must be NAME=VALUE, such as query_seconds_max=10")
        elif key not in SETTINGS:
            yield Problem(place, _unknown_field(name))
        elif key in seen:
            yield Problem(place, "is given twice; it takes one value")
        else:
            seen.add(key)
            yield Given(key, value.strip(), Origin(Source.FLAG, place), True)


def _unknown_field(name: str) -> str:
    if name in SETTINGS:
        return f"sets fields of Config and Tuning; use {SETTINGS[name].flag}"
    if f"{TUNING}.{name}" in SETTINGS:
        return f"there is no such setting{suggestion(f'{TUNING}.{name}')}"
    known = [_field_name(key) for key in SETTINGS if key.startswith((f"{CONFIG}.", f"{TUNING}."))]
    return f"there is no such setting{did_you_mean(name, known)}"


def _field_name(key: str) -> str:
    """Returns the name of a field as `--set` takes it."""
    return key.removeprefix(f"{CONFIG}.")


def _unknown_key(keys: Keys) -> str:
    """Returns what is wrong with a key that no setting has."""
    key, name = ".".join(keys), keys[-1]
    text = f"{quoted(key)}: there is no such setting"
    elsewhere = [known for known in SETTINGS if known.rpartition(".")[2] == name]
    if name in _OPTION_OF_KEY:
        elsewhere.append(_OPTION_OF_KEY[name])
    if name == ACTIVE_TTL.parameter:
        elsewhere.append(ACTIVE_TTL_KEY)
    if name in TABLES and len(keys) > 1:
        return f"{quoted(key)}: is a table of its own; write [{name}]"
    if elsewhere:
        return text + suggestion(elsewhere[0])
    table = keys[0] if len(keys) > 1 and keys[0] in TABLES else ""
    of_table = [known for known in SETTINGS if known.startswith(f"{table}.")] if table else list(SETTINGS)
    hint = did_you_mean(key, [*of_table, *(() if table else TABLES)])
    return text + (hint or _keys_of(table))


def _keys_of(table: str) -> str:
    if table in (CONFIG, TUNING):
        return "; docs/configuration.md lists them"
    if table:
        names = [key.partition(".")[2] for key in SETTINGS if key.startswith(f"{table}.")]
        return f"; allowed: {', '.join(names)}"
    names = [key for key in SETTINGS if "." not in key]
    return f"; allowed: {', '.join(names)}, and the tables {', '.join(TABLES)}"


def _leaves(document: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yields the keys of a document with their values; a table that is not one of ours is a value."""
    for key, value in document.items():
        keys = (*above, key)
        if isinstance(value, dict) and not above and key in TABLES:
            yield from _leaves(value, keys)
        else:
            yield keys, value
