"""Writes docs/configuration.md from the fields of the settings and what their docstrings say.

`python -m pegcount.settings.page` prints it.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Final

from pegcount.config import Config, Tuning
from pegcount.settings.ranges import Range, unit_of
from pegcount.settings.serve_settings import LogSettings, ServeSettings, TlsPaths
from pegcount.settings.setting import CONFIG, SET, SETTINGS, TUNING, Kind, Setting
from pegcount.settings.shown import value_text

_TOP: Final = """\
# Configuration

`pegcount serve` takes each setting from the first of these that has it:

1. a flag of the command line, such as `--listen`, or `--set NAME=VALUE` for the limits and times below;
2. an environment variable, such as `PEGCOUNT_LISTEN` or `PEGCOUNT_CONFIG_QUERY_SECONDS_MAX`; an empty one
   says nothing;
3. the TOML file of `--config FILE`, or of the variable `PEGCOUNT_CONFIG`;
4. the default.

[pegcount.toml](../ops/pegcount.toml) is such a file. Paths in it are relative to its directory. Numbers are
numbers, times are in the unit that their name ends in, and bytes may be texts such as `"64 MiB"`. A wrong
setting stops the start, and one error names all of them, with file and line, variable or flag:

    $ pegcount config check FILE                        # problems, and settings without effect; status 0 or 2
    $ pegcount config show --config FILE                # each value and where it comes from
    $ pegcount config show --config FILE --changed      # those that differ from the default
    $ pegcount config show --config FILE --format toml  # or json

`pegcount config check` also looks for the files that the settings name: run it as the user of the server, and
where it runs. `pegcount config show` takes the flags and variables of `pegcount serve`. Keys, tokens and
secrets stand in files of their own, of which it shows the paths. Both, and the log of a server that starts,
warn of a variable whose name is near that of a setting, such as `PEGCOUNT_LISTN`.

## Changes while the server runs

SIGHUP makes the server read the file again; flags and variables stay those of its start. If anything is
wrong, nothing changes, and the log has each problem. Otherwise the settings marked **yes** under "reload"
change at once, for what begins from then on; the log has each change, and names those that need a restart.
The files of TLS and of tokens need no signal: the server looks at them all the time.
"""

_SECTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "": ("Options", "Keys at the top of the file."),
    "tls": ("Table [tls]", "Files in PEM; [transport.md](transport.md) says how to make and change them."),
    "log": ("Table [log]", "What the log has, and where it goes."),
    CONFIG: (
        "Table [config]",
        "Limits and times. The variable of each is `PEGCOUNT_CONFIG_` and its name in capitals, its flag"
        " `--set NAME=VALUE`.",
    ),
    TUNING: (
        "Table [tuning]",
        "Constants that trade speed for memory or work; none changes a figure. The variable of each is"
        " `PEGCOUNT_TUNING_` and its name in capitals, its flag `--set tuning.NAME=VALUE`.",
    ),
}
_FIELD_OF_KEY: Final[Mapping[str, str]] = {"accept_loss_of": "accepted_losses"}
_MEANINGS: Final[Mapping[str, str]] = {
    "no_admin": "Offers no AdminService.",
    "no_reflection": "Offers no reflection.",
    "no_auth": "Lets everybody in, although the store has credentials.",
}
"""Meanings of flags that say the opposite of their field."""
_KINDS: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "text",
    Kind.ADDRESS: "address",
    Kind.ADDRESS_OR_NONE: "address, or none",
    Kind.PATH: "path",
    Kind.STORES: "path or URL, or both",
    Kind.TEXTS: "list of texts",
    Kind.CHOICE: "text",
    Kind.FLAG: "true or false",
    Kind.INTEGER: "integer",
    Kind.NUMBER: "number",
}


def page() -> str:
    """Returns the page."""
    return "\n".join([_TOP, *_sections()])


def meaning_of(setting: Setting) -> str:
    """Returns what the docstring of the field of a setting says, on one line."""
    table = setting.key.rpartition(".")[0]
    kinds: Mapping[str, type] = {"tls": TlsPaths, "log": LogSettings, CONFIG: Config, TUNING: Tuning}
    if setting.key in _MEANINGS:
        return _MEANINGS[setting.key]
    name = _FIELD_OF_KEY.get(setting.key, setting.name)
    return docstrings(kinds.get(table, ServeSettings))[name]


@cache
def docstrings(kind: type) -> Mapping[str, str]:
    """Returns what stands below each field of a class, on one line."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, meaning in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(meaning, ast.Expr):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = " ".join(str(ast.literal_eval(meaning.value)).split())
    return {each.name: found.get(each.name, "") for each in fields(kind)}


def _sections() -> Iterator[str]:
    for table, (title, text) in _SECTIONS.items():
        is_of_fields = table in (CONFIG, TUNING)
        names = ("setting", "type", "default", "range") + (
            ("unit",) if is_of_fields else ("flag", "variable")
        )
        heads = (*names, "reload", "meaning")
        yield f"## {title}\n\n{text}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}"
        for key, setting in SETTINGS.items():
            if key.rpartition(".")[0] == table:
                yield f"| {' | '.join(_cells(setting, is_of_fields))} |"
        yield ""


def _cells(setting: Setting, is_of_fields: bool) -> Iterator[str]:
    yield f"`{setting.name}`"
    yield _KINDS[setting.kind]
    yield _default(setting)
    yield _range(setting)
    if is_of_fields:
        yield unit_of(setting.name)
    else:
        assert not setting.flag.startswith(SET)
        yield f"`{setting.flag}`"
        yield f"`{setting.variable}`"
    yield "**yes**" if setting.is_reloadable else "no"
    absent = "none" if setting.kind is Kind.ADDRESS_OR_NONE else "absent"
    yield meaning_of(setting).replace("None:", f"{absent}:").replace("|", "\\|")


def _default(setting: Setting) -> str:
    if isinstance(setting.default, int | float) and not isinstance(setting.default, bool):
        return f"{setting.default:,}"
    text = value_text(setting, setting.default)
    return text if text == "-" else f"`{text}`"


def _range(setting: Setting) -> str:
    if isinstance(setting.allowed, tuple):
        return ", ".join(setting.allowed)
    return str(setting.allowed) if isinstance(setting.allowed, Range) else ""


if __name__ == "__main__":
    print(page(), end="")
