"""Which keys a key file may have."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pegcount.auth import TokenFileError
from pegcount.auth.token_keys import KeyFile, KeySet
from token_issuer import SECRET, Signer, signer

RSA, EC, ED = (signer(algorithm, "k") for algorithm in ("RS256", "ES256", "EdDSA"))
PATH = Path("keys.json")
KEY_SET, SECRET_FILE = KeyFile(PATH, is_secret=False), KeyFile(PATH, is_secret=True)


def document(*members: object) -> bytes:
    return json.dumps({"keys": members}).encode()


def test_the_algorithm_follows_from_the_kind_of_key() -> None:
    found = KEY_SET.parse(
        document(RSA.jwk(kid="r"), EC.jwk(kid="e", alg="ES256"), ED.jwk(kid="d", use="sig"))
    ).keys
    assert [(key.id, key.algorithm) for key in found] == [("r", "RS256"), ("e", "ES256"), ("d", "EdDSA")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"alg": "RS512"}, "'RS512' is not supported; the algorithms are RS256, ES256, EdDSA"),
        ({"alg": "HS256"}, "'HS256' is not supported"),
        ({"alg": "none"}, "'none' is not supported"),
        ({"alg": "ES256"}, "'ES256' is not supported"),
        ({"kty": "EC", "crv": "P-521"}, "'P-521' is not supported"),
        ({"kty": ["RSA"]}, "\"['RSA']\" is not supported"),
    ],
)
def test_keys_of_other_algorithms_are_left_out(changes: dict[str, object], reason: str) -> None:
    found = KEY_SET.parse(document(EC.jwk(), RSA.jwk(kid="other", **changes)))
    assert [key.id for key in found.keys] == ["k"]
    assert only(found.faults).startswith(f"keys.json: key 2: {reason}")


@pytest.mark.parametrize("changes", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": "verify"}])
def test_keys_of_other_purposes_are_no_fault(changes: dict[str, object]) -> None:
    found = KEY_SET.parse(document(EC.jwk(), RSA.jwk(alg="RSA-OAEP", **changes)))
    assert [key.id for key in found.keys] == ["k"]
    assert found.unused == ("keys.json: key 2: it is not for signatures",)
    assert not found.faults


def only(texts: Sequence[str]) -> str:
    (text,) = texts
    return text


@pytest.mark.parametrize(
    ("member", "text"),
    [
        (1, "not an object"),
        ({"kty": "oct", "k": "AAAA"}, "a secret; set hs256_secret_file"),
        (RSA.private_jwk(), "a private key"),
        (RSA.jwk(kid=1), '"kid" is not a text'),
        (RSA.jwk(n=1), "not a valid key of RS256"),
        (EC.jwk(x="AAAA"), "not a valid key of ES256"),
        (ED.jwk(x=""), "not a valid key of EdDSA"),
        (RSA.jwk(kid=None), 'one of several keys, and has no "kid"'),
    ],
)
def test_bad_keys_leave_the_others_in_use(member: object, text: str) -> None:
    found = KEY_SET.parse(document(EC.jwk(), member, ED.jwk(kid="d")))
    assert [key.id for key in found.keys] == ["k", "d"]
    assert only(found.faults).startswith(f"keys.json: key 2: {text}")


def test_keys_of_one_name_are_all_left_out() -> None:
    found = KEY_SET.parse(document(RSA.jwk(), EC.jwk(), ED.jwk(kid="d")))
    assert [key.id for key in found.keys] == ["d"]
    assert found.faults == tuple(
        f"keys.json: key {number}: further keys have the \"kid\" 'k'" for number in (1, 2)
    )


def test_an_empty_key_set() -> None:
    assert KEY_SET.parse(document()) == KeySet(())


def test_the_longest_key_set() -> None:
    keys = [EC.jwk(kid=str(number)) for number in range(101)]
    assert len(KEY_SET.parse(document(*keys[:100])).keys) == 100
    with pytest.raises(TokenFileError, match=r"^keys\.json: 101 keys; a key set may have 100$"):
        KEY_SET.parse(document(*keys))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "keys.json: not JSON"),
        (b"\xff", "keys.json: not JSON"),
        (b"[" * 100_000, "keys.json: not JSON"),
        (b"[]", "keys.json: not a JSON web key set"),
        (b'{"keys": {}}', "keys.json: not a JSON web key set"),
    ],
)
def test_key_sets_that_are_refused(content: bytes, text: str) -> None:
    with pytest.raises(TokenFileError) as caught:
        KEY_SET.parse(content)
    assert str(caught.value).startswith(text)


def test_short_rsa_keys_are_left_out() -> None:
    short = Signer("RS256", rsa.generate_private_key(65_537, 1_024), "k")
    found = KEY_SET.parse(document(short.jwk()))
    assert not found.keys
    assert only(found.faults) == "keys.json: key 1: RSA of 1024 bits; 2048 or more are safe"


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_secret_without_its_line_end(end: bytes) -> None:
    (key,) = SECRET_FILE.parse(SECRET + end).keys
    assert key.material == SECRET


@pytest.mark.parametrize("end", [b"\n\n", b" ", b"\n "])
def test_other_characters_belong_to_a_secret(end: bytes) -> None:
    (key,) = SECRET_FILE.parse(SECRET + end).keys
    assert len(key.material) > len(SECRET)


@pytest.mark.parametrize("length", [0, 1, 31])
def test_short_secrets_are_refused(length: int) -> None:
    with pytest.raises(TokenFileError, match=f"the secret has {length} bytes, HS256 needs 32 or more"):
        SECRET_FILE.parse(b"s" * length + b"\n")


def test_a_public_key_is_not_a_secret() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    text = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(TokenFileError, match="a public key or a certificate, not a secret"):
        SECRET_FILE.parse(text)
