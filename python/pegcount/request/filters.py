"""Converts the filters of origination quality to predicates on columns."""

import re
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from google.protobuf.message import Message

from pegcount.errors import quoted, shortened
from pegcount.masked import masked_address
from pegcount.model import Between, InNetwork, Predicate, Present, TextMatch
from pegcount.request.validation import RequestValidator, suggested
from pegcount.suggestion import suggestion
from pegcount.v1 import reports_pb2

# The least int64 marks an absent value.
_INT64_MIN, _INT64_MAX = -(2**63) + 1, 2**63 - 1
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_UNITS_PER_ONE = 10**9
_SHOWN_BIT_COUNTS = {4: 16, 6: 32}
"""Bits of an address that `masked_address` shows, by version."""


def text_filter(
    field: str, message: reports_pb2.TextFilter, validator: RequestValidator, column: str | None = None
) -> Iterable[Predicate]:
    """Yields a predicate for each comparison of a `TextFilter`; all of them must hold.

    `column` is that of the records; None: it has the name of the field.
    """
    column = column or field
    comparisons = _comparisons(field, message, validator)
    if message.absent and len(comparisons) > 1:
        others = ", ".join(name for name in comparisons if name != "absent")
        description = f"cannot be true together with {others}: an absent text has nothing to compare"
        validator.add_violation(
            f"{field}.absent", "CONFLICTING_FIELDS", description, allowed=f"absent, {others}"
        )
    for comparison in comparisons:
        if comparison == "absent":
            yield Present(column, wanted=False)
            continue
        text = validator.text(f"{field}.{comparison}", getattr(message, comparison))
        if not text:
            validator.add_violation(
                f"{field}.{comparison}", "EMPTY_FILTER", "is empty; leave it out to ask for any"
            )
        yield TextMatch(column, comparison, text)


def duration_filter(field: str, message: reports_pb2.IntegerFilter, validator: RequestValidator) -> Between:
    """Returns the predicate of an `IntegerFilter` that compares whole seconds, floor(duration_ms / 1000).

    floor(duration_ms / 1000) = n if and only if 1000 n <= duration_ms <= 1000 n + 999.
    """
    low, high = _INT64_MIN, _INT64_MAX
    for comparison in _comparisons(field, message, validator):
        seconds = getattr(message, comparison)
        if comparison != "lt":
            low = max(low, 1_000 * (seconds + (comparison == "gt")))
        if comparison != "gt":
            high = min(high, 1_000 * (seconds + (comparison == "eq")) - 1)
    return _between("duration_ms", low, high)


def decimal_filter(field: str, message: reports_pb2.DecimalFilter, validator: RequestValidator) -> Between:
    """Returns the predicate of a `DecimalFilter`, exact: records store prices in integer units of 10^-9."""
    low, high = _INT64_MIN, _INT64_MAX
    for comparison in _comparisons(field, message, validator):
        floor, ceiling = _price_units(f"{field}.{comparison}", getattr(message, comparison), validator)
        if comparison == "gt":
            low = max(low, floor + 1)
        elif comparison == "lt":
            high = min(high, ceiling - 1)
        else:
            low, high = max(low, ceiling), min(high, floor)
    return _between(field, low, high)


def network_filter(field: str, text: str, validator: RequestValidator) -> Iterable[Predicate]:
    """Yields the predicate of an IPv4 or IPv6 address or a CIDR block."""
    if not text:
        validator.add_violation(field, "EMPTY_FILTER", "is empty; leave it out to ask for any")
        return
    # To parse a long text as an address would take longer than to parse the request.
    if not validator.accepts_text(field, text):
        return
    problem = _network_problem(text)
    if problem:
        metadata = {"value": shortened(masked_address(text)), **suggested(_near_block(text))}
        validator.add_violation(field, "MALFORMED_ADDRESS", problem, **metadata)
    yield InNetwork(field, text)


def _comparisons(field: str, message: Message, validator: RequestValidator) -> list[str]:
    """Returns the names of the comparisons in a filter message; reports a violation if it is empty."""
    # An `absent` of false is not a comparison.
    names = [descriptor.name for descriptor, value in message.ListFields() if value is not False]
    if not names:
        allowed = ", ".join(message.DESCRIPTOR.fields_by_name)
        validator.add_violation(
            field, "EMPTY_FILTER", f"needs one or more of {allowed}; leave it out to ask for any"
        )
    return names


def _between(column: str, low: int, high: int) -> Between:
    """Returns the predicate of an inclusive range; an empty one becomes [1, 0], which no value matches.

    `low` is at least `_INT64_MIN` and `high` at most `_INT64_MAX`, so a range beyond 64 bits is empty.
    """
    return Between(column, low, high) if low <= high else Between(column, 1, 0)


def _price_units(field: str, text: str, validator: RequestValidator) -> tuple[int, int]:
    """Parses a decimal into units of 10^-9, rounded down and rounded up."""
    if not text:
        validator.add_violation(field, "EMPTY_FILTER", "is empty; leave it out to ask for any")
        return 0, 0
    if not validator.accepts_text(field, text):
        return 0, 0
    if not _DECIMAL.fullmatch(text):
        description = f"{quoted(text)} is not a decimal number such as -0.0125"
        validator.add_violation(field, "MALFORMED_DECIMAL", description, value=shortened(text))
        return 0, 0
    with localcontext(prec=len(text) + 10):
        units = Decimal(text) * _UNITS_PER_ONE
        return int(units.to_integral_value(ROUND_FLOOR)), int(units.to_integral_value(ROUND_CEILING))


def _network_problem(text: str) -> str | None:
    # It may be the address of a person.
    shown = quoted(masked_address(text))
    try:
        ip_network(text) if "/" in text else ip_address(text)
    except ValueError:
        return f"{shown} is not an IPv4 or IPv6 address, nor a CIDR block {_block_hint(text)}"
    is_unsupported = _has_unsupported_form(text)
    return f"{shown} has a zone or a net mask; write ADDRESS or ADDRESS/BITS" if is_unsupported else None


def _block_hint(text: str) -> str:
    """Says what a block looks like, or which bits of this one must be 0."""
    block = _block_around(text)
    if block is None:
        return "such as 198.51.100.0/24"
    near = _near_block(text)
    host_bit_count = block.max_prefixlen - block.prefixlen
    return f"with all host bits 0{suggestion(near) if near else f': its last {host_bit_count} bits'}"


def _near_block(text: str) -> str | None:
    """Returns the block that an address with host bits belongs to, if that shows no more of the address."""
    block = _block_around(text)
    is_shown = block is not None and block.prefixlen <= _SHOWN_BIT_COUNTS[block.version]
    return str(block) if is_shown else None


def _block_around(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False) if _is_block(text) else None
    except ValueError:
        return None


def _has_unsupported_form(text: str) -> bool:
    """Returns whether a form that `ipaddress` accepts has a scope, a net mask, or a sign before the bits."""
    return "%" in text or ("/" in text and not _is_block(text))


def _is_block(text: str) -> bool:
    _, _, bits = text.partition("/")
    return "%" not in text and bits.isascii() and bits.isdecimal()
