"""Which tokens are accepted, what they allow, and how changed key files take effect."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from jwt.algorithms import Algorithm
from pegcount.auth import Caller, Scope, TokenFileError, Tokens, read_token_config
from pegcount.config import Config
from token_issuer import (
    ALGORITHMS,
    AUDIENCE,
    ISSUER,
    NOW_S,
    SECRET,
    Signer,
    claims,
    signer,
    token_config,
    write_key_set,
    write_secret,
)

NOW_US = NOW_S * 1_000_000
READ = frozenset({Scope.READ_REPORTS})


def tokens_of(directory: Path, *keys: Signer, more: str = "") -> Tokens:
    return Tokens(token_config(directory, *keys, more=more), Config())


def accepts(tokens: Tokens, token: str, now_s: float = NOW_S) -> bool:
    return tokens.caller_of_token(token, int(now_s * 1_000_000)) is not None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("encode", [str, str.encode], ids=["text", "bytes"])
def test_a_token_of_each_algorithm(
    algorithm: str, encode: Callable[[str], str | bytes], tmp_path: Path
) -> None:
    tokens = tokens_of(tmp_path, signer(algorithm, "2026-03"))
    token = encode(signer(algorithm, "2026-03").token(claims()))
    assert tokens.caller_of_token(token, NOW_US) == Caller(
        f"{ISSUER} alice", f"{ISSUER} alice", READ, NOW_US + 600_000_000
    )


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"iss": "https://other.example.com"}, False),
        ({"iss": ISSUER + "/"}, False),
        ({"iss": None}, False),
        ({"iss": [ISSUER]}, False),
        ({"aud": [AUDIENCE]}, True),
        ({"aud": ["another", AUDIENCE]}, True),
        ({"aud": "another"}, False),
        ({"aud": None}, False),
        ({"aud": []}, False),
        ({"aud": [AUDIENCE, 1]}, False),
        ({"aud": {AUDIENCE: 1}}, False),
        ({"sub": 17}, True),
        ({"sub": None}, False),
        ({"sub": ""}, False),
        ({"sub": True}, False),
        ({"sub": "a" * 256}, True),
        ({"sub": "a" * 257}, False),
        ({"sub": "alice\nERROR"}, False),
        ({"exp": None}, False),
        ({"exp": True}, False),
        ({"exp": str(NOW_S + 600)}, False),
        ({"exp": NOW_S + 0.5}, True),
        ({"exp": 253_402_300_799}, True),
        ({"exp": (NOW_S + 600) * 1_000}, False),
        ({"exp": float("inf")}, False),
        ({"exp": float("nan")}, False),
        ({"exp": -1}, False),
        ({"nbf": "now"}, False),
        ({"nbf": True}, False),
        ({"iat": None}, True),
        ({"iat": []}, False),
        ({"scope": 1}, False),
        ({"scope": ["reports:read", 1]}, False),
    ],
)
def test_claims_that_must_hold(changes: dict[str, object], accepted: bool, tmp_path: Path) -> None:
    key = signer("HS256")
    assert accepts(tokens_of(tmp_path, key), key.token(claims(**changes))) is accepted


@pytest.mark.parametrize(
    ("changes", "now_s", "accepted"),
    [
        ({"exp": NOW_S}, NOW_S + 9.999_999, True),
        ({"exp": NOW_S}, NOW_S + 10, False),
        ({"nbf": NOW_S}, NOW_S - 10, True),
        ({"nbf": NOW_S}, NOW_S - 10.000_001, False),
        ({"iat": NOW_S}, NOW_S - 10, True),
        ({"iat": NOW_S}, NOW_S - 10.000_001, False),
    ],
)
def test_times_count_to_the_microsecond(
    changes: dict[str, object], now_s: float, accepted: bool, tmp_path: Path
) -> None:
    key = signer("HS256")
    token = key.token(claims(**{"iat": None, **changes}))
    assert accepts(tokens_of(tmp_path, key), token, now_s) is accepted


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [({"exp": NOW_S + 3_600}, True), ({"exp": NOW_S + 3_601}, False), ({"iat": None}, False)],
)
def test_the_longest_lifetime(changes: dict[str, object], accepted: bool, tmp_path: Path) -> None:
    key = signer("HS256")
    tokens = tokens_of(tmp_path, key, more="lifetime_seconds_max = 3600")
    assert accepts(tokens, key.token(claims(**changes))) is accepted


@pytest.mark.parametrize(
    ("changes", "scopes"),
    [
        ({"scope": "everything"}, {Scope.READ_REPORTS, Scope.WRITE_RECORDS, Scope.ADMIN}),
        ({"scope": "reports:read records:write"}, {Scope.READ_REPORTS, Scope.WRITE_RECORDS}),
        ({"scope": ["records:write", "unknown"]}, {Scope.WRITE_RECORDS}),
        ({"scope": "root read_reports admin"}, set()),
        ({"scope": ""}, set()),
        ({"scope": None}, {Scope.ADMIN}),
    ],
)
def test_scopes_of_a_token(changes: dict[str, object], scopes: set[Scope], tmp_path: Path) -> None:
    key = signer("HS256")
    tokens = tokens_of(tmp_path, key, more='default_scopes = "admin"')
    caller = tokens.caller_of_token(key.token(claims(**changes)), NOW_US)
    assert caller is not None
    assert caller.scopes == scopes


def test_claims_of_other_names(tmp_path: Path) -> None:
    key = signer("HS256")
    tokens = tokens_of(tmp_path, key, more='subject_claim = "login"\nscope_claim = "roles"')
    token = key.token(claims(sub=None, scope=None, login="bob", roles=["reports:read"]))
    caller = tokens.caller_of_token(token, NOW_US)
    assert caller is not None
    assert (caller.id, caller.scopes) == (f"{ISSUER} bob", READ)


def test_tokens_without_an_issuer(tmp_path: Path) -> None:
    key = signer("HS256")
    tokens = tokens_of(tmp_path, key, more="accept_absent_iss = true")
    caller = tokens.caller_of_token(key.token(claims(iss=None, sub=17)), NOW_US)
    assert caller is not None
    assert caller.id == f"{ISSUER} 17"
    assert not accepts(tokens, key.token(claims(iss="https://other.example.com")))


@pytest.mark.parametrize(
    ("kids", "named", "accepted"),
    [
        (["a"], "a", True),
        (["a"], None, True),
        (["a"], "b", False),
        ([None], None, True),
        ([None], "a", True),
        (["a", "b"], "a", True),
        (["a", "b"], None, False),
        (["a", "b"], "", False),
    ],
)
def test_the_key_that_a_token_names(
    kids: list[str | None], named: str | None, accepted: bool, tmp_path: Path
) -> None:
    tokens = tokens_of(tmp_path, *(signer("ES256", kid) for kid in kids))
    assert accepts(tokens, signer("ES256", kids[0]).token(claims(), kid=named)) is accepted


def test_a_key_of_another_issuer_is_refused(tmp_path: Path) -> None:
    mine, other = signer("HS256"), signer("HS256", generation=1)
    path = two_issuers(tmp_path)
    tokens = Tokens(read_token_config(path), Config())
    assert accepts(tokens, mine.token(claims()))
    assert accepts(tokens, other.token(claims(iss="other")))
    assert not accepts(tokens, other.token(claims()))
    assert not accepts(tokens, mine.token(claims(iss="other")))


def two_issuers(directory: Path) -> Path:
    """Writes a configuration of two issuers with the secrets of generation 0 and 1."""
    path = directory / "tokens.toml"
    tables = []
    for name, generation in ((ISSUER, 0), ("other", 1)):
        write_secret(directory / f"secret{generation}", signer("HS256", generation=generation).key)
        tables.append(
            f'[[issuer]]\nissuer = "{name}"\naudience = "{AUDIENCE}"\n'
            f'hs256_secret_file = "secret{generation}"\ndefault_scopes = "read_reports"\n'
        )
    path.touch(mode=0o644)
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


# ---- Remembered tokens ----


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was signed of the tokens whose HS256 was verified."""
    verified, algorithm = list[bytes](), type(jwt.get_algorithm_by_name("HS256"))
    verify = algorithm.verify

    def noted(self: Algorithm, signed: bytes, key: bytes, signature: bytes) -> bool:
        verified.append(signed)
        return verify(self, signed, key, signature)

    monkeypatch.setattr(algorithm, "verify", noted)
    return verified


