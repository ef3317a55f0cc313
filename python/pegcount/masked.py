"""What errors, notices and logs show of the numbers and addresses of parties."""

import ipaddress
import unicodedata
from typing import Final

KEPT_DIGITS: Final = 3
"""Digits that stay, enough to tell a wrong form or country from a right one."""

_HIDDEN_LENGTH: Final = 4
"""Characters up to which a text shows none of its digits: three of them would be nearly all of it."""

_ADDRESS: Final = {4: "{}.{}.*.*", 6: "{:x}:{:x}:*"}


def masked(text: str) -> str:
    """Returns a number or name of a party with each letter, and each digit after the third, as `*`.

    Separators stay, so that the form of a number can be recognized. A text of 4 characters or fewer becomes
    `*` altogether.

    >>> masked("+1 555 0100")
    '+1 55* ****'
    >>> masked("sip:anna@example.com")
    '***:****@*******.***'
    >>> masked("112")
    '***'
    """
    if len(text) <= _HIDDEN_LENGTH:
        return "*" * len(text)
    kept, shown = 0, []
    for character in text:
        is_kept = character.isdecimal() and kept < KEPT_DIGITS
        kept += is_kept
        shown.append(character if is_kept or not _names(character) else "*")
    return "".join(shown)


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


def _names(character: str) -> bool:
    """Whether a character is a digit, a letter, or a mark of one."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"
