"""Telephone-traffic reports from call records, over gRPC."""

from importlib.metadata import version

__version__ = version("pegcount")
