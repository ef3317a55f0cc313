"""What the certificate of a client says, if its connection has one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import grpc
from cryptography import x509

_SECURITY = "transport_security_type"
_CERTIFICATE = "x509_pem_cert"
"""Where gRPC keeps the certificate that it has verified. It keeps names as well, but ends them at a NUL."""
_KINDS = (x509.DNSName, x509.UniformResourceIdentifier, x509.RFC822Name)
_CACHED_COUNT = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that was verified when its connection began."""

    names: tuple[str, ...]
    """Its subject alternative names, exactly as in it: DNS names, then URIs, then e-mail addresses."""
    end_us: int
    """When its validity ends, in microseconds UTC."""


_UNREADABLE = ClientCertificate((), end_us=0)
"""Stands for a certificate that gRPC understands and this server does not; it counts as expired."""


def client_certificate(context: "grpc.aio.ServicerContext[object, object]") -> ClientCertificate | None:
    """Returns the certificate of the client.

    None without TLS, and without a certificate that an authority of `--client-ca` signed: gRPC asks for one
    only where it must be valid, and ends the handshake if it is not. gRPC does not look at its dates again
    when a client resumes an earlier TLS session, so the caller must.
    """
    found = context.auth_context()
    if b"ssl" not in found.get(_SECURITY, ()):
        return None
    return next((_parsed(bytes(pem)) for pem in found.get(_CERTIFICATE, ())), None)


@lru_cache(_CACHED_COUNT)
def _parsed(pem: bytes) -> ClientCertificate:
    """Parses a certificate, which takes some 100 us, once for many calls."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        end_us = (certificate.not_valid_after_utc - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, x509.InvalidVersion):
        return _UNREADABLE
    try:
        names = tuple(_names(certificate))
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        names = ()
    # A name with a control character may look like another one to whatever shows or cuts it.
    return ClientCertificate(names if all(map(str.isprintable, names)) else (), end_us)


def _names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for kind in _KINDS:
        yield from found.get_values_for_type(kind)
