"""Addresses of the form `HOST:PORT`."""

import ipaddress
import re

_PORT_MAX = 65_535
_PORT = re.compile(r"[0-9]{1,5}")
_HOST = re.compile(r"[A-Za-z0-9._-]*")


class HostPortError(ValueError):
    """What is wrong with the form of an address, without the address itself."""


def host_and_port(address: str) -> tuple[str, int]:
    """Returns the host, with the brackets of an IPv6 address, and the port; an empty host is all addresses.

    Raises HostPortError, also for a port that gRPC would accept and change: it takes 99999 as 34463.
    """
    host, colon, port = address.rpartition(":")
    if not (colon and _PORT.fullmatch(port) and int(port) <= _PORT_MAX):
        raise HostPortError(f"its port must be a number from 0, which is any free one, to {_PORT_MAX}")
    inner = host[1:-1] if host.startswith("[") and host.endswith("]") else None
    if inner is not None and not _is_ipv6(inner):
        raise HostPortError("only an IPv6 address has brackets")
    if inner is None and _is_ipv6(host):
        raise HostPortError(f'an IPv6 address needs brackets; did you mean "[{host}]:{port}"?')
    if inner is None and not _HOST.fullmatch(host):
        raise HostPortError("a host is an IP address or a name of letters, digits, dots and hyphens")
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
