"""What the predicates of a scan ask of a row of the store in memory."""

import ipaddress
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from pegcount import model

DEFAULTS = {"kind": 1, "is_last_attempt": 1}
"""Values of records that leave them out."""
_TEXT_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "eq": operator.eq,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": operator.contains,
}


def columns_read(predicate: model.Predicate) -> Iterator[str]:
    """Yields the names of the columns that a predicate reads."""
    yield predicate.column
    if isinstance(predicate, model.OneOfPairs):
        yield predicate.second_column


def condition_of(predicate: model.Predicate) -> Callable[[Mapping[str, Any]], bool]:
    """Returns the test of a predicate."""
    column, or_absent = predicate.column, False
    match predicate:
        case model.Present(_, wanted):
            return lambda row: (row.get(column) is not None) == wanted
        case model.OneOfPairs(first, second, pairs):
            return lambda row: (
                row.get(first) is not None
                and any(one == row[first] and other in (None, row.get(second)) for one, other in pairs)
            )
        case model.Between(_, low, high):
            holds: Callable[[Any], bool] = lambda value: low <= value <= high  # noqa: E731
        case model.OneOf(_, values, or_absent):
            holds = frozenset(values).__contains__
        case model.InNetwork(_, network):
            holds = lambda text: _is_within(text, network)  # noqa: E731
        case model.TextMatch(_, how, text):
            holds = lambda value: _TEXT_MATCHES[how](value, text)  # noqa: E731
    default = None if or_absent else DEFAULTS.get(column)
    return lambda row: or_absent if (value := row.get(column, default)) is None else holds(value)


@lru_cache(1_000)
def _is_within(text: str, network: str) -> bool:
    try:
        address: Any = ipaddress.ip_address("" if "%" in text else text)
    except ValueError:
        return False
    block: Any = ipaddress.ip_network(network, strict=False)
    if block.version == 6 and block.prefixlen >= 96 and (mapped := block.network_address.ipv4_mapped):
        block = ipaddress.ip_network(f"{mapped}/{block.prefixlen - 96}")
    return (getattr(address, "ipv4_mapped", None) or address) in block
