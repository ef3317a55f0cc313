"""The settings of a server, whatever they come from."""

from pegcount.settings.serve_settings import (
    DEFAULT_METRICS_ADDRESS,
    LogFormat,
    LogSettings,
    ServeSettings,
    TlsPaths,
)

__all__ = ["DEFAULT_METRICS_ADDRESS", "LogFormat", "LogSettings", "ServeSettings", "TlsPaths"]
