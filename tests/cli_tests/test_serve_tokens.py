"""`pegcount serve --token-config`: what is wrong is said before the server starts."""

from pathlib import Path

import pytest
from token_issuer import signer, write_key_set, write_tokens_toml

from cli_tests.test_command_line import pegcount


def refusal(directory: Path, *options: str) -> str:
    """Starts a server that must refuse its options, and returns what it says."""
    data, tokens = directory / "data", directory / "tokens.toml"
    done = pegcount("serve", "--data", data, "--create", "--token-config", tokens, *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (directory / "data").exists()
    return done.stderr


def test_a_missing_configuration(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    assert refusal(tmp_path) == f"pegcount: --token-config: cannot read {path}: No such file or directory\n"


def test_a_wrong_key_of_the_configuration(tmp_path: Path) -> None:
    write_tokens_toml(tmp_path, signer("HS256"), more="leway_seconds = 5")
    assert "unknown key 'leway_seconds'; did you mean \"leeway_seconds\"?" in refusal(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_secret_that_others_may_read(mode: int, tmp_path: Path) -> None:
    write_tokens_toml(tmp_path, signer("HS256"))
    (tmp_path / "secret").chmod(mode)
    assert f"other users may read it; run chmod 600 {tmp_path}/secret" in refusal(tmp_path)


def test_a_key_set_without_a_key_that_can_be_used(tmp_path: Path) -> None:
    write_tokens_toml(tmp_path, signer("ES256"))
    write_key_set(tmp_path / "keys.json", signer("ES256").private_jwk())
    assert f"{tmp_path}/keys.json: key 1: a private key" in refusal(tmp_path)


def test_tokens_where_everybody_is_let_in(tmp_path: Path) -> None:
    write_tokens_toml(tmp_path, signer("HS256"))
    assert "--no-auth lets everybody in" in refusal(tmp_path, "--no-auth")
