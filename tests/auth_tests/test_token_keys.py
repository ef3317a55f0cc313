"""Which keys a key file may have."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pegcount.auth import TokenFileError
from pegcount.auth.token_keys import KeyFile
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
        ({"use": "enc"}, "it is not for signatures"),
        ({"key_ops": ["encrypt"]}, "it is not for signatures"),
        ({"key_ops": "verify"}, "it is not for signatures"),
        ({"alg": "RS512"}, "'RS512' is not supported; the algorithms are RS256, ES256, EdDSA"),
        ({"alg": "HS256"}, "'HS256' is not supported"),
        ({"alg": "none"}, "'none' is not supported"),
        ({"alg": "ES256"}, "'ES256' is not supported"),
        ({"kty": "EC", "crv": "P-521"}, "'P-521' is not supported"),
        ({"kty": ["RSA"]}, "\"['RSA']\" is not supported"),
    ],
)
def test_keys_that_verify_nothing_here_are_left_out(changes: dict[str, object], reason: str) -> None:
    unused = RSA.jwk(kid="unused", **changes)
    found = KEY_SET.parse(document(EC.jwk(), unused))
    assert [key.id for key in found.keys] == ["k"]
    assert found.unused[0].startswith("keys.json: key 2: ")
    assert reason in found.unused[0]
    with pytest.raises(TokenFileError, match=r"^keys\.json: key 1: "):
        KEY_SET.parse(document(unused))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "keys.json: not JSON"),
        (b"\xff", "keys.json: not JSON"),
        (b"[" * 100_000, "keys.json: not JSON"),
        (b"[]", "keys.json: not a JSON web key set"),
        (b'{"keys": {}}', "keys.json: not a JSON web key set"),
        (document(), "keys.json: the key set is empty"),
        (document(1), "keys.json: key 1: not an object"),
        (document({"kty": "oct", "k": "AAAA"}), "keys.json: key 1: a secret; set hs256_secret_file"),
        (document(RSA.private_jwk()), "keys.json: key 1: a private key"),
        (document(RSA.jwk(kid=1)), 'keys.json: key 1: "kid" is not a text'),
        (document(RSA.jwk(n=1)), "keys.json: key 1: not a valid key of RS256"),
        (document(EC.jwk(x="AAAA")), "keys.json: key 1: not a valid key of ES256"),
        (document(ED.jwk(x="")), "keys.json: key 1: not a valid key of EdDSA"),
        (document(RSA.jwk(), EC.jwk()), "keys.json: two keys have the \"kid\" 'k'"),
        (document(RSA.jwk(), EC.jwk(kid=None)), 'keys.json: one of several keys has no "kid"'),
    ],
)
def test_key_sets_that_are_refused(content: bytes, text: str) -> None:
    with pytest.raises(TokenFileError) as caught:
        KEY_SET.parse(content)
    assert str(caught.value).startswith(text)


def test_short_rsa_keys_are_refused() -> None:
    short = Signer("RS256", rsa.generate_private_key(65_537, 1_024), "k")
    with pytest.raises(TokenFileError, match="RSA of 1024 bits; 2048 or more are safe"):
        KEY_SET.parse(document(short.jwk()))


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
