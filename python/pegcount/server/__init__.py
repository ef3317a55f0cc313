"""The gRPC server; apart from `pegcount.client`, only this package imports gRPC."""

from pegcount.server.app import RunningServer, build_server

__all__ = ["RunningServer", "build_server"]
