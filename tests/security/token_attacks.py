"""Tokens that must be refused, of which each would get in at a server with a known mistake.

Most are those of RFC 8725 (JSON Web Token Best Current Practices) and of published advisories.
"""

import base64
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pegcount.auth import TokenConfig, read_token_config
from token_issuer import (
    AUDIENCE,
    ISSUER,
    NOW_S,
    claims,
    raw_token,
    signer,
    write_key_set,
    write_secret,
)

SECRET_ISSUER = "https://billing.example.com"
RSA, EC, ED = signer("RS256", "rsa-1"), signer("ES256", "ec-1"), signer("EdDSA", "ed-1")
SECRET = signer("HS256")
_HOST = "https://attacker.example.net"


@dataclass(frozen=True)
class TokenAttack:
    """A token that must be refused, and the mistake that it tries."""

    name: str
    token: str


def trusted_issuers(directory: Path) -> TokenConfig:
    """Returns the configuration of the server: an issuer with three public keys, and one with a secret."""
    write_key_set(directory / "keys.json", RSA, EC, ED)
    write_secret(directory / "secret", SECRET.key)
    path = directory / "tokens.toml"
    tables = [
        f'[[issuer]]\nissuer = "{name}"\naudience = "{AUDIENCE}"\n{key_file}\n'
        '[issuer.scopes]\n"reports:read" = "read_reports"\n'
        for name, key_file in (
            (ISSUER, 'jwks_file = "keys.json"'),
            (SECRET_ISSUER, 'hs256_secret_file = "secret"'),
        )
    ]
    path.write_text("\n".join(tables), encoding="utf-8")
    return read_token_config(path)


def good_tokens() -> Iterator[TokenAttack]:
    """Yields a token per key that must be accepted: without them, a server that refuses all would pass."""
    for key in (RSA, EC, ED):
        yield TokenAttack(f"(good token of {key.algorithm})", key.token(claims()))
    yield TokenAttack("(good token of HS256)", SECRET.token(claims(iss=SECRET_ISSUER)))
    header = {"alg": "RS256", "kid": RSA.kid}
    yield TokenAttack("(good token of RS256, by our own signing)", _rsa_token(header, claims()))
    token = _hmac_token({"alg": "HS256"}, claims(iss=SECRET_ISSUER), SECRET.key)
    yield TokenAttack("(good token of HS256, by our own signing)", token)


def token_attacks() -> Iterator[TokenAttack]:
    """Yields all attacks."""
    for attacks in (_algorithms, _keys, _headers, _signatures, _claims, _times, _shapes):
        for name, token in attacks():
            yield TokenAttack(name, token)


def _algorithms() -> Iterator[tuple[str, str]]:
    for name in ("none", "None", "NONE", "nOnE", ""):
        yield f'algorithm "{name}", no signature', raw_token({"alg": name, "kid": RSA.kid}, claims())
    yield "no algorithm", raw_token({"kid": RSA.kid}, claims())
    yield "algorithm in a list", raw_token({"alg": ["RS256"], "kid": RSA.kid}, claims())
    public = RSA.key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for form, secret in (
        ("PEM", pem),
        ("PEM without line end", pem.rstrip()),
        ("DER", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
        ("PKCS 1", public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)),
        ("JWK", json.dumps(RSA.jwk()).encode()),
    ):
        header = {"alg": "HS256", "kid": RSA.kid}
        yield f"public RSA key ({form}) as a secret of HS256", _hmac_token(header, claims(), secret)
    yield "RS256 key named by a token of ES256", EC.token(claims(), kid=RSA.kid)
    yield "algorithm RS256 over a signature of ES256", _replaced_header(EC.token(claims()), "RS256", RSA.kid)
    for name, digest in (("HS384", "sha384"), ("HS512", "sha512")):
        token = _hmac_token({"alg": name}, claims(iss=SECRET_ISSUER), SECRET.key, digest)
        yield f"{name} with the secret of HS256", token


def _keys() -> Iterator[tuple[str, str]]:
    yield "another RSA key of the same name", signer("RS256", "rsa-1", 1).token(claims())
    yield "another EC key of the same name", signer("ES256", "ec-1", 1).token(claims())
    yield "another secret", signer("HS256", generation=1).token(claims(iss=SECRET_ISSUER))
    yield "key of an unknown name", signer("RS256", "rsa-2", 1).token(claims())
    yield "no key named, several exist", RSA.token(claims(), kid=None)
    yield "secret of one issuer for another", SECRET.token(claims())
    yield "key of one issuer for another", RSA.token(claims(iss=SECRET_ISSUER))
    for name, kid, secret in (
        ("a path to an empty file", "../../../../dev/null", b""),
        ("a path to a public file", "/etc/hostname", b"localhost\n"),
        ("SQL that returns a secret", "x' UNION SELECT 'secret' -- ", b"secret"),
        ("a command", "|echo secret", b"secret\n"),
        ("a null byte", "rsa-1\0", b""),
    ):
        token = _hmac_token({"alg": "HS256", "kid": kid}, claims(), secret)
        yield f"kid is {name}", token
    for wrong in (["rsa-1"], {"kid": "rsa-1"}, 1, True):
        token = _replaced_header(RSA.token(claims()), "RS256", wrong)
        yield f"kid is {json.dumps(wrong)}", token


