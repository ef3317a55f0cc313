"""Turns a data scope into predicates: those that every scan on behalf of its credential has."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from pegcount.data_scope import INTEGER_DIMENSIONS, TEXT_DIMENSIONS, DataScope, OrganizationScope
from pegcount.model import OneOf, OneOfPairs, Predicate

_CACHE_SIZE: Final = 1_000
"""Data scopes whose predicates are kept: those of the credentials in use."""


@lru_cache(_CACHE_SIZE)
def scope_predicates(scope: DataScope) -> tuple[Predicate, ...]:
    """Returns the predicates that select the records of a data scope; none if it is all records."""
    # Texts come first, as an account has an index.
    lists = ((column, getattr(scope, column)) for column in (*TEXT_DIMENSIONS, *INTEGER_DIMENSIONS))
    of_lists = tuple(OneOf(column, values) for column, values in lists if values)
    return of_lists + tuple(_of_organizations(scope.organization))


def _of_organizations(organizations: tuple[OrganizationScope, ...]) -> Iterator[Predicate]:
    companies = tuple(dict.fromkeys(one.company for one in organizations))
    whole = {one.company for one in organizations if one.organization is None}
    if not organizations:
        return
    if len(whole) == len(companies):
        yield OneOf("company", companies)
    elif len(companies) == 1:
        # Single columns are compared faster than pairs.
        yield OneOf("company", companies)
        names = (one.organization for one in organizations)
        yield OneOf("organization", tuple(name for name in names if name is not None))
    else:
        pairs = tuple((one.company, one.organization) for one in organizations)
        yield OneOfPairs("company", "organization", pairs)
