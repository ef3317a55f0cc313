"""Addresses of servers: what gRPC would take without a word, and never reach, is refused."""

import ipaddress
import re
from typing import Final
from urllib.parse import quote

_UNIX_PATH: Final = "unix:"
_UNIX: Final = (_UNIX_PATH, "unix-abstract:")
_LIST: Final = re.compile(r"(?:ipv4|ipv6):(?P<all>[^/].*,.*)")
"""The addresses of several servers, any of which answers: `ipv4:192.0.2.1:50051,192.0.2.2:50051`."""
_NAMED_RESOLVER: Final = re.compile(r"(?:dns|ipv4|ipv6):(?://[^/]*/|/*)(?P<rest>.+)")
"""An address with a resolver of gRPC, such as `dns:///host:50051`, and what it resolves."""
_PORT_MAX: Final = 65_535


def check_address(address: str) -> None:
    """Raises ValueError for an address that is not `HOST:PORT`, nor `unix:PATH`, nor a list of addresses."""
    for each in _listed(address):
        if not _is_unix(each):
            _check_host_and_port(each)


def _check_host_and_port(address: str) -> None:
    scheme, separator, rest = address.partition("://")
    if separator and scheme.lower() in ("http", "https", "grpc", "grpcs"):
        hint = " with tls=True" if scheme.lower() in ("https", "grpcs") else ""
        raise ValueError(f'address {address!r} has a scheme; did you mean "{rest.rstrip("/")}"{hint}?')
    host, port = _host_and_port(address)
    if "," in host:
        raise ValueError(f'address {address!r} is a list; did you mean "ipv4:{address}"?')
    if not port:
        raise ValueError(f'address {address!r} has no port; did you mean "{host}:50051"?')
    if ":" in host and not host.startswith("["):
        raise ValueError(
            f'address {address!r} may be an IPv6 address without a port; did you mean "[{address}]:50051"?'
        )
    if not host or not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) <= _PORT_MAX):
        raise ValueError(
            f"address {address!r} must be HOST:PORT with a port from 1 to {_PORT_MAX}, or unix:PATH;"
            ' for example "127.0.0.1:50051"'
        )


def target_of(address: str) -> str:
    """Returns a valid address as gRPC takes it, which reads the path of a Unix socket as one of a URI."""
    if not address.startswith(_UNIX_PATH):
        return address
    return _UNIX_PATH + quote(address.removeprefix(_UNIX_PATH))


def is_of_this_host(address: str) -> bool:
    """Returns whether calls to a valid address stay on this host: loopback, or a Unix socket."""
    return all(_is_unix(each) or _is_loopback(each) for each in _listed(address))


def _listed(address: str) -> list[str]:
    """Returns the addresses of a list, or the one that an address is."""
    listed = _LIST.fullmatch(address)
    return listed["all"].split(",") if listed else [address]


def _is_loopback(address: str) -> bool:
    host = _host_and_port(address)[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_unix(address: str) -> bool:
    return address.startswith(_UNIX)


def _host_and_port(address: str) -> tuple[str, str]:
    """Splits at the last colon; a bracketed or bare host without one has the port ""."""
    resolved = _NAMED_RESOLVER.fullmatch(address)
    host_and_port = resolved["rest"] if resolved else address
    host, colon, port = host_and_port.rpartition(":")
    if not colon or "]" in port:
        return host_and_port, ""
    return host, port
