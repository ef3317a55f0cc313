"""The files that settings name: all that cannot be used are named before the server starts."""

from pathlib import Path

import pytest
from pegcount.settings import SettingsError, Sources, load

from settings_tests.sources import loaded, written

PATHS = """\
data = "data"
token_config = "tokens.toml"
[tls]
certificate = "c.pem"
key = "k.pem"
client_authorities = "a.pem"
require_client_certificate = true
[log]
file = "logs/log"
"""


def problems(sources: Sources) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load(sources, looks_for_files=True)
    return [str(each) for each in raised.value.problems]


def test_all_files_that_are_missing_are_named_with_what_else_is_wrong(tmp_path: Path) -> None:
    file = written(tmp_path, f"{PATHS}[config]\nworker_count = 0\n")
    missing = "No such file or directory"
    assert problems(Sources(file, {}, {"no_auth": True})) == [
        f"{file}:11: config.worker_count: 0 cannot be used; allowed: an integer from 1 to 256",
        "--no-auth lets everybody in, whatever token_config says: leave one out",
        f"{file}:2: token_config: cannot read {tmp_path / 'tokens.toml'}: {missing}",
        f"{file}:4: tls.certificate: cannot read {tmp_path / 'c.pem'}: {missing}",
        f"{file}:5: tls.key: cannot read {tmp_path / 'k.pem'}: {missing}",
        f"{file}:6: tls.client_authorities: cannot read {tmp_path / 'a.pem'}: {missing}",
        f"{file}:9: log.file: cannot write to {tmp_path / 'logs' / 'log'}: its directory is missing",
    ]


def test_files_that_are_there_are_no_problem(tmp_path: Path) -> None:
    file = written(tmp_path, PATHS)
    loaded(file)  # as `config show` does it, without a look
    for name in ("tokens.toml", "c.pem", "k.pem", "a.pem"):
        (tmp_path / name).touch()
    (tmp_path / "logs").mkdir()
    load(Sources(file), looks_for_files=True)
    (tmp_path / "logs" / "log").touch()
    load(Sources(file), looks_for_files=True)
    load(Sources(options={"log_file": "/dev/null"}), looks_for_files=True)


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    found = problems(Sources(None, {"PEGCOUNT_TOKEN_CONFIG": str(tmp_path)}, {"log_file": str(tmp_path)}))
    assert found == [
        f"PEGCOUNT_TOKEN_CONFIG: cannot read {tmp_path}: Is a directory",
        f"--log-file: cannot write to {tmp_path}: Is a directory",
    ]


def test_a_path_that_cannot_be_one(tmp_path: Path) -> None:
    file = written(tmp_path, 'token_config = "a\\u0000b"\n')
    (problem,) = problems(Sources(file))
    assert "allowed: a text without the character NUL" in problem


def test_what_this_user_may_not_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests: the administrator may use everything."""
    tokens = tmp_path / "tokens.toml"
    tokens.touch()
    monkeypatch.setattr("os.access", lambda *_: False)
    options = {"token_config": str(tokens), "log_file": str(tmp_path / "log")}
    assert problems(Sources(options=options)) == [
        f"--token-config: cannot read {tokens}: Permission denied",
        f"--log-file: cannot write to {tmp_path / 'log'}: its directory does not let this user make files",
    ]
    (tmp_path / "log").touch()
    assert problems(Sources(options=options))[-1] == (
        f"--log-file: cannot write to {tmp_path / 'log'}: Permission denied"
    )
