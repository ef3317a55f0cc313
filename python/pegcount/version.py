"""The version of the installed service."""

from importlib.metadata import version

VERSION = version("pegcount")
