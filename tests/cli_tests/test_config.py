"""`pegcount config`, and what `pegcount serve` says about wrong settings."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from pegcount.settings import SETTINGS, Sources, load

from cli_tests.report_tests.running import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SETTINGS.values():
        monkeypatch.delenv(setting.variable, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pegcount.toml"
    path.write_text('data = "data"\n\n[config]\nquery_seconds_max = 5\n')
    return path


def test_show_names_the_origin_of_each_value(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("PEGCOUNT_NO_ADMIN", "yes")
    monkeypatch.setenv("PEGCOUNT_TUNING_ROW_COST_NS", "50")
    arguments = ("--config", str(file), "--changed", "--set", "worker_count=3", "--log-level", "debug")
    assert run(monkeypatch, "config", "show", *arguments) == 0
    rows = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        ["setting", "value", "origin"],
        ["store", f'"{file.parent / "data"}"', f"file {file}:1"],
        ["no_admin", "true", "environment PEGCOUNT_NO_ADMIN"],
        ["log.level", '"debug"', "flag --log-level"],
        ["config.query_seconds_max", "5.0", f"file {file}:4"],
        ["config.worker_count", "3", "flag --set worker_count"],
        ["tuning.row_cost_ns", "50", "environment PEGCOUNT_TUNING_ROW_COST_NS"],
    ]


def test_show_has_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert run(monkeypatch, "config", "show") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["setting", *SETTINGS]
    assert {row[-1] for row in rows[1:]} == {"default"}


def test_the_variable_of_the_file_counts(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("PEGCOUNT_CONFIG", str(file))
    assert run(monkeypatch, "config", "show", "--format", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == list(SETTINGS)
    assert shown["config.query_seconds_max"] == {"value": 5.0, "source": "file", "place": f"{file}:4"}
    assert shown["admin_listen"] == {"value": None, "source": "default", "place": None}


def test_what_show_writes_as_toml_can_be_loaded(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    text = 'data = "a \\"b\\" \\u007f ü"\nmetrics_listen = "none"\naccept_loss_of = ["a", "b"]\n'
    file.write_text(text, encoding="utf-8")
    assert run(monkeypatch, "config", "show", "--config", str(file), "--format", "toml") == 0
    written = tmp_path / "written.toml"
    written.write_text(capsys.readouterr().out, encoding="utf-8")
    tomllib.loads(written.read_text(encoding="utf-8"))
    assert load(Sources(written)).values == load(Sources(file)).values


def test_check_says_what_is_wrong_and_what_has_no_effect(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("PEGCOUNT_CONFIG_WORKER_COUNT", "0")  # it checks the file alone
    assert run(monkeypatch, "config", "check", str(file)) == 0
    assert capsys.readouterr() == (f"{file}: can be used\n", "")
    file.write_text("[config]\nretry_count_max = 3\n")
    assert run(monkeypatch, "config", "check", str(file)) == 0
    warning = f"warning: {file}:2: config.retry_count_max has no effect on a server: other commands read it\n"
    assert capsys.readouterr().err == warning
    file.write_text("[config]\nworker_count = 0\nworker_cont = 1\n")
    assert run(monkeypatch, "config", "check", str(file)) == 2
    assert capsys.readouterr().err == (
        "pegcount: 2 problems with the settings:\n"
        f"  {file}:2: config.worker_count: 0 cannot be used; allowed: an integer from 1 to 256\n"
        f"  {file}:3: 'config.worker_cont': there is no such setting; did you mean \"config.worker_count\"?\n"
    )
    file.write_text('token_config = "missing.toml"\n')
    assert run(monkeypatch, "config", "check", str(file)) == 2
    assert f"{file}:1: token_config: cannot read {file.parent / 'missing.toml'}: No such" in (
        capsys.readouterr().err
    )
    assert run(monkeypatch, "config", "check", "missing.toml") == 2
    assert capsys.readouterr().err == "pegcount: cannot read missing.toml: No such file or directory\n"


def test_check_reads_the_files_that_settings_name(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    tokens, certificate = file.parent / "tokens.toml", file.parent / "c.pem"
    tokens.write_text("[[isuer]]\n")
    certificate.touch()
    file.write_text('token_config = "tokens.toml"\n[tls]\ncertificate = "c.pem"\nkey = "c.pem"\n')
    assert run(monkeypatch, "config", "check", str(file)) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"pegcount: 2 problems with the settings:\n  {certificate} has no")
    assert f"  {tokens}: unknown key 'isuer'" in error


def test_check_and_show_name_a_variable_that_no_setting_has(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("PEGCOUNT_LISTN", "127.0.0.1:1")
    for arguments in (("check", str(file)), ("show", "--config", str(file))):
        assert run(monkeypatch, "config", *arguments) == 0
        text = 'has no effect, as no setting has this variable; did you mean "PEGCOUNT_LISTEN"?\n'
        assert capsys.readouterr().err == f"warning: PEGCOUNT_LISTN: {text}"


def test_show_says_that_no_file_was_read_and_that_nothing_has_changed(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.delenv("PEGCOUNT_CONFIG", raising=False)
    assert run(monkeypatch, "config", "show", "--changed", "--format", "json") == 0
    no_file = "no file was read; give --config FILE\n"
    assert capsys.readouterr() == ("{}\n", f"{no_file}every setting has its default\n")
    assert run(monkeypatch, "config", "show", "--changed", "--log-level", "debug") == 0
    assert capsys.readouterr().err == no_file
    assert run(monkeypatch, "config", "show", "--config", str(file)) == 0
    assert capsys.readouterr().err == ""


def test_serve_refuses_wrong_settings_before_it_touches_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("PEGCOUNT_CONFIG_WORKER_CONT", "5")
    monkeypatch.setenv("PEGCOUNT_NO_AUTH", "perhaps")
    data = tmp_path / "data"
    status = run(monkeypatch, "serve", "--create", "--data", str(data), "--set", "query_seconds_max=0")
    assert status == 2
    error = capsys.readouterr().err
    assert error.startswith("pegcount: 3 problems with the settings:\n")
    for place in ("PEGCOUNT_CONFIG_WORKER_CONT", "PEGCOUNT_NO_AUTH", "--set query_seconds_max"):
        assert f"  {place}: " in error
    assert not data.exists()


def test_serve_needs_a_directory(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert run(monkeypatch, "serve") == 2
    assert "the data directory, or the URL of a cluster, is missing: give --store" in capsys.readouterr().err


def test_other_commands_do_not_look_at_settings_of_a_server(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("PEGCOUNT_CONFIG_WORKER_CONT", "5")
    assert run(monkeypatch, "--version") == 0
    assert "WORKER" not in capsys.readouterr().err


def test_each_option_has_a_setting(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for arguments in (("serve", "--help"), ("config", "show", "--help")):
        assert run(monkeypatch, *arguments) == 0
        text = capsys.readouterr().out
        for setting in SETTINGS.values():
            if setting.parameter:
                assert re.search(rf"{setting.flag}[ ,]", text)
                assert re.search(rf"env var: {setting.variable}[],]", text)
        assert "env var: PEGCOUNT_CONFIG]" in text
        assert "PEGCOUNT_SET" not in text
