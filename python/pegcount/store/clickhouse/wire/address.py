"""The address of a cluster: `clickhouse://USER@HOST:PORT,HOST:PORT/DATABASE?OPTION=VALUE`."""

import base64
import re
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import parse_qsl, quote, unquote

from pegcount.errors import StoreAddressError, cause_of, quoted
from pegcount.store.clickhouse.wire.password_file import password_of_file
from pegcount.suggestion import did_you_mean

_T = TypeVar("_T")

_PLAIN, _TLS = "clickhouse", "clickhouses"
_PORTS: Final = {_PLAIN: 8_123, _TLS: 8_443}
_PORT_MAX: Final = 65_535
_DATABASE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST_PORT: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_USER: Final = "default"
_TLS_OPTIONS: Final = ("ca", "certificate", "key")
_OPTIONS: Final = ("password_file", *_TLS_OPTIONS)
_EXAMPLE: Final = "clickhouse://user@h1:8123,h2:8123/database"


@dataclass(frozen=True, slots=True)
class HostPort:
    """Where a server listens; the host of an IPv6 address is without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """Where the servers of a cluster are, and how Pegcount shows who it is. No text has the password."""

    shards: tuple[tuple[HostPort, ...], ...]
    """The replicas of each shard; the first one takes the writes."""
    database: str
    user: str = _USER
    password: str = field(default="", repr=False)
    password_file: Path | None = None
    """Where the password is from, None if from elsewhere."""
    is_tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @staticmethod
    def is_url(text: str) -> bool:
        """Whether a text is meant as the address of a cluster, and not as a directory."""
        return "://" in text

    @classmethod
    def parse(cls, url: str, password: str | None = None) -> "ClusterAddress":
        """Returns the address that a URL describes; `password` is one from elsewhere than the URL.

        Raises StoreAddressError, which names all that is wrong, and repeats no password.
        """
        return _Parsed(url, password).address()

    def headers(self) -> Mapping[str, str]:
        """Returns the headers of HTTP that show who asks."""
        shown = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {shown}"}

    def tls_context(self) -> ssl.SSLContext | None:
        """Returns what TLS needs, None without TLS; raises StoreAddressError if a file cannot be used."""
        if not self.is_tls:
            return None
        context = _checked("ca", self.ca, lambda: ssl.create_default_context(cafile=self.ca))
        certificate = self.certificate
        if certificate is not None:
            # Without a password, OpenSSL would ask the terminal for that of an encrypted key.
            _checked("key", self.key, lambda: _require_readable(self.key))
            _checked(
                "certificate",
                certificate,
                lambda: context.load_cert_chain(certificate, self.key, password=""),
            )
        return context

    def __str__(self) -> str:
        scheme = _TLS if self.is_tls else _PLAIN
        hosts = ",".join("|".join(map(str, replicas)) for replicas in self.shards)
        # Commands that messages propose need the files, too.
        files = ((name, getattr(self, name)) for name in _OPTIONS)
        options = "&".join(f"{name}={quote(str(path))}" for name, path in files if path is not None)
        return f"{scheme}://{self.user}@{hosts}/{self.database}{'?' if options else ''}{options}"


class _Parsed:
    """Takes a URL apart, and collects what is wrong with it.

    Nothing before its last @ is repeated in an error but a name without a password.
    """

    def __init__(self, url: str, password: str | None) -> None:
        self._problems: list[str] = []
        self._password = password
        scheme, _, rest = url.partition("://")
        self._scheme = self._checked_scheme(scheme)
        user, at, place = rest.rpartition("@")
        self._user = self._checked_user(user) if at else _USER
        authority, _, query = place.partition("?")
        hosts, _, path = authority.partition("/")
        self._shards = self._checked_shards(hosts)
        self._database = self._checked_database(path)
        self._options = self._checked_options(query)

    def address(self) -> ClusterAddress:
        """Returns the address; raises StoreAddressError with all problems."""
        password = self._checked_password()
        if self._problems:
            raise StoreAddressError(f"the address of the cluster: {'; '.join(self._problems)}")
        files = {name: Path(self._options[name]) for name in _OPTIONS if name in self._options}
        is_tls = self._scheme == _TLS
        return ClusterAddress(self._shards, self._database, self._user, password, is_tls=is_tls, **files)

    def _checked_scheme(self, scheme: str) -> str:
        if scheme in _PORTS:
            return scheme
        near = did_you_mean(scheme, _PORTS)
        self._problems.append(f'it begins with {_PLAIN}:// or, for TLS, {_TLS}://, as "{_EXAMPLE}"{near}')
        return _PLAIN

    def _checked_user(self, user: str) -> str:
        name = unquote(user)
        if not name:
            self._problems.append("the name of the user before @ is missing")
        elif any(mark in user for mark in ":/?@"):
            self._problems.append(
                "before @ it has the name of a user and nothing else; a password, which other users of this"
                " host could read there, goes into the file that the option password_file names, and an @ in"
                " an option is written %40"
            )
        elif not name.isprintable() or ":" in name:
            self._problems.append("the name of the user has a character that it must not have")
        return name

    def _checked_shards(self, hosts: str) -> tuple[tuple[HostPort, ...], ...]:
        shards = tuple(
            tuple(filter(None, map(self._checked_host, shard.split("|")))) for shard in hosts.split(",")
        )
        named = [server for replicas in shards for server in replicas]
        for server in dict.fromkeys(named):
            if (count := named.count(server)) > 1:
                self._problems.append(f"{server} is named {count} times; each server is of one shard")
        return shards

    def _checked_host(self, text: str) -> HostPort | None:
        found = _HOST_PORT.fullmatch(text)
        if found is None or not _is_host(found[1]):
            shown = quoted(text) if text else "a host is missing: an empty text"
            form = "HOST, HOST:PORT or [IPV6]:PORT; a comma separates shards, and | the replicas of one"
            self._problems.append(f"{shown} is not {form}")
            return None
        port = int(found[2]) if found[2] else _PORTS[self._scheme]
        if not 0 < port <= _PORT_MAX:
            self._problems.append(f"the port of {text} must be a number from 1 to {_PORT_MAX}")
        return HostPort(found[1].strip("[]").lower(), port)

    def _checked_database(self, path: str) -> str:
        if not path:
            self._problems.append("the name of the database after the hosts and / is missing")
        elif not _DATABASE.fullmatch(path):
            rule = "letters, digits and underscores, and begins with none of the digits"
            self._problems.append(f"the database {quoted(path)} must be a name of {rule}")
        return path

    def _checked_options(self, query: str) -> Mapping[str, str]:
        given = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)
        options = dict(given)
        counts = Counter(name for name, _ in given)
        for name, value in options.items():
            self._problems.extend(self._problems_of_option(name, value, counts[name]))
        if ("key" in options) != ("certificate" in options):
            self._problems.append("certificate and key go together")
        return options

    def _problems_of_option(self, name: str, value: str, count: int) -> Iterator[str]:
        if name not in _OPTIONS:
            near = did_you_mean(name, _OPTIONS)
            yield f"the option {quoted(name)} is unknown; there are {', '.join(_OPTIONS)}{near}"
        elif count > 1:
            yield f"{name} is given {count} times"
        elif not value:
            yield f"{name} names a file, and is empty"
        elif name in _TLS_OPTIONS and self._scheme != _TLS:
            yield f"{name} is for TLS only: begin with {_TLS}://"

    def _checked_password(self) -> str:
        path = self._options.get("password_file")
        if not path:
            return self._password or ""
        if self._password is not None:
            self._problems.append("the password is given twice: by password_file and by the environment")
        try:
            return password_of_file(Path(path))
        except StoreAddressError as error:
            self._problems.append(str(error))
        return ""


def _is_host(text: str) -> bool:
    """Whether a host without brackets is a name or an IPv4 address, and one with brackets an IPv6 address."""
    if not text.startswith("["):
        return True
    try:
        IPv6Address(text[1:-1])
    except ValueError:
        return False
    return True


def _checked(option: str, path: Path | None, use: Callable[[], _T]) -> _T:
    try:
        return use()
    except ssl.SSLError as error:
        reason = error.reason.lower().replace("_", " ") if error.reason else "it is not a PEM file"
        raise StoreAddressError(f"{option} {path} cannot be used: {reason}") from error
    except (OSError, ValueError) as error:
        raise StoreAddressError(f"{option} {path}: {cause_of(error)}") from error


def _require_readable(path: Path | None) -> None:
    if path is not None:
        path.read_bytes()
