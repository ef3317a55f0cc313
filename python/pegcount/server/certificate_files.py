"""Reads and checks the files of TLS: the certificate with its chain, its key, and authorities of clients."""

import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import PublicKeyAlgorithmOID

from pegcount.errors import PegcountError

_CURVES = (ec.SECP256R1, ec.SECP384R1)
_RSA_BITS_MIN = 2_048
ALLOWED_KEYS = f"RSA of {_RSA_BITS_MIN} bits or more, P-256 and P-384"
"""Keys of the server, in words."""
_UNUSABLE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What looking into a certificate raises if it is well-formed PEM and contains something unknown."""
_PUBLIC = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
_OF_OTHERS = 0o077
_OF_OTHERS_UNLESS_ROOTS = 0o027
"""A key of root may be readable by a group: that is how a server without rights gets a key of the machine."""


class TlsFileError(PegcountError):
    """A file of TLS cannot be used."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files of TLS."""

    certificate: Path
    """The certificate of the server, followed by those of the authorities between it and a root."""
    key: Path
    client_authorities: Path | None = None
    """Authorities of client certificates; with it, every client needs a certificate. None: no client does."""

    def all(self) -> tuple[Path, ...]:
        """Returns the paths of all files."""
        return (self.certificate, self.key, *filter(None, [self.client_authorities]))


@dataclass(frozen=True, slots=True)
class Validity:
    """A file, and when all of its certificates are valid; the end is the first one."""

    path: Path
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """What the files contained, as PEM."""

    chain: bytes
    key: bytes
    client_authorities: bytes | None
    validities: tuple[Validity, ...]


def load(files: TlsFiles) -> TlsMaterial:
    """Returns the content of the files; raises TlsFileError if the server could not use it.

    Certificates may have expired, or be valid in the future.
    """
    try:
        return _load(files)
    except _UNUSABLE as error:
        raise TlsFileError(f"cannot use {files.certificate} and {files.key}: {error}") from error


def require_usable(files: TlsFiles) -> None:
    """Raises TlsFileError if a server could not use the files."""
    load(files)


def _load(files: TlsFiles) -> TlsMaterial:
    chain = _certificates(files.certificate)
    key = _private_key(files.key)
    if key.public_key().public_bytes(*_PUBLIC) != chain[0].public_key().public_bytes(*_PUBLIC):
        raise TlsFileError(
            f"the key {files.key} does not belong to the first certificate of {files.certificate}: give the"
            " key that the certificate was requested with, and put the certificate of the server first"
        )
    if chain[0].public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        raise TlsFileError(
            f"the key {files.key} is for RSASSA-PSS only, which gRPC does not know; allowed are"
            f" {ALLOWED_KEYS}"
        )
    validities = [_validity(files.certificate, chain)]
    authorities = None
    if files.client_authorities is not None:
        found = _certificates(files.client_authorities)
        validities.append(_validity(files.client_authorities, found))
        authorities = _pem(found)
    # gRPC gets what was checked, not the text of the files.
    pem_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TlsMaterial(_pem(chain), pem_key, authorities, tuple(validities))


def _certificates(path: Path) -> list[x509.Certificate]:
    data, _ = _read(path)
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise TlsFileError(f"{path} has no certificate in PEM, or a damaged one: {error}") from error


def _private_key(path: Path) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    data, status = _read(path)
    forbidden = status.st_mode & (_OF_OTHERS if status.st_uid else _OF_OTHERS_UNLESS_ROOTS)
    if forbidden:
        allowed = stat.S_IMODE(status.st_mode) & ~forbidden
        raise TlsFileError(f"other users can read or change the key {path}: run chmod {allowed:o} {path}")
    try:
        key = load_pem_private_key(data, None)
    except TypeError as error:
        raise TlsFileError(
            f"the key {path} is encrypted: decrypt it with openssl pkey -in {path} -out FILE"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TlsFileError(f"{path} has no private key in PEM, or a damaged one: {error}") from error
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _RSA_BITS_MIN:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, _CURVES):
        return key
    raise TlsFileError(f"the key {path} is of a kind that clients may not know; allowed are {ALLOWED_KEYS}")


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    try:
        with path.open("rb") as file:
            return file.read(), os.fstat(file.fileno())
    except OSError as error:
        raise TlsFileError(f"cannot read {path}: {error.strerror}") from error


def _validity(path: Path, certificates: list[x509.Certificate]) -> Validity:
    begin = max(each.not_valid_before_utc for each in certificates)
    return Validity(path, begin, min(each.not_valid_after_utc for each in certificates))


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)
