"""Certificates for tests of TLS, made as they are needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

LOOPBACK_NAMES = (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))
YEARS_AGO = timedelta(days=1_000)


@dataclass(frozen=True)
class Identity:
    """A certificate with its key, as PEM."""

    certificate: bytes
    key: bytes

    def write(self, certificate: Path, key: Path) -> None:
        """Writes both, the key for its user only."""
        certificate.write_bytes(self.certificate)
        key.write_bytes(self.key)
        key.chmod(0o600)


class CertificateAuthority:
    """An authority; its certificates are valid from years ago, and for 10 more days unless told otherwise."""

    def __init__(self, name: str = "test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = name
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = _builder(name, name, self._key, timedelta(days=100))
        builder = builder.add_extension(constraints, critical=True)
        self.certificate = builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def issue(
        self,
        names: Sequence[x509.GeneralName] = LOOPBACK_NAMES,
        valid_for: timedelta = timedelta(days=10),
        key: PrivateKey | None = None,
    ) -> Identity:
        """Makes a certificate; with a negative `valid_for`, it has expired."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = _builder("test", self._name, key, valid_for)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return Identity(builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM), pem_of(key))


def pem_of(key: PrivateKey) -> bytes:
    """Returns a key as PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _builder(subject: str, issuer: str, key: PrivateKey, valid_for: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer_name=_name(issuer),
        subject_name=_name(subject),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - YEARS_AGO,
        not_valid_after=now + valid_for,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