def signed_part(token: str) -> bytes:
    return token.rpartition(".")[0].encode()


def test_a_token_is_verified_once(tmp_path: Path, verifications: list[bytes]) -> None:
    key = signer("HS256")
    tokens, token = tokens_of(tmp_path, key), key.token(claims())
    assert [accepts(tokens, token) for _ in range(3)] == [True] * 3
    assert verifications == [signed_part(token)]
    assert accepts(tokens, token, NOW_S + 609)
    assert verifications == [signed_part(token)]
    assert not accepts(tokens, token, NOW_S + 610)


@pytest.mark.parametrize(
    ("changes", "named"), [({}, 1), ({"aud": "another"}, 0), ({"iss": "another"}, 0), ({"exp": 0}, 0)]
)
def test_a_refused_token_is_verified_once(
    changes: dict[str, object], named: int, tmp_path: Path, verifications: list[bytes]
) -> None:
    tokens = tokens_of(tmp_path, signer("HS256"))
    token = signer("HS256", generation=named).token(claims(**changes))
    assert not any(accepts(tokens, token) for _ in range(3))
    assert verifications == [signed_part(token)]


def test_a_token_that_is_not_yet_valid_is_accepted_later(tmp_path: Path, verifications: list[bytes]) -> None:
    key = signer("HS256")
    tokens, token = tokens_of(tmp_path, key), key.token(claims(nbf=NOW_S + 60))
    times_s = (NOW_S, NOW_S + 49.999_999, NOW_S + 50, NOW_S)
    assert [accepts(tokens, token, now_s) for now_s in times_s] == [False, False, True, False]
    assert len(verifications) == 1


