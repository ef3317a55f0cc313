"""The data scope and the limits of the tokens of an issuer, as the token configuration has them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from pegcount.auth.caller import Scope
from pegcount.auth.hidden_fields import SCOPE_FIELDS
from pegcount.auth.scope_rules import contradictions
from pegcount.auth.toml_table import TomlTable
from pegcount.config import Config
from pegcount.data_scope import (
    INTEGER_DIMENSIONS,
    INTEGER_MAX,
    INTEGER_MIN,
    TEXT_DIMENSIONS,
    CredentialLimits,
    DataScope,
    Metric,
    OrganizationScope,
)
from pegcount.errors import quoted
from pegcount.suggestion import did_you_mean

_CLAIMS: Final = (*INTEGER_DIMENSIONS, *TEXT_DIMENSIONS, "company", "organization")
_METRICS: Final[Mapping[str, Metric]] = {metric.name.lower(): metric for metric in Metric}
_INTEGERS: Final = range(INTEGER_MIN, INTEGER_MAX + 1)
_Value = TypeVar("_Value", bound=int | str)


class ClaimRefusedError(Exception):
    """A claim refuses a token; the text says why, with the name of the claim and without its value."""

    @classmethod
    def of(cls, claims: Mapping[str, Any], name: str, what: str) -> "ClaimRefusedError":
        """Returns the error of a claim that should be something, and is absent or something else."""
        return cls(f'the claim "{name}" is {f"not {what}" if name in claims else "missing"}')


@dataclass(frozen=True, slots=True)
class TokenScope:
    """Which records tokens of an issuer reach: values for all of them, and claims with those of each."""

    fixed: DataScope
    claims: Mapping[str, str]
    """Claims by the dimension whose values they have; `company` and `organization` are one dimension."""
    text_bytes_max: int
    """Bytes of one text in a claim."""

    def of(self, claims: Mapping[str, Any]) -> DataScope:
        """Returns the data scope of a token; raises ClaimRefusedError unless its claims have all values.

        A token without a value would otherwise reach the records of all.
        """
        values: dict[str, Any] = {
            name: self._values(name, claims, of_claim)
            for names, of_claim in ((INTEGER_DIMENSIONS, _number), (TEXT_DIMENSIONS, _text))
            for name in names
            if name in self.claims
        }
        if "company" in self.claims:
            values["organization"] = self._organizations(claims)
        return replace(self.fixed, **values)

    def _values(
        self, name: str, claims: Mapping[str, Any], of_claim: Callable[[object], _Value]
    ) -> tuple[_Value, ...]:
        claim = claims.get(self.claims[name])
        what = f"one or several values of {name}"
        try:
            values = tuple(dict.fromkeys(map(of_claim, claim if isinstance(claim, list) else [claim])))
        except ValueError as error:
            raise ClaimRefusedError.of(claims, self.claims[name], what) from error
        if not values or not all(_is_short(str(value), self.text_bytes_max) for value in values):
            raise ClaimRefusedError.of(claims, self.claims[name], what)
        return values

    def _organizations(self, claims: Mapping[str, Any]) -> tuple[OrganizationScope, ...]:
        companies = self._values("company", claims, _text)
        if "organization" not in self.claims:
            return tuple(map(OrganizationScope, companies))
        if len(companies) > 1:
            # It would be open which organization is of which company.
            raise ClaimRefusedError(f'the claim "{self.claims["company"]}" has more than one company')
        return tuple(
            OrganizationScope(companies[0], name) for name in self._values("organization", claims, _text)
        )


def read_token_scope(table: TomlTable, scopes: Collection[Scope], config: Config) -> TokenScope | None:
    """Returns the data scope of the table of an issuer whose tokens may have some scopes; None: all records.

    Raises TokenFileError, also for a data scope that contradicts itself or the scopes.
    """
    values, claims = table.table("data_scope"), table.table("data_scope_claims")
    names = set(table.names())
    if names.isdisjoint({"data_scope", "data_scope_claims"}):
        return None
    found = TokenScope(
        _fixed(values, config.filter_text_bytes_max), _claims(claims), config.filter_text_bytes_max
    )
    for name in found.claims:
        if getattr(found.fixed, "organization" if name == "company" else name):
            claims.fail(f'"{name}" has values in data_scope already; leave it out of one of the two tables')
    if "data_scope_claims" in names and not found.claims:
        claims.fail('names no claim; add one, such as account_id = "accounts", or leave the table out')
    # The rules do not depend on the values, and a token has no scope beyond these: none breaks a rule.
    for each in contradictions(scopes, found.of(dict.fromkeys(found.claims.values(), 1))):
        values.fail(f'"{each.field}": {each.text}' if each.field else each.text)
    return found


def read_token_limits(table: TomlTable, config: Config) -> CredentialLimits | None:
    """Returns the limits in the table of an issuer, None if it sets none; raises TokenFileError."""
    limits = table.table("limits")
    maximum = config.credential_limit_max
    found = CredentialLimits(
        calls_per_second=limits.integer("calls_per_second", 1, maximum),
        calls_in_progress=limits.integer("calls_in_progress", 1, maximum),
        write_streams=limits.integer("write_streams", 1, maximum),
        work_ms_per_second=limits.integer("work_ms_per_second", 1, maximum),
    )
    limits.require_nothing_else()
    return None if found == CredentialLimits() else found


def _fixed(table: TomlTable, text_bytes_max: int) -> DataScope:
    dimensions: dict[str, Any] = {
        name: table.integers(name, INTEGER_MIN, INTEGER_MAX) for name in INTEGER_DIMENSIONS
    }
    dimensions |= {name: table.texts(name) for name in TEXT_DIMENSIONS}
    scope = DataScope(
        **dimensions,
        organization=tuple(_organization(each) for each in table.tables("organization")),
        hidden_metrics=tuple(_METRICS[name] for name in _known(table, "hidden_metrics", _METRICS, "metric")),
        hidden_fields=_known(table, "hidden_fields", SCOPE_FIELDS, "field"),
        shown_fields=_known(table, "shown_fields", SCOPE_FIELDS, "field"),
    )
    table.require_nothing_else()
    for text in _texts_of(scope):
        if not _is_short(text, text_bytes_max):
            table.fail(f"{quoted(text)} has more than the {text_bytes_max} bytes that a text of a record has")
    return scope


def _texts_of(scope: DataScope) -> Iterator[str]:
    for name in TEXT_DIMENSIONS:
        yield from getattr(scope, name)
    for each in scope.organization:
        yield from (each.company, each.organization or "")


def _is_short(text: str, bytes_max: int) -> bool:
    return len(text.encode()) <= bytes_max


def _organization(table: TomlTable) -> OrganizationScope:
    scope = OrganizationScope(table.required_text("company"), table.text("organization") or None)
    table.require_nothing_else()
    return scope


def _known(table: TomlTable, name: str, known: Collection[str], what: str) -> tuple[str, ...]:
    found = table.texts(name)
    for each in found:
        if each not in known:
            hint = did_you_mean(each, known) or f"; such as {next(iter(known))}"
            table.fail(f'"{name}": unknown {what} {quoted(each)}{hint}')
    return found


def _claims(table: TomlTable) -> Mapping[str, str]:
    claims = {name: found for name in _CLAIMS if (found := table.text(name))}
    table.require_nothing_else()
    if "organization" in claims and "company" not in claims:
        table.fail('"company" is missing, as an organization is one of a company; name its claim too')
    return claims


def _number(value: object) -> int:
    """Returns an id; raises ValueError for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or value not in _INTEGERS:
        raise ValueError(f"not an integer from {_INTEGERS[0]} to {_INTEGERS[-1]}")
    return value


def _text(value: object) -> str:
    """Returns a text. Accepts an integer as one, because some issuers write ids as numbers.

    Raises ValueError for anything else.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    # JSON may have half of a surrogate pair, which no record has.
    if not isinstance(text, str) or not text or any("\ud800" <= each <= "\udfff" for each in text):
        raise ValueError("not a text of a record")
    return text
