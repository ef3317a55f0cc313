"""Blocks of IP addresses in SQL, by the bounds of their 16 bytes; IPv4 addresses are `::ffff:a.b.c.d`.

The functions of ClickHouse for blocks do not serve: `isIPAddressInRange` fails on a text that is not an
address, and takes an IPv4-mapped address for one of IPv6.
"""

import re
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Final

from pegcount.store.clickhouse.wire.bound_values import BoundValues

_MAPPED_PREFIX: Final = 0xFFFF << 32
"""The first of the addresses that hold an IPv4 address; there are 2^32."""
_MAPPED_LAST: Final = _MAPPED_PREFIX + 2**32 - 1
_MAPPED_BITS: Final = 96
_BITS: Final = re.compile(r"\+?([0-9]+)", re.ASCII)

_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4: Final = f"{_OCTET}([.]{_OCTET}){{3}}"
_GROUP: Final = "[0-9a-fA-F]{1,4}"


def _ipv6_forms() -> list[str]:
    """Eight groups, or fewer with a `::` in between, of which an IPv4 address may be the last two."""
    forms = [f"({_GROUP}:){{7}}{_GROUP}", f"({_GROUP}:){{6}}{_IPV4}"]
    for count in range(8):
        head = f"{_GROUP}(:{_GROUP}){{{count - 1}}}" if count else ""
        forms.append(f"{head}::({_GROUP}(:{_GROUP}){{0,{6 - count}}})?" if count < 7 else f"{head}::")
        if count < 6:
            forms.append(f"{head}::({_GROUP}:){{0,{5 - count}}}{_IPV4}")
    return forms


_ADDRESS: Final = f"^({'|'.join([_IPV4, *_ipv6_forms()])})$"
"""The texts that are addresses, for RE2. ClickHouse would also read others, as `192.0.2.010`."""


def in_network(text: str, address: str | None, network: str, bound: BoundValues) -> str:
    """Returns the condition that a text is an address in a block, or is one address.

    `text` is the expression of the text, and `address` that of its 16 bytes, all of them 0 if it is not an
    address; None if no column has them. Raises ValueError if `network` is not a block.
    """
    low, high, is_ipv4 = _bounds(network)
    is_address = f"match({text}, '{_ADDRESS}')"
    if address is None:
        address = f"IPv6StringToNumOrDefault(toString({text}))"
        conditions = [is_address, _between(address, low, high, bound)]
    else:
        conditions = [_between(address, low, high, bound)]
        if low == 0:
            conditions.append(f"({address} != {_bytes(0, bound)} OR {is_address})")
    if not is_ipv4 and low <= _MAPPED_PREFIX and high >= _MAPPED_LAST:
        conditions.append(f"NOT ({_between(address, _MAPPED_PREFIX, _MAPPED_LAST, bound)})")
    return " AND ".join(conditions)


def _bounds(network: str) -> tuple[int, int, bool]:
    """Returns the first and the last address of a block, and whether it is one of IPv4 addresses."""
    problem = f"{network!r} is not an address or a block such as 192.0.2.0/24"
    text, slash, bits = network.partition("/")
    found = _BITS.fullmatch(bits)
    if "%" in text or (slash and found is None):
        raise ValueError(problem)
    try:
        address = ip_address(text)
        length = int(found[1]) if found else address.max_prefixlen
        if address.version == 6 and address.ipv4_mapped is not None and length >= _MAPPED_BITS:
            address, length = address.ipv4_mapped, length - _MAPPED_BITS
        block = ip_network((address, length), strict=False)
    except ValueError as error:
        raise ValueError(problem) from error
    offset = _MAPPED_PREFIX if isinstance(block, IPv4Network) else 0
    first, last = int(block.network_address) + offset, int(block.broadcast_address) + offset
    return first, last, isinstance(address, IPv4Address)


def _between(address: str, low: int, high: int, bound: BoundValues) -> str:
    return f"{address} >= {_bytes(low, bound)} AND {address} <= {_bytes(high, bound)}"


def _bytes(address: int, bound: BoundValues) -> str:
    return f"toFixedString(unhex({bound.text(f'{address:032X}')}), 16)"
