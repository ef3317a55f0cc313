"""Why a token is refused: the log tells the operator, without the token and the values of its claims."""

import logging
from pathlib import Path
from typing import Any

import pytest
from pegcount.auth import TokenRefusal, Tokens, read_token_config
from pegcount.config import Config
from pegcount.errors import CredentialRefusedError
from pegcount.server.authentication import Authentication
from token_issuer import AUDIENCE, ISSUER, NOW_S, claims, signer, write_secret

NOW_US = NOW_S * 1_000_000
KEY = signer("HS256")
ISSUED = f"""[[issuer]]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
hs256_secret_file = "secret"
default_scopes = "read_reports"
[issuer.data_scope_claims]
account_id = "accounts"
tenant_id = "tenant"
"""


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    write_secret(tmp_path / "secret", KEY.key)
    path = tmp_path / "tokens.toml"
    path.touch(mode=0o644)
    path.write_text(ISSUED, encoding="utf-8")
    return Tokens(read_token_config(path), Config())


def reason(tokens: Tokens, token: str) -> str:
    found = tokens.check(token, NOW_US)
    assert isinstance(found, TokenRefusal)
    return found.reason


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aud": None}, 'the claim "aud" is missing'),
        ({"aud": 4711}, 'the claim "aud" is not a text or a list of texts'),
        ({"aud": "elsewhere-4711"}, 'the claim "aud" names none of the configured audiences'),
        ({"exp": None}, 'the claim "exp" is missing'),
        ({"exp": "4711"}, 'the claim "exp" is not a number of seconds since 1970'),
        ({"exp": NOW_S - 4711}, "it has expired: "),
        ({"nbf": NOW_S + 4711}, "it is not accepted yet: "),
        ({"sub": "4711\n"}, 'the claim "sub" is not a printable text of 1 to 256 characters'),
        ({"scope": 4711}, 'the claim "scope" is not a text or a list of texts'),
        ({"accounts": None}, 'the claim "accounts" is missing'),
        ({"accounts": []}, 'the claim "accounts" is not one or several values of account_id'),
        ({"tenant": "4711"}, 'the claim "tenant" is not one or several values of tenant_id'),
        ({"iss": "other-4711"}, 'the claim "iss" does not name the issuer'),
    ],
)
def test_a_reason_names_the_claim_and_no_value(
    changes: dict[str, Any], expected: str, tokens: Tokens
) -> None:
    token = KEY.token(claims(**{"accounts": "1001", "tenant": 7, **changes}))
    for _ in ("verified", "remembered"):
        found = reason(tokens, token)
        assert found.startswith(expected)
        assert "4711" not in found


def test_other_reasons(tokens: Tokens) -> None:
    assert reason(tokens, "a.b.c").startswith("it is not a signed token")
    assert reason(tokens, signer("HS256", generation=1).token(claims())).startswith("no key of a configured")
    assert reason(tokens, "a" * 100_000).startswith("it is longer than ")


def test_the_log_has_a_line_for_each_reason_and_minute(
    tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    unknown: Any = type("NoKeys", (dict,), {"caller_of_key": lambda *_: None})()
    authentication = Authentication(unknown, lambda: NOW_US, tokens)
    for sent in ("Bearer a.b.c", "Bearer d.e.f", "Basic a.b.c"):
        with pytest.raises(CredentialRefusedError):
            authentication.caller([("authorization", sent)])
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert caplog.messages == [
        "a token was refused: it is not a signed token, or asks for what the server does not know",
        "a token was refused: it does not stand after the word Bearer",
    ]
