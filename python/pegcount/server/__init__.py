"""The gRPC server; apart from `pegcount.client`, only this package imports gRPC."""

from pegcount.server.app import RunningServer
from pegcount.server.listening import require_loopback

__all__ = ["RunningServer", "require_loopback"]
