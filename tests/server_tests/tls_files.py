"""The files of a server's TLS, as an operator replaces them."""

import ssl
from pathlib import Path

import grpc
from certificate_authority import CertificateAuthority, Identity
from pegcount.server import TlsFiles


class Tls:
    """The files of a server's TLS, and what its clients trust."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.authority = CertificateAuthority()
        self.clients = CertificateAuthority("authority of clients")
        self.files = TlsFiles(directory / "certificate.pem", directory / "key.pem")
        self.with_clients = TlsFiles(self.files.certificate, self.files.key, directory / "clients.pem")
        (directory / "clients.pem").write_bytes(self.clients.certificate)
        self.identity = self.replace()

    def replace(self) -> Identity:
        """Writes a new certificate and key, and returns them."""
        self.identity = self.authority.issue()
        self.identity.write(self.files.certificate, self.files.key)
        return self.identity

    def trusted(self, identity: Identity | None = None) -> grpc.ChannelCredentials:
        """Returns the credentials of a client, with a certificate of its own if given."""
        if identity is None:
            return grpc.ssl_channel_credentials(self.authority.certificate)
        return grpc.ssl_channel_credentials(self.authority.certificate, identity.key, identity.certificate)

    def served(self, address: str) -> bytes:
        """Returns the certificate that the server shows to a new connection."""
        host, _, port = address.rpartition(":")
        return ssl.get_server_certificate((host, int(port))).encode()
