"""A server process: what `pegcount serve` runs."""

from pegcount.process.running import ServerFailedError, serve

__all__ = ["ServerFailedError", "serve"]
