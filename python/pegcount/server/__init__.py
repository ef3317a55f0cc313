"""The gRPC server: the only package that knows gRPC."""

from pegcount.server.app import RunningServer, build_server

__all__ = ["RunningServer", "build_server"]
