"""No token makes the server fail, and only what an issuer signed is accepted."""

import json
from dataclasses import dataclass

import jwt
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


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": True},
        {"b64": False},
        {"kid": 1},
        {"x": [1] * 64},
        {"x": dict.fromkeys(map(str, range(64)))},
    ],
)
def test_headers_that_demand_too_much(header: dict[str, object], trust: Trust) -> None:
    assert trust.accepts(trust.key.token(claims(), x=[1] * 50, b64=True))
    assert not trust.accepts(signed_by(trust.key, header))


def signed_by(key: Signer, changes: dict[str, object]) -> str:
    """Returns a token with a header that PyJWT itself refuses to write."""
    parts = raw_token({"alg": key.algorithm, **changes}, claims()).rpartition(".")[0]
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    signature = algorithm.sign(parts.encode(), key.key)
    return f"{parts}.{jwt.utils.base64url_encode(signature).decode()}"


def test_a_header_that_pyjwt_does_not_write_is_signed_well(trust: Trust) -> None:
    assert trust.accepts(signed_by(trust.key, {"typ": "at+jwt", "x5c": ["MIIB" * 800]}))


@pytest.mark.parametrize("padding", ["=", "==", "!", "\n", "A"])
def test_another_spelling_of_a_token(padding: str, trust: Trust) -> None:
    token = trust.key.token(claims())
    assert not trust.accepts(token + padding)
    assert not trust.accepts(token.replace(".", padding + ".", 1))
