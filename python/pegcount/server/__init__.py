"""The gRPC server; apart from `pegcount.client`, only this package imports gRPC."""

from pegcount.server.app import RunningServer, now_us
from pegcount.server.authentication import Authentication
from pegcount.server.listening import require_loopback

__all__ = ["Authentication", "RunningServer", "now_us", "require_loopback"]
