"""Filters of origination quality to conditions on columns."""

import re
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from ipaddress import ip_address, ip_network

from google.protobuf.message import Message

from pegcount.model import Between, InNetwork, Predicate, TextMatch
from pegcount.request.validation import RequestValidator
from pegcount.v1 import reports_pb2

_INT64_MIN, _INT64_MAX = -(2**63) + 1, 2**63 - 1
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_UNITS_PER_ONE = 10**9


def text_filter(
    field: str, message: reports_pb2.TextFilter, validator: RequestValidator
) -> Iterable[Predicate]:
    """Conditions of a `TextFilter`; every text that is given must hold."""
    comparisons = _comparisons(field, message, validator)
    for how in comparisons:
        text = validator.text(f"{field}.{how}", getattr(message, how))
        if not text:
            validator.add_violation(f"{field}.{how}", "EMPTY_FILTER", "is empty; leave it out to ask for any")
        yield TextMatch(field, how, text)


def duration_filter(field: str, message: reports_pb2.IntegerFilter, validator: RequestValidator) -> Between:
    """Condition of an `IntegerFilter` in whole seconds, floor(duration_ms / 1000).

    floor(ms / 1000) = n where ms is within [1000 n, 1000 n + 999].
    """
    low, high = _INT64_MIN, _INT64_MAX
    for how in _comparisons(field, message, validator):
        seconds = getattr(message, how)
        if how != "lt":
            low = max(low, 1_000 * (seconds + (how == "gt")))
        if how != "gt":
            high = min(high, 1_000 * (seconds + (how == "eq")) - 1)
    return _between("duration_ms", low, high)


def decimal_filter(field: str, message: reports_pb2.DecimalFilter, validator: RequestValidator) -> Between:
    """Condition of a `DecimalFilter`, exact: a record's price is a whole number of 10^-9."""
    low, high = _INT64_MIN, _INT64_MAX
    for how in _comparisons(field, message, validator):
        floor, ceiling = _units(f"{field}.{how}", getattr(message, how), validator)
        if how == "gt":
            low = max(low, floor + 1)
        elif how == "lt":
            high = min(high, ceiling - 1)
        else:
            low, high = max(low, ceiling), min(high, floor)
    return _between(field, low, high)


def network_filter(field: str, text: str, validator: RequestValidator) -> Iterable[Predicate]:
    """Condition of an address or CIDR block."""
    if not text:
        validator.add_violation(field, "EMPTY_FILTER", "is empty; leave it out to ask for any")
        return
    problem = _network_problem(text)
    if problem:
        validator.add_violation(field, "MALFORMED_ADDRESS", problem, value=text)
    yield InNetwork(field, text)


def _comparisons(field: str, message: Message, validator: RequestValidator) -> list[str]:
    """Names of the comparisons that a filter message has; none at all is a violation."""
    names = [descriptor.name for descriptor, _ in message.ListFields()]
    if not names:
        allowed = ", ".join(message.DESCRIPTOR.fields_by_name)
        validator.add_violation(
            field, "EMPTY_FILTER", f"needs one or more of {allowed}; leave it out to ask for any"
        )
    return names


def _between(column: str, low: int, high: int) -> Between:
    """A range cut to 64 bits; one that holds nothing stays so."""
    if low > high or low > _INT64_MAX or high < _INT64_MIN:
        return Between(column, 1, 0)
    return Between(column, max(low, _INT64_MIN), min(high, _INT64_MAX))


def _units(field: str, text: str, validator: RequestValidator) -> tuple[int, int]:
    """A decimal in units of 10^-9, rounded down and up."""
    if not text:
        validator.add_violation(field, "EMPTY_FILTER", "is empty; leave it out to ask for any")
        return 0, 0
    if not validator.check_text(field, text):
        return 0, 0
    if not _DECIMAL.fullmatch(text):
        validator.add_violation(
            field, "MALFORMED_DECIMAL", f"{text!r} is no decimal number such as -0.0125", value=text
        )
        return 0, 0
    with localcontext(prec=len(text) + 10):
        units = Decimal(text) * _UNITS_PER_ONE
        return int(units.to_integral_value(ROUND_FLOOR)), int(units.to_integral_value(ROUND_CEILING))


def _network_problem(text: str) -> str | None:
    try:
        ip_network(text) if "/" in text else ip_address(text)
    except ValueError:
        return f"{text!r} is no IPv4 or IPv6 address, nor a CIDR block {_suggestion(text)}"
    return f"{text!r} has a zone or a net mask; write ADDRESS or ADDRESS/BITS" if _is_unusual(text) else None


def _suggestion(text: str) -> str:
    try:
        return f"with all host bits 0; perhaps {ip_network(text, strict=False)}"
    except ValueError:
        return "such as 198.51.100.0/24"


def _is_unusual(text: str) -> bool:
    """Forms that `ipaddress` reads and records never have: scopes, net masks, signs."""
    _, slash, bits = text.partition("/")
    return "%" in text or (slash == "/" and not (bits.isascii() and bits.isdecimal()))
