"""The log of a server: lines as text or JSON, which a thread writes, and a line for each call."""

from pegcount.logs.log import Log, LogFileError, opened
from pegcount.logs.standard_files import occupy_standard_files

__all__ = ["Log", "LogFileError", "occupy_standard_files", "opened"]
