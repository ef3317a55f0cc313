"""No token makes the server fail, and only what an issuer signed is accepted."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pegcount.auth import Tokens
from pegcount.config import Config
from token_issuer import ALGORITHMS, NOW_S, Signer, claims, raw_token, signer, token_config

NOW_US = NOW_S * 1_000_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HEADERS = st.dictionaries(
    st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5u", "zip", "enc"]),
    JSON | st.sampled_from(["none", "None", *ALGORITHMS, "HS512", "dir", "b64"]),
)
CLAIMS = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "scope"])


@dataclass(frozen=True)
class Trust:
    """A signer, and a server that trusts it."""

    key: Signer
    tokens: Tokens

    def accepts(self, token: str | bytes) -> bool:
        return self.tokens.caller_of_token(token, NOW_US) is not None


@pytest.fixture(scope="module", params=ALGORITHMS)
def trust(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trust:
    key = signer(request.param)
    return Trust(key, Tokens(token_config(tmp_path_factory.mktemp("tokens"), key), Config()))


@given(text=st.text() | st.binary())
def test_any_text(text: str | bytes, trust: Trust) -> None:
    assert not trust.accepts(text)


@given(header=HEADERS, payload=JSON, signature=st.binary(max_size=80))
def test_any_header(header: object, payload: object, signature: bytes, trust: Trust) -> None:
    assert not trust.accepts(raw_token(header, payload, signature))
    assert not trust.accepts(raw_token(header, claims(), signature))


@given(data=st.data())
def test_a_changed_token(data: st.DataObject, trust: Trust) -> None:
    token = trust.key.token(claims()).encode()
    start = data.draw(st.integers(0, len(token) - 1))
    length = data.draw(st.integers(0, 3))
    changed = token[:start] + data.draw(st.binary(max_size=3)) + token[start + length :]
    assert trust.accepts(changed) == (changed == token)


@given(changes=st.dictionaries(CLAIMS, JSON))
def test_any_claims_that_are_signed(changes: dict[str, object], trust: Trust) -> None:
    signed = {**claims(), **changes}
    kept = [signed[name] == claims()[name] for name in ("iss", "aud")]
    exp = signed["exp"]
    in_time = isinstance(exp, int | float) and exp > NOW_S - 10
    assert trust.accepts(trust.key.token(signed)) <= (all(kept) and in_time)


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 5_000,
        b'{"a":' * 1_000,
        b'{"exp": ' + b"9" * 5_000 + b"}",
        b'{"exp": 1e999}',
        b'{"iss": "\\ud800"}',
        json.dumps(claims(sub="\ud800")).encode(),
        json.dumps(claims(exp=10**300)).encode(),
        json.dumps(claims(sub=10**300)).encode(),
        b"\xff\xfe",
        b"",
        b"null",
    ],
)
def test_payloads_that_break_parsers(payload: bytes, trust: Trust) -> None:
    assert not trust.accepts(trust.key.token(payload))
