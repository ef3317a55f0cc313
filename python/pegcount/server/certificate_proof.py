"""Proves that gRPC can use certificates, which it does not say once a server runs.

It would go on with the certificates and authorities that it had before, without a word. The library that
reads the files here and the one in gRPC do not accept quite the same certificates.
"""

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import grpc

from pegcount.server.certificate_files import ALLOWED_KEYS, TlsFileError, TlsFiles, TlsMaterial

_HOST = "127.0.0.1"
_SECONDS_MAX = 5.0


def configuration(material: TlsMaterial) -> grpc.ServerCertificateConfiguration:
    """Returns what gRPC takes for the content of the files of TLS."""
    return grpc.ssl_server_certificate_configuration(
        [(material.key, material.chain)], material.client_authorities
    )


def prove(material: TlsMaterial, files: TlsFiles) -> None:
    """Makes a server of a few milliseconds on this machine, which offers nothing, and connects to it.

    `files` are those of the material. Raises TlsFileError if gRPC cannot use them.
    """
    requires = material.client_authorities is not None
    credentials = grpc.dynamic_ssl_server_credentials(configuration(material), lambda: None, requires)  # type: ignore[arg-type, return-value]
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        try:
            port = server.add_secure_port(f"{_HOST}:0", credentials)
        except RuntimeError as error:
            how = f"it does not listen on {_HOST} with them, and GRPC_VERBOSITY=ERROR has it log why"
            raise _refused(files, how) from error
        server.start()
        try:
            _shake_hands(port)
        except OSError as error:
            raise _refused(files, f"the handshake on {_HOST} failed: {error}") from error
        finally:
            server.stop(None).wait()


def _shake_hands(port: int) -> None:
    """Raises OSError unless the server has proved that the key is its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # This asks whether gRPC can use the certificate, not whether clients trust it.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # With 1.2, a server that needs a certificate of the client would end the handshake.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((_HOST, port), _SECONDS_MAX) as client, context.wrap_socket(client):
        pass


def _refused(files: TlsFiles, how: str) -> TlsFileError:
    names = ", ".join(map(str, files.all()))
    return TlsFileError(f"gRPC cannot use {names}: {how}; allowed are keys of {ALLOWED_KEYS}")