def test_a_flood_of_bad_tokens_displaces_no_good_one(tmp_path: Path, verifications: list[bytes]) -> None:
    key, other = signer("HS256"), signer("HS256", generation=1)
    tokens = Tokens(token_config(tmp_path, key), Config(remembered_token_count_max=2))
    bad = [other.token(claims(sub=f"user {number}")) for number in range(5)]
    assert [accepts(tokens, token) for token in (key.token(claims()), *bad)] == [True, *[False] * 5]
    verifications.clear()
    assert accepts(tokens, key.token(claims()))
    assert not accepts(tokens, bad[-1])
    assert not verifications
    assert not accepts(tokens, bad[0])
    assert verifications == [signed_part(bad[0])]


def test_claims_are_not_read_before_their_signature_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = Tokens(read_token_config(two_issuers(tmp_path)), Config())
    forged = signer("HS256", generation=2).token(claims())
    own = signer("HS256", generation=1).token(claims(iss="other", sub="bob"))

    def read(text: str | bytes) -> object:
        parsed.append(text)
        return loads(text)

    parsed, loads = list[str | bytes](), json.loads
    monkeypatch.setattr(json, "loads", read)
    assert not accepts(two, forged)
    assert not parsed
    assert accepts(two, own)
    assert len(parsed) == 1


def test_tokens_verified_longest_ago_are_forgotten(tmp_path: Path, verifications: list[bytes]) -> None:
    key = signer("HS256")
    tokens = Tokens(token_config(tmp_path, key), Config(remembered_token_count_max=2))
    first, *others = (key.token(claims(sub=name)) for name in ("a", "b", "c"))
    for token in (first, *others, *others, first):
        assert accepts(tokens, token)
    assert verifications == [signed_part(token) for token in (first, *others, first)]


def test_the_longest_token(tmp_path: Path, verifications: list[bytes]) -> None:
    key = signer("HS256")
    tokens = tokens_of(tmp_path, key)
    longest = next(
        token
        for length in range(5_800, 6_100)
        if len(token := key.token(claims(more="a" * length))) >= Config().token_bytes_max - 1
    )
    assert accepts(tokens, longest)
    assert not accepts(tokens, longest + "AAA")
    assert verifications == [signed_part(longest)]


# ---- Changed files ----


def test_a_changed_key_set_counts_after_the_next_look(tmp_path: Path) -> None:
    old, new = signer("ES256", "old"), signer("ES256", "new")
    tokens = tokens_of(tmp_path, old)
    assert accepts(tokens, old.token(claims()))
    write_key_set(tmp_path / "keys.json", new)
    assert [accepts(tokens, key.token(claims())) for key in (old, new)] == [True, False]
    assert tokens.look() is None
    assert [accepts(tokens, key.token(claims())) for key in (old, new)] == [False, True]


