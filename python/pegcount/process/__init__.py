"""A server process: what `pegcount serve` runs."""

from pegcount.process.reloading import ReloadRequest
from pegcount.process.running import ServerFailedError, serve
from pegcount.process.stop_request import StopRequest

__all__ = ["ReloadRequest", "ServerFailedError", "StopRequest", "serve"]
