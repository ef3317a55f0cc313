"""Names of dimension values that are numbers in the contract: weekdays, kinds of sessions, who released."""

import re
from collections.abc import Mapping
from typing import Final

from pegcount.cli.report.human_times import WEEKDAYS
from pegcount.cli.report.names import KINDS
from pegcount.cli.report.option_error import ReportOptionError
from pegcount.v1.records_pb2 import ReleaseParty

_NUMBER: Final = re.compile(r"-?[0-9]+")
_LETTERS_MIN: Final = 3
"""Letters of a name that suffice, such as `mon`."""
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "WEEKDAY": tuple(WEEKDAYS),
    "KIND": tuple(name.lower() for name in KINDS),
    "RELEASE_PARTY": tuple(name.removeprefix("RELEASE_PARTY_").lower() for name in ReleaseParty.keys()[1:]),
}
"""By dimension, the names of 1, 2 and so on."""


def weekday(option: str, text: str) -> int:
    """Returns the number of `mon` or `Monday`, 1 to 7; raises ReportOptionError."""
    return number_of("WEEKDAY", option, text)


def number_of(dimension: str, option: str, text: str) -> int:
    """Returns the number that a text is, or names in a dimension; raises ReportOptionError."""
    given, names = text.strip(), _NAMES.get(dimension, ())
    if _NUMBER.fullmatch(given) is not None:
        return int(given)
    for number, name in enumerate(names, 1):
        if len(given) >= _LETTERS_MIN and name.startswith(given.casefold()):
            return number
    allowed = f" or one of {', '.join(names)}" if names else ""
    raise ReportOptionError(f"{option}: {text!r} is not a whole number{allowed}")