@pytest.mark.parametrize("bad", [b"", b"short", b'{"keys": '])
@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
def test_a_file_that_cannot_be_used_keeps_its_keys(
    algorithm: str, bad: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = signer(algorithm)
    tokens = tokens_of(tmp_path, key)
    path = tmp_path / ("secret" if algorithm == "HS256" else "keys.json")
    good = path.read_bytes()
    with caplog.at_level(logging.INFO, "pegcount.auth"):
        path.write_bytes(bad)
        for _ in range(3):
            assert str(tokens.look()).startswith(f"{path}: ")
            assert accepts(tokens, key.token(claims()))
        path.write_bytes(good)
        assert tokens.look() is None
        assert accepts(tokens, key.token(claims()))
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert SECRET.decode() not in caplog.text


def test_an_empty_key_set_withdraws_all_keys(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key, path = signer("ES256"), tmp_path / "keys.json"
    config = token_config(tmp_path, key)
    tokens = Tokens(config, Config())
    assert accepts(tokens, key.token(claims()))
    write_key_set(path)
    fault = f"{path}: the file has no key that verifies tokens"
    assert tokens.look() == fault
    assert not accepts(tokens, key.token(claims()))
    assert f"no token of {ISSUER} is accepted: {fault}" in caplog.text
    started_again = Tokens(config, Config())
    assert started_again.fault == fault
    assert not accepts(started_again, key.token(claims()))
    write_key_set(path, key)
    assert started_again.look() is None
    assert accepts(started_again, key.token(claims()))


@pytest.mark.parametrize(
    "bad",
    [
        {"kid": "bad", "kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kid": "bad", "kty": "EC", "crv": "secp256k1"},
        {"kid": "bad", "kty": "oct", "k": "AQAB"},
        {"kid": 1, **signer("ES256", "new").jwk(kid=1)},
        signer("ES256").jwk(),
        signer("EdDSA").private_jwk(),
        17,
    ],
)
def test_a_bad_key_does_not_keep_an_old_one_in_use(
    bad: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = signer("ES256", "old"), signer("ES256", "new")
    tokens = tokens_of(tmp_path, old)
    assert accepts(tokens, old.token(claims()))
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [bad, new.jwk()]}), encoding="utf-8")
    assert str(tokens.look()).startswith(f"{path}: key 1: ")
    assert [accepts(tokens, key.token(claims())) for key in (old, new)] == [False, True]
    assert f"no token of {ISSUER} with this key is accepted: {path}: key 1: " in caplog.text


def test_keys_of_which_none_can_be_used(tmp_path: Path) -> None:
    key, path = signer("ES256"), tmp_path / "keys.json"
    config = token_config(tmp_path, key)
    tokens = Tokens(config, Config())
    write_key_set(path, key.private_jwk())
    assert "key 1: a private key" in str(tokens.look())
    assert not accepts(tokens, key.token(claims()))
    with pytest.raises(TokenFileError, match="key 1: a private key"):
        Tokens(config, Config())
    write_key_set(path, key.jwk(use="enc"))
    with pytest.raises(TokenFileError, match="key 1: it is not for signatures"):
        Tokens(config, Config())


def test_a_missing_file_keeps_its_keys(tmp_path: Path) -> None:
    key = signer("HS256")
    tokens = Tokens(token_config(tmp_path, key), Config())
    (tmp_path / "secret").unlink()
    assert tokens.look() == f"{tmp_path}/secret: No such file or directory"
    assert accepts(tokens, key.token(claims()))


def test_one_bad_file_does_not_keep_another_from_changing(tmp_path: Path) -> None:
    new = signer("HS256", generation=2)
    tokens = Tokens(read_token_config(two_issuers(tmp_path)), Config())
    (tmp_path / "secret0").write_bytes(b"")
    write_secret(tmp_path / "secret1", new.key)
    tokens.look()
    assert accepts(tokens, new.token(claims(iss="other")))
    assert tokens.fault is not None
    assert accepts(tokens, signer("HS256").token(claims()))


def test_two_files_that_change_at_once(tmp_path: Path) -> None:
    new = [signer("HS256", generation=number) for number in (2, 3)]
    tokens = Tokens(read_token_config(two_issuers(tmp_path)), Config())
    for number, key in enumerate(new):
        write_secret(tmp_path / f"secret{number}", key.key)
    tokens.look()
    for name, key in zip((ISSUER, "other"), new, strict=True):
        assert accepts(tokens, key.token(claims(iss=name)))


def test_a_file_that_cannot_be_used_at_the_start_is_an_error(tmp_path: Path) -> None:
    config = token_config(tmp_path, signer("HS256"))
    (tmp_path / "secret").chmod(0o640)
    with pytest.raises(TokenFileError, match=f"other users may read it; run chmod 600 {tmp_path}/secret"):
        Tokens(config, Config())


def test_no_secret_in_representations(tmp_path: Path) -> None:
    config = token_config(tmp_path, signer("HS256"))
    keys = config.issuers[0].key_file.parse(SECRET)
    assert "HS256" in repr(keys)
    assert "horse" not in repr(keys)