def _headers() -> Iterator[tuple[str, str]]:
    own = signer("RS256", "own")
    yield "key in the header (jwk)", own.token(claims(), jwk=own.jwk())
    yield "key in the header (jwk) under a trusted name", own.token(claims(), jwk=own.jwk(), kid="rsa-1")
    yield "address of keys in the header (jku)", own.token(claims(), jku=f"{_HOST}/keys.json")
    yield "address of a certificate in the header (x5u)", own.token(claims(), x5u=f"{_HOST}/cert.pem")
    yield "certificate in the header (x5c)", own.token(claims(), x5c=["MIIB"])
    for name, crit in (
        ("unknown", ["exp"]),
        ("unknown", ["http://example.com/unknown"]),
        ("empty", []),
        ("of a wrong type", "exp"),
    ):
        parts = {"alg": "RS256", "kid": RSA.kid, "crit": crit, "http://example.com/unknown": True}
        yield f"crit {name}: {json.dumps(crit)}", _rsa_token(parts, claims())
    detached = {"alg": "RS256", "kid": RSA.kid, "b64": False, "crit": ["b64"]}
    yield "payload that is not encoded (b64)", _rsa_token(detached, claims())


def _signatures() -> Iterator[tuple[str, str]]:
    token = RSA.token(claims())
    body, _, signature = token.rpartition(".")
    yield "signature stripped", f"{body}."
    yield "signature and its dot stripped", body
    yield "signature cut", token[:-8]
    yield "signature changed", f"{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    header, _, _ = token.split(".")
    payload = _part(claims(sub="root"))
    yield "claims changed after signing", f"{header}.{payload}.{signature}"
    ec_body = EC.token(claims()).rpartition(".")[0]
    yield "signature of ES256 with r = s = 0", f"{ec_body}.{_encoded(bytes(64))}"
    ed_body = ED.token(claims()).rpartition(".")[0]
    yield "signature of EdDSA that is all zeros", f"{ed_body}.{_encoded(bytes(64))}"
    yield "signature of the same token by another key", f"{body}.{EC.token(claims()).rpartition('.')[2]}"


def _claims() -> Iterator[tuple[str, str]]:
    for name, changes in (
        ("audience of another server", {"aud": "another"}),
        ("audiences of other servers", {"aud": ["another", f"{AUDIENCE}2"]}),
        ("no audience", {"aud": None}),
        ("audience in an object", {"aud": {AUDIENCE: True}}),
        ("unknown issuer", {"iss": "https://id.example.org"}),
        ("issuer with a slash more", {"iss": f"{ISSUER}/"}),
        ("issuer in a list", {"iss": [ISSUER]}),
        ("no issuer", {"iss": None}),
        ("no subject", {"sub": None}),
        ("empty subject", {"sub": ""}),
        ("subject with a line end, for the log", {"sub": "alice\n2026-03-30 ERROR"}),
        ("subject of 1,000 characters", {"sub": "a" * 1_000}),
        ("scope in an object", {"scope": {"reports:read": True}}),
    ):
        yield name, RSA.token(claims(**changes))
    yield "claims that are a list", RSA.token([claims()])
    yield "claims nested 5,000 deep", RSA.token(b"[" * 5_000)


def _times() -> Iterator[tuple[str, str]]:
    for name, changes in (
        ("expired a second ago, after the leeway", {"exp": NOW_S - 11}),
        ("expired at the end of the leeway", {"exp": NOW_S - 10}),
        ("expired in 1970", {"exp": 0}),
        ("no time of expiry", {"exp": None}),
        ("time of expiry as text", {"exp": str(NOW_S + 600)}),
        ("time of expiry in milliseconds", {"exp": (NOW_S + 600) * 1_000}),
        ("time of expiry is infinite", {"exp": float("inf")}),
        ("time of expiry is not a number", {"exp": float("nan")}),
        ("valid from in a minute (nbf)", {"nbf": NOW_S + 60}),
        ("valid from as text", {"nbf": str(NOW_S)}),
        ("issued in a minute (iat)", {"iat": NOW_S + 60}),
    ):
        yield name, RSA.token(claims(**changes))


def _shapes() -> Iterator[tuple[str, str]]:
    token = RSA.token(claims())
    header, payload, signature = token.split(".")
    yield "9 KiB", RSA.token(claims(more="a" * 6_700))
    yield "empty", ""
    yield "dots only", ".."
    yield "not base64", "!!!.???.***"
    yield "random base64", ".".join(["QUJD" * 20] * 3)
    yield "padded base64", f"{header}==.{payload}==.{signature}=="
    yield "spaces in base64", f"{header}.{payload} .{signature}"
    yield "four parts", f"{token}.{signature}"
    yield "five parts, as an encrypted token has", f"{header}.{payload}.{signature}.{payload}.{signature}"
    yield (
        "JSON form of a token",
        json.dumps({"protected": header, "payload": payload, "signature": signature}),
    )
    yield "token in quotes", f'"{token}"'


def _hmac_token(header: object, content: object, secret: bytes, digest: str = "sha256") -> str:
    body = f"{_part(header)}.{_part(content)}"
    return f"{body}.{_encoded(hmac.digest(secret, body.encode(), digest))}"


def _rsa_token(header: Mapping[str, object], content: object) -> str:
    """Returns a token with a header that libraries refuse to sign."""
    body = f"{_part(header)}.{_part(content)}"
    return f"{body}.{_encoded(RSA.key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _replaced_header(token: str, algorithm: str, kid: object) -> str:
    _, payload, signature = token.split(".")
    return f"{_part({'alg': algorithm, 'kid': kid})}.{payload}.{signature}"


def _part(content: object) -> str:
    return _encoded(json.dumps(content).encode())


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")
