"""Reads the token configuration: whose JSON web tokens the server accepts, and what they allow."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pegcount.auth.caller import Scope
from pegcount.auth.token_files import TokenFileError, read_public_file
from pegcount.auth.token_keys import KeyFile
from pegcount.auth.token_scope import TokenScope, read_token_limits, read_token_scope
from pegcount.auth.toml_table import TomlTable
from pegcount.config import Config
from pegcount.data_scope import CredentialLimits
from pegcount.errors import quoted
from pegcount.suggestion import did_you_mean

_LEEWAY_SECONDS: Final = 10
_LEEWAY_SECONDS_MAX: Final = 60
_LIFETIME_SECONDS_MAX: Final = 366 * 86_400
SCOPE_OF_NAME: Final[Mapping[str, Scope]] = {scope.name.lower(): scope for scope in Scope}
"""Scopes by the names that the configuration has for them."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues tokens, and what of them must hold."""

    name: str
    """What the claim `iss` must be; the ids of callers begin with it."""
    audiences: frozenset[str]
    """One of them must be in the claim `aud`."""
    key_file: KeyFile
    accept_absent_iss: bool
    """Whether a token without the claim `iss` is one of this issuer."""
    leeway_seconds: int
    """Seconds by which the clock of the issuer may differ."""
    lifetime_seconds_max: int | None
    """Seconds from `iat` to `exp` of a token, at most; None: as the issuer likes."""
    subject_claim: str
    scope_claim: str
    scopes: Mapping[str, frozenset[Scope]]
    """What each value of the scope claim allows; other values allow nothing."""
    default_scopes: frozenset[Scope]
    """What a token without the scope claim allows."""
    data_scope: TokenScope | None
    """Which records its tokens reach; None: all."""
    limits: CredentialLimits | None
    """How much each caller may ask for; None: as the server is configured."""

    def is_named_by(self, claims: Mapping[str, object]) -> bool:
        """Returns whether claims are of this issuer, by the claim `iss` or its absence."""
        return claims["iss"] == self.name if "iss" in claims else self.accept_absent_iss


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """The issuers of tokens; at least one."""

    issuers: tuple[Issuer, ...]


def read_token_config(path: Path, config: Config | None = None) -> TokenConfig:
    """Returns the configuration in a TOML file; files that it names are relative to its directory.

    `config` has the greatest values of data scopes and limits, by default those of a server without settings.
    Raises TokenFileError, which names the place and what is allowed there.
    """
    try:
        document = tomllib.loads(read_public_file(path).decode())
    except (ValueError, RecursionError) as error:
        raise TokenFileError(f"{path}: not TOML: {error}") from error
    table = TomlTable(str(path), document)
    issuers = tuple(_issuer(each, path.parent, config or Config()) for each in table.tables("issuer"))
    table.require_nothing_else()
    _require_distinct(path, issuers)
    return TokenConfig(issuers)


def _issuer(table: TomlTable, directory: Path, config: Config) -> Issuer:
    leeway_seconds = table.integer("leeway_seconds", 0, _LEEWAY_SECONDS_MAX)
    values = table.table("scopes")
    scopes = {value: _scopes(values, value) for value in values.names()}
    default_scopes = _scopes(table, "default_scopes")
    issuer = Issuer(
        name=table.required_text("issuer"),
        audiences=frozenset(table.texts("audience")),
        key_file=_key_file(table, directory),
        accept_absent_iss=table.flag("accept_absent_iss"),
        leeway_seconds=_LEEWAY_SECONDS if leeway_seconds is None else leeway_seconds,
        lifetime_seconds_max=table.integer("lifetime_seconds_max", 1, _LIFETIME_SECONDS_MAX),
        subject_claim=table.text("subject_claim", "sub"),
        scope_claim=table.text("scope_claim", "scope"),
        scopes=scopes,
        default_scopes=default_scopes,
        data_scope=read_token_scope(table, default_scopes.union(*scopes.values()), config),
        limits=read_token_limits(table, config),
    )
    table.require_nothing_else()
    if not issuer.name.isprintable() or " " in issuer.name:
        table.fail('"issuer" must be without spaces, as the id of a caller is "issuer subject"')
    if not issuer.audiences:
        table.fail('"audience" is missing; set what the claim aud of tokens for this server has')
    if not issuer.scopes and not issuer.default_scopes:
        table.fail('its tokens would allow nothing; add a table [issuer.scopes], or "default_scopes"')
    return issuer


def _key_file(table: TomlTable, directory: Path) -> KeyFile:
    secret, public = table.text("hs256_secret_file"), table.text("jwks_file")
    if bool(secret) == bool(public):
        table.fail('set one of "hs256_secret_file" and "jwks_file"')
    return KeyFile(directory / (secret or public), is_secret=bool(secret))


def _scopes(table: TomlTable, name: str) -> frozenset[Scope]:
    names = table.texts(name)
    for each in names:
        if each not in SCOPE_OF_NAME:
            known = ", ".join(SCOPE_OF_NAME)
            hint = did_you_mean(each, SCOPE_OF_NAME)
            table.fail(f'"{name}": unknown scope {quoted(each)}; the scopes are {known}{hint}')
    return frozenset(SCOPE_OF_NAME[each] for each in names)


def _require_distinct(path: Path, issuers: Sequence[Issuer]) -> None:
    names = [issuer.name for issuer in issuers]
    if not issuers:
        raise TokenFileError(f"{path}: names no issuer; begin with a line [[issuer]]")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise TokenFileError(f"{path}: two tables have the issuer {quoted(name)}")
    without_iss = [issuer.name for issuer in issuers if issuer.accept_absent_iss]
    if len(without_iss) > 1:
        raise TokenFileError(f'{path}: "accept_absent_iss" holds for {quoted(without_iss[0])} already')
