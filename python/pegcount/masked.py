"""What errors, notices and logs show of the numbers and addresses of parties."""

import ipaddress
import re
from typing import Final

KEPT_DIGITS: Final = 3
"""Digits that stay, enough to tell a wrong form or country from a right one."""

_HIDDEN_LENGTH: Final = 4
"""Characters up to which a text shows none of its digits: three of them would be nearly all of it."""

_NEITHER_DIGIT_NOR_SEPARATOR: Final = re.compile(r"[^\x00-\x40\x5b-\x60\x7b-\x7f]")
_DIGIT: Final = re.compile(r"\d")
_ADDRESS: Final = {4: "{}.{}.*.*", 6: "{:x}:{:x}:*"}


def masked(text: str) -> str:
    """Returns a number or name of a party, of which the first three digits and ASCII separators stay.

    The separators show the form of a number. All other characters become `*`, and so does a text of 4
    characters or fewer altogether. The core has the same rule (rust/aggcore/src/record/masked.rs).

    >>> masked("+1 555 0100")
    '+1 55* ****'
    >>> masked("sip:anna@example.com")
    '***:****@*******.***'
    >>> masked("112")
    '***'
    """
    if len(text) <= _HIDDEN_LENGTH:
        return "*" * len(text)
    return masked_digits(_NEITHER_DIGIT_NOR_SEPARATOR.sub("*", text))


def masked_digits(text: str) -> str:
    """Returns a text with each digit after the third as `*`.

    It is for a text that should be no number of a party, but may be one, such as a cell of a row that has a
    cell too few.

    >>> masked_digits("end: +1 555 0100")
    'end: +1 55* ****'
    """
    if len(text) <= _HIDDEN_LENGTH:
        return text
    digits = list(_DIGIT.finditer(text))
    if len(digits) <= KEPT_DIGITS:
        return text
    end = digits[KEPT_DIGITS - 1].end()
    return text[:end] + _DIGIT.sub("*", text[end:])


def masked_address(text: str) -> str:
    """Returns an IP address with the part of its network, such as `192.0.*.*` or `2001:db8:*`.

    A block of addresses keeps its length. What is not an address is masked like a number.

    >>> masked_address("192.0.2.0/24"), masked_address("2001:db8::7"), masked_address("192.0.2.300")
    ('192.0.*.*/24', '2001:db8:*', '192.*.*.***')
    """
    written, slash, length = text.partition("/")
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return masked(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return f"::ffff:{masked_address(str(address.ipv4_mapped))}{slash}{length}"
    step = 1 if address.version == 4 else 2
    parts = (int.from_bytes(address.packed[i : i + step]) for i in (0, step))
    is_length = length.isdecimal() and len(length) <= 3
    return _ADDRESS[address.version].format(*parts) + slash + (length if is_length else masked(length))
