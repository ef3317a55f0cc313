"""Where the value of a setting comes from, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pegcount.errors import PegcountError


class Source(StrEnum):
    """What gives a value; a later one beats those before it."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stands."""

    source: Source = Source.DEFAULT
    place: str = ""
    """`FILE:LINE`, the variable, or the option."""

    def __str__(self) -> str:
        return f"{self.source} {self.place}".rstrip()


BY_DEFAULT: Final = Origin()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the settings."""

    place: str
    """Where, as the place of an origin; "" where the text says it."""
    text: str
    keys: tuple[str, ...] = ()
    """The settings that it is about, if they are known."""

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class SettingsError(PegcountError):
    """The settings of a server cannot be used; the text has all problems, each on a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in problems]
        if len(lines) > 1:
            lines = [f"{len(lines)} problems with the settings:", *(f"  {line}" for line in lines)]
        super().__init__("\n".join(lines))
