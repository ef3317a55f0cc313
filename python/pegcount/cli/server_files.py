"""The files that options about a server name: keys and tokens, certificates and authorities."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from pegcount_client import Tls
from pegcount_client.credential import Credential

from pegcount.auth import TokenFileError, read_secret_file
from pegcount.errors import PegcountError, cause_of

_T = TypeVar("_T")

_SECRETS: Final = ("pk_", "eyJ")
"""How keys and tokens begin: who gives one in place of a file would find it in the error."""


class ServerFileError(PegcountError):
    """A file of an option about a server cannot be used; the text says why, and never what it contains."""


def checked_key(text: str) -> str:
    """Returns a key; raises ValueError if it cannot be sent."""
    Credential(api_key=text)
    return text


def checked_token(text: str) -> str:
    """Returns a token; raises ValueError if it cannot be sent."""
    Credential(token=text)
    return text


def key_of_file(path: Path) -> str:
    """Returns the key in a file that only its owner may read; raises ServerFileError."""
    return _checked("--api-key-file", path, lambda: checked_key(_text("--api-key-file", path)))


def token_of_file(path: Path) -> Callable[[], str]:
    """Returns what reads the token in a file that only its owner may read, again before each call.

    Raises ServerFileError, as a later call does that finds the file in another state.
    """

    def token() -> str:
        return _checked("--token-file", path, lambda: checked_token(_text("--token-file", path)))

    token()
    return token


def tls_of_files(authorities: Path | None, certificate: Path | None, key: Path | None) -> Tls:
    """Returns TLS with PEM files, without authorities with those of this system; raises ServerFileError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authorities is not None:
        _require_readable("--ca", authorities)
        _checked("--ca", authorities, lambda: context.load_verify_locations(authorities))
    if certificate is not None and key is not None:
        _require_readable("--cert", certificate)
        _require_readable("--key", key)
        # Without a password, OpenSSL would ask the terminal for that of an encrypted key.
        _checked("--cert", certificate, lambda: context.load_cert_chain(certificate, key, password=""))
    return Tls(
        root_certificates=authorities or _system_authorities(), private_key=key, certificate_chain=certificate
    )


def _system_authorities() -> Path | None:
    """Returns the file of OpenSSL, also that of SSL_CERT_FILE; gRPC alone would trust a list of its own."""
    file = ssl.get_default_verify_paths().cafile
    return None if file is None else Path(file)


def _text(option: str, path: Path) -> str:
    _require_path(option, path)
    try:
        return read_secret_file(path).decode("utf-8").strip()
    except TokenFileError as error:
        raise ServerFileError(f"{option}: {error}") from error
    except UnicodeDecodeError as error:
        raise ServerFileError(f"{option}: {path} is not a text") from error


def _require_readable(option: str, path: Path) -> None:
    _require_path(option, path)
    try:
        path.read_bytes()
    except OSError as error:
        raise ServerFileError(f"{option}: {path}: {cause_of(error)}") from error


def _require_path(option: str, path: Path) -> None:
    if path.name.startswith(_SECRETS) and not path.exists():
        raise ServerFileError(
            f"{option} names a file, and is given what seems to be a key or a token: give these by"
            " PEGCOUNT_API_KEY and PEGCOUNT_TOKEN"
        )


def _checked(option: str, path: Path, make: Callable[[], _T]) -> _T:
    try:
        return make()
    except ssl.SSLError as error:
        reason = (error.reason or "no PEM file").lower().replace("_", " ")
        raise ServerFileError(f"{option}: {path} cannot be used: {reason}") from error
    except ValueError as error:
        raise ServerFileError(f"{option}: {path}: {error}") from error
