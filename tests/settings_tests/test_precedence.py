"""Which source of a setting counts, and that each source reaches every setting."""

from dataclasses import fields
from pathlib import Path

import pytest
from pegcount.config import Config, Tuning
from pegcount.settings import (
    RELOADABLE_FIELDS,
    SETTINGS,
    Kind,
    Setting,
    Sources,
    Value,
    load,
    settings_of,
    toml_value,
    values_of,
)
from pegcount.settings.ranges import Range

from settings_tests.sources import loaded, written


@pytest.mark.parametrize("count", range(4))
def test_a_flag_beats_the_environment_the_file_and_the_default(count: int, tmp_path: Path) -> None:
    """With `count` of the three sources, weakest first."""
    file = written(tmp_path, 'listen = "127.0.0.1:1"\n\n[config]\nquery_seconds_max = 1\n')
    environment = {"PEGCOUNT_LISTEN": "127.0.0.1:2", "PEGCOUNT_CONFIG_QUERY_SECONDS_MAX": "2"}
    found = loaded(
        file if count >= 1 else None,
        environment if count >= 2 else {},
        {"listen": "127.0.0.1:3"} if count >= 3 else {},
        ("query_seconds_max=3",) if count >= 3 else (),
    )
    listen = ["127.0.0.1:50051", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]
    assert found.values["listen"] == listen[count]
    assert found.values["config.query_seconds_max"] == [30.0, 1.0, 2.0, 3.0][count]
    places = [
        ("default", "default"),
        (f"file {file}:1", f"file {file}:4"),
        ("environment PEGCOUNT_LISTEN", "environment PEGCOUNT_CONFIG_QUERY_SECONDS_MAX"),
        ("flag --listen", "flag --set query_seconds_max"),
    ]
    assert str(found.origins["listen"]) == places[count][0]
    assert str(found.origins["config.query_seconds_max"]) == places[count][1]


def test_the_environment_names_the_file_and_the_command_line_another_one(tmp_path: Path) -> None:
    of_variable, of_flag = tmp_path / "variable.toml", tmp_path / "flag.toml"
    of_variable.write_text('listen = "127.0.0.1:1"\n')
    of_flag.write_text('listen = "127.0.0.1:2"\n')
    environment = {"PEGCOUNT_CONFIG": str(of_variable)}
    assert load(Sources(None, environment)).values["listen"] == "127.0.0.1:1"
    assert load(Sources(of_flag, environment)).values["listen"] == "127.0.0.1:2"


def test_every_field_is_a_setting() -> None:
    keys = {
        f"{table}.{field.name}"
        for table, kind in (("config", Config), ("tuning", Tuning))
        for field in fields(kind)
        if field.name != "tuning"
    }
    assert len(keys) > 150
    assert keys == {key for key in SETTINGS if key.startswith(("config.", "tuning."))}
    assert {f"config.{name}" for name in RELOADABLE_FIELDS} < keys


def other_value(setting: Setting) -> Value:
    """A value that is allowed and not the default, and that contradicts no default."""
    if setting.kind is Kind.FLAG:
        return not setting.default
    if isinstance(setting.allowed, tuple):
        return next(each for each in setting.allowed if each != setting.default)
    if isinstance(setting.allowed, Range):
        assert isinstance(setting.default, int | float)
        is_greater = setting.allowed.has(setting.default + 1)
        return setting.default + (1 if is_greater else -1)
    if setting.kind in (Kind.ADDRESS, Kind.ADDRESS_OR_NONE):
        return f"127.0.0.1:{7 + list(SETTINGS).index(setting.key)}"
    return ("one", "two") if setting.kind is Kind.TEXTS else "/other"


def text_of(setting: Setting, value: Value) -> str:
    """A value as the environment has it."""
    if setting.kind is Kind.FLAG:
        return "yes" if value is setting.flag_value else "no"
    return " ".join(value) if isinstance(value, tuple) else str(value)


