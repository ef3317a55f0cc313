"""What a token configuration may say, and what it is told otherwise."""

import os
from pathlib import Path

import pytest
from pegcount.auth import Scope, TokenFileError, read_token_config
from token_issuer import SECRET, signer, token_config

GOOD = {
    "issuer": '"https://id.example.com"',
    "audience": '"pegcount"',
    "jwks_file": '"keys.json"',
    "default_scopes": '["read_reports"]',
}


def read(directory: Path, text: str) -> None:
    path = directory / "tokens.toml"
    path.touch(mode=0o644)
    path.write_text(text, encoding="utf-8")
    read_token_config(path)


def table(**changes: str | None) -> str:
    """Returns a good table with changes; a key of None is left out."""
    lines = [f"{name} = {value}" for name, value in {**GOOD, **changes}.items() if value is not None]
    return "\n".join(["[[issuer]]", *lines, ""])


def test_defaults_and_names_relative_to_the_file(tmp_path: Path) -> None:
    (issuer,) = token_config(tmp_path, signer("HS256")).issuers
    assert issuer.key_file.path == tmp_path / "secret"
    assert (issuer.leeway_seconds, issuer.lifetime_seconds_max) == (10, None)
    assert (issuer.subject_claim, issuer.scope_claim) == ("sub", "scope")
    assert issuer.default_scopes == frozenset()
    assert issuer.scopes["everything"] == {Scope.READ_REPORTS, Scope.WRITE_RECORDS, Scope.ADMIN}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"issuer": None}, 'issuer 1: "issuer" is missing'),
        ({"issuer": '""'}, 'issuer 1: "issuer" is empty'),
        ({"issuer": '"a b"'}, 'issuer 1: "issuer" must be without spaces'),
        ({"issuer": "1"}, 'issuer 1: "issuer" must be a text'),
        ({"audience": None}, 'issuer 1: "audience" is missing'),
        ({"audience": "[]"}, 'issuer 1: "audience" is missing'),
        ({"audience": '["a", 1]'}, 'issuer 1: "audience" must be a list of texts'),
        ({"audiense": '"a"'}, "issuer 1: unknown key 'audiense'; did you mean \"audience\"?"),
        (
            {"x": '"a"'},
            "issuer 1: unknown key 'x'; the keys are leeway_seconds, scopes, default_scopes, issuer,",
        ),
        ({"jwks_file": None}, 'issuer 1: set one of "hs256_secret_file" and "jwks_file"'),
        ({"hs256_secret_file": '"secret"'}, 'issuer 1: set one of "hs256_secret_file" and "jwks_file"'),
        ({"leeway_seconds": "61"}, 'issuer 1: "leeway_seconds" must be an integer from 0 to 60'),
        ({"leeway_seconds": "-1"}, 'issuer 1: "leeway_seconds" must be an integer from 0 to 60'),
        ({"leeway_seconds": "1.5"}, 'issuer 1: "leeway_seconds" must be an integer from 0 to 60'),
        ({"leeway_seconds": "true"}, 'issuer 1: "leeway_seconds" must be an integer from 0 to 60'),
        ({"lifetime_seconds_max": "0"}, '"lifetime_seconds_max" must be an integer from 1 to 31622400'),
        ({"accept_absent_iss": '"yes"'}, 'issuer 1: "accept_absent_iss" must be true or false'),
        ({"default_scopes": None}, "issuer 1: its tokens would allow nothing"),
        (
            {"default_scopes": '["read_report"]'},
            "\"default_scopes\": unknown scope 'read_report'; the scopes are read_reports, write_records,"
            ' admin, root; did you mean "read_reports"?',
        ),
        ({"scopes": '{ "reports:read" = "all" }'}, "issuer 1, scopes: \"reports:read\": unknown scope 'all'"),
        ({"scopes": '"read_reports"'}, 'issuer 1: "scopes" must be a table'),
    ],
)
def test_a_wrong_table_names_its_place(changes: dict[str, str | None], text: str, tmp_path: Path) -> None:
    with pytest.raises(TokenFileError) as caught:
        read(tmp_path, table(**changes))
    assert str(caught.value).startswith(f"{tmp_path}/tokens.toml: issuer 1")
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "names no issuer; begin with a line [[issuer]]"),
        ("issuer = 1", '"issuer" must be an array of tables; write [[issuer]]'),
        ("issuer = [1]", '"issuer" must be an array of tables; write [[issuer]]'),
        ("[[issuers]]", "unknown key 'issuers'; did you mean \"issuer\"?"),
        ("[[issuer", "not TOML: "),
        (table() + table(), "two tables have the issuer 'https://id.example.com'"),
        (
            table(accept_absent_iss="true") + table(accept_absent_iss="true", issuer='"b"'),
            "\"accept_absent_iss\" holds for 'https://id.example.com' already",
        ),
    ],
)
def test_a_wrong_file_is_refused(text: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(TokenFileError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/tokens.toml: {error}")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    with pytest.raises(TokenFileError, match="No such file or directory"):
        read_token_config(path)
    with pytest.raises(TokenFileError, match="Is a directory"):
        read_token_config(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TokenFileError, match="not a regular file"):
        read_token_config(tmp_path / "pipe")
    path.write_bytes(b"\xff")
    with pytest.raises(TokenFileError, match="not TOML"):
        read_token_config(path)
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(TokenFileError, match="more than 1048576 bytes"):
        read_token_config(path)


@pytest.mark.parametrize(
    ("mode", "who"), [(0o666, "all users"), (0o646, "all users"), (0o664, "its group"), (0o660, "its group")]
)
def test_a_configuration_that_others_may_write(mode: int, who: str, tmp_path: Path) -> None:
    token_config(tmp_path, signer("HS256"))
    path = tmp_path / "tokens.toml"
    path.chmod(mode)
    with pytest.raises(TokenFileError, match=f"{who} may write it; run chmod go-w {path}"):
        read_token_config(path)


def test_a_key_set_that_its_group_may_write(tmp_path: Path) -> None:
    (issuer,) = token_config(tmp_path, signer("ES256")).issuers
    path = tmp_path / "keys.json"
    path.chmod(0o664)
    with pytest.raises(TokenFileError, match=f"its group may write it; run chmod go-w {path}"):
        issuer.key_file.read()


def test_a_secret_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (issuer,) = token_config(tmp_path, signer("HS256")).issuers
    path, me = tmp_path / "secret", os.geteuid()
    if me == 0:
        os.chown(path, 65_534, -1)
    other = me + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(TokenFileError, match=f"it belongs to another user, .*; run chown {other} {path}"):
        issuer.key_file.read()


def test_a_secret_of_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a secret of root, which only root can make")
    (issuer,) = token_config(tmp_path, signer("HS256")).issuers
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    assert issuer.key_file.read() == SECRET
