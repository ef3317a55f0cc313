"""Values of options that are names out of a list."""

from collections.abc import Iterable

from pegcount.cli.report.option_error import ReportOptionError
from pegcount.suggestion import did_you_mean
from pegcount.v1.records_pb2 import SessionKind
from pegcount.v1.reports_pb2 import Granularity

GRANULARITIES = [name.removeprefix("GRANULARITY_") for name in Granularity.keys()[1:]]
KINDS = [name.removeprefix("SESSION_KIND_") for name in SessionKind.keys()[1:]]


def granularity(option: str, text: str) -> str:
    """Returns the name in the contract of `DAY` or `five-minutes`; raises ReportOptionError."""
    return f"GRANULARITY_{known_name(option, text, GRANULARITIES)}"


def kind(option: str, text: str) -> str:
    """Returns the name in the contract of `CALL` or `tts`; raises ReportOptionError."""
    return f"SESSION_KIND_{known_name(option, text, KINDS)}"


def known_name(option: str, text: str, known: Iterable[str]) -> str:
    """Returns the name that a text is but for case, and hyphens for underscores; raises ReportOptionError."""
    names = list(known)
    for name in names:
        if name.casefold() == text.casefold().replace("-", "_"):
            return name
    raise ReportOptionError(f"{option}: {text!r} is not one of {', '.join(names)}{did_you_mean(text, names)}")
