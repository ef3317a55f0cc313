"""The gRPC server; apart from `pegcount.client`, only this package imports gRPC."""

from pegcount.server.app import ListenOptions, RunningServer, now_us
from pegcount.server.authentication import Authentication
from pegcount.server.certificate_files import TlsFiles
from pegcount.server.listening import require_safe
from pegcount.server.unix_socket import is_unix

__all__ = [
    "Authentication",
    "ListenOptions",
    "RunningServer",
    "TlsFiles",
    "is_unix",
    "now_us",
    "require_safe",
]
