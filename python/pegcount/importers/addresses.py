"""IP addresses of records: the texts that are accepted, and the one form in which they are stored.

Filters compare addresses, and an unreadable one matches none of them. So every text is either brought into
the form of RFC 5952 or rejected. tests/address_cases.txt has a line for each form.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.masked import masked_address

ADDRESS_FIELDS = frozenset({"auth_orig_ip"})
"""Text fields that hold an address."""

# Longer texts are not addresses. The bound also limits the memory of the cache.
_TEXT_CHARS_MAX = 100
_CACHED_ADDRESS_COUNT_MAX = 4096
_PORT_MAX = 65_535
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::([0-9]{1,5}))?")
_WITH_PORT = re.compile(r"([0-9.]+):([0-9]{1,5})")
_WITH_PREFIX = re.compile(r"([0-9A-Fa-f.:]+)/(32|128)")
# The zone of RFC 4007 has a meaning only on the host that wrote it, and no filter can name it.
_WITH_ZONE = re.compile(r"([0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*)%[0-9A-Za-z._~-]+")


def read_address(name: str, text: str) -> str:
    """Returns the plain address of a text, without its port, brackets, full prefix length or zone.

    An IPv4-mapped IPv6 address becomes the IPv4 address. Raises UnreadableRowError, naming the field, for any
    other text.
    """
    try:
        if len(text) <= _TEXT_CHARS_MAX:
            return _plain_address(text)
    except ValueError:
        pass
    raise UnreadableRowError(f"{name}: {masked_address(text)!r} is no IPv4 or IPv6 address")


# Few addresses occur in most rows, and reading one takes as long as a tenth of a row.
@lru_cache(maxsize=_CACHED_ADDRESS_COUNT_MAX)
def _plain_address(text: str) -> str:
    """Returns the plain address; raises ValueError."""
    if match := _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text):
        host, port = match.groups()
        if port is not None and int(port) > _PORT_MAX:
            raise ValueError(text)
        return str(_host(host))
    if match := _WITH_PREFIX.fullmatch(text):
        address = ip_address(match[1])
        if address.max_prefixlen != int(match[2]):
            raise ValueError(text)
        return str(_unmapped(address))
    return str(_host(text))


def _host(text: str) -> IPv4Address | IPv6Address:
    match = _WITH_ZONE.fullmatch(text)
    if match is None and "%" in text:
        raise ValueError(text)
    return _unmapped(ip_address(match[1] if match else text))


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
