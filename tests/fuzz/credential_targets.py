"""Targets for tokens, keys and the files that say whose tokens count."""

import base64
import hmac
import tempfile
from collections.abc import Callable
from pathlib import Path

from pegcount.auth import Caller, TokenFileError, Tokens, read_token_config
from pegcount.auth.token_keys import KeyFile
from pegcount.config import Config
from security.token_attacks import SECRET, trusted_issuers
from token_issuer import NOW_S

from fuzz.refusals import may_refuse

_TEXT_CHARS_MAX = 10_000
_NOW_US = NOW_S * 1_000_000


def token_target() -> Callable[[bytes], None]:
    """Reads any text as a token, and any header and claims, a line each, with their signature."""
    tokens = Tokens(trusted_issuers(Path(tempfile.mkdtemp())), Config())

    def check(data: bytes) -> None:
        header, separator, payload = data.partition(b"\n")
        caller = tokens.caller_of_token(_signed(header, payload) if separator else data, _NOW_US)
        assert caller is None or isinstance(caller, Caller)
        if caller is not None:
            assert separator, "a token without a signature is accepted"

    return check


def token_config_target() -> Callable[[bytes], None]:
    """Reads any bytes as a token configuration, and the key files that it names."""
    directory = Path(tempfile.mkdtemp())
    trusted_issuers(directory)
    path = directory / "fuzzed.toml"
    path.touch(mode=0o600)

    def check(data: bytes) -> None:
        path.write_bytes(data)
        with may_refuse(TokenFileError):
            Tokens(read_token_config(path), Config())

    return check


def key_set_target() -> Callable[[bytes], None]:
    """Reads any bytes as a JSON web key set."""
    file = KeyFile(Path("keys.json"), is_secret=False)

    def check(data: bytes) -> None:
        with may_refuse(TokenFileError):
            keys = file.parse(data)
            assert all(len(fault) <= _TEXT_CHARS_MAX for fault in (*keys.faults, *keys.unused))

    return check


def _signed(header: bytes, payload: bytes) -> str:
    parts = b".".join(map(_base64, (header, payload)))
    return (parts + b"." + _base64(hmac.digest(SECRET.key, parts, "sha256"))).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