PARTNERS: dict[str, dict[str, Value]] = {
    "tls.certificate": {"tls.key": "/key"},
    "tls.key": {"tls.certificate": "/certificate"},
    "tls.client_authorities": {
        "tls.certificate": "/certificate",
        "tls.key": "/key",
        "tls.require_client_certificate": True,
    },
    "tls.require_client_certificate": {
        "tls.certificate": "/certificate",
        "tls.key": "/key",
        "tls.client_authorities": "/authorities",
    },
}
"""What a setting needs beside it."""


@pytest.mark.parametrize("key", SETTINGS)
def test_each_source_reaches_each_setting(key: str, tmp_path: Path) -> None:
    setting, value = SETTINGS[key], other_value(SETTINGS[key])
    partners = PARTNERS.get(key, {})
    beside = {SETTINGS[name].variable: text_of(SETTINGS[name], each) for name, each in partners.items()}
    table = key.rpartition(".")[0]
    header = f"[{table}]\n" if table else ""
    file = written(tmp_path, f"{header}{setting.name} = {toml_value(value)}\n")
    assert loaded(file, beside).values[key] == value
    variables = {**beside, setting.variable: text_of(setting, value)}
    assert loaded(None, variables).values[key] == value
    text = text_of(setting, value)
    if setting.flag.startswith("--set "):
        assert (
            loaded(None, beside, {}, (f"{setting.flag.removeprefix('--set ')}={text}",)).values[key] == value
        )
    else:
        typed = True if setting.kind is Kind.FLAG else list(value) if isinstance(value, tuple) else text
        found = loaded(None, beside, {setting.parameter: typed})
        assert found.values[key] == value
        assert str(found.origins[key]) == f"flag {setting.flag}"


@pytest.mark.parametrize("key", SETTINGS)
def test_each_value_gets_into_the_settings_of_the_server(key: str) -> None:
    values = {**loaded().values, "store": "/data", key: other_value(SETTINGS[key])}
    assert values_of(settings_of(values)) == values


def test_each_option_of_its_own_is_known_by_one_name() -> None:
    parameters = [setting.parameter for setting in SETTINGS.values() if setting.parameter]
    variables = [setting.variable for setting in SETTINGS.values()]
    assert len(set(parameters)) == len(parameters) > 20
    assert len(set(variables)) == len(variables)


def test_the_older_option_of_a_field_counts_unless_the_field_is_given() -> None:
    key = "config.active_ttl_seconds"
    assert loaded(None, {"PEGCOUNT_ACTIVE_TTL": "5"}).values[key] == 5
    both = {"PEGCOUNT_ACTIVE_TTL": "5", "PEGCOUNT_CONFIG_ACTIVE_TTL_SECONDS": "6"}
    assert loaded(None, both).values[key] == 6
    assert loaded(None, both, {"active_ttl": "7"}).values[key] == 7


def test_paths_of_a_file_begin_at_its_directory(tmp_path: Path) -> None:
    text = 'store = "data"\nlisten = "unix:socket"\ntoken_config = "/etc/tokens"\n\n[log]\nfile = "log"\n'
    found = loaded(written(tmp_path, text)).values
    assert found["store"] == str(tmp_path / "data")
    assert found["listen"] == f"unix:{tmp_path / 'socket'}"
    assert found["token_config"] == "/etc/tokens"
    assert found["log.file"] == str(tmp_path / "log")
    assert loaded(None, {"PEGCOUNT_STORE": "data"}).values["store"] == "data"


def test_an_empty_variable_says_nothing() -> None:
    assert loaded(None, {"PEGCOUNT_ADMIN_LISTEN": "", "PEGCOUNT_CONFIG": ""}).values["admin_listen"] is None


def test_an_address_may_be_none(tmp_path: Path) -> None:
    assert loaded(written(tmp_path, 'metrics_listen = "none"\n')).values["metrics_listen"] is None
