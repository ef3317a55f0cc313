"""Filters of origination quality: every comparison that is set must hold."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TypeAlias

from pegcount.v1 import reports_pb2

from pegcount_client.arguments import fill, whole_number

Exact: TypeAlias = Decimal | int | str
"""A decimal number without rounding; a text is sent as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFilter:
    """Compares a text byte for byte; a call without the text matches only `absent`."""

    eq: str | None = None
    """The whole text."""
    starts_with: str | None = None
    ends_with: str | None = None
    contains: str | None = None
    absent: bool | None = None
    """True: the calls without the text; cannot be combined with another comparison."""

    def to_message(self) -> reports_pb2.TextFilter:
        """Returns the filter as the contract has it. Raises TypeError for values of other types."""
        message = reports_pb2.TextFilter()
        fill(message, asdict(self), {})
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerFilter:
    """Compares a whole number."""

    eq: int | None = None
    """Equal to."""
    gt: int | None = None
    """Greater than."""
    lt: int | None = None
    """Less than."""

    def to_message(self) -> reports_pb2.IntegerFilter:
        """Returns the filter as the contract has it.

        Raises TypeError for values of other types, ValueError for numbers beyond 64 bits.
        """
        message = reports_pb2.IntegerFilter()
        fill(message, asdict(self), {})
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class DecimalFilter:
    """Compares a decimal number exactly; a call without the number matches nothing."""

    eq: Exact | None = None
    """Equal to."""
    gt: Exact | None = None
    """Greater than."""
    lt: Exact | None = None
    """Less than."""

    def to_message(self) -> reports_pb2.DecimalFilter:
        """Returns the filter as the contract has it.

        Raises TypeError for a float and other types, ValueError for a Decimal that is not finite.
        """
        message = reports_pb2.DecimalFilter()
        fill(message, asdict(self), dict.fromkeys(("eq", "gt", "lt"), _decimal_text))
        return message


def _decimal_text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{name} must be finite, not {value}")
        return format(value, "f")
    try:
        return str(whole_number(name, value))
    except TypeError as error:
        raise TypeError(
            f"{name} is a Decimal, an int or a text, not {value!r}, as a float is not exact;"
            f' next step: Decimal("{value}")'
        ) from error
