"""A server process: what `pegcount serve` runs."""

from pegcount.process.opening import StoppedWhileOpeningError
from pegcount.process.reloading import ReloadRequest
from pegcount.process.running import ServerFailedError, serve
from pegcount.process.serve_inputs import unusable_inputs
from pegcount.process.signals import signals_taken
from pegcount.process.stop_request import StopRequest

__all__ = [
    "ReloadRequest",
    "ServerFailedError",
    "StopRequest",
    "StoppedWhileOpeningError",
    "serve",
    "signals_taken",
    "unusable_inputs",
]
