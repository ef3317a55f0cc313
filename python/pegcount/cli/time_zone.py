"""Options of a command that reads local times: their zone, and the instants that they mean."""

from pegcount import calendar
from pegcount.errors import PegcountError
from pegcount.time_hints import time_problem
from pegcount.time_text import REQUEST, TimeTextError, read_time
from pegcount.zone import Zone


class TimeZoneOptionError(PegcountError):
    """`--time-zone` names no zone."""


class TimeOptionError(PegcountError):
    """An option is not a time."""


def zone_of_option(name: str) -> Zone:
    """Returns the zone of a name; raises TimeZoneOptionError."""
    zone = calendar.zone(name)
    if zone is None:
        hint = calendar.zone_hint(name)
        raise TimeZoneOptionError(f"--time-zone: {name!r} is not an IANA time zone{hint}")
    return zone


def instant_of_option(option: str, text: str, zone: Zone) -> int:
    """Returns the instant that an option means, in microseconds UTC; raises TimeOptionError."""
    try:
        return read_time(text, REQUEST).instant_us(zone)
    except TimeTextError as error:
        raise TimeOptionError(f"{option}: {time_problem(text, error).description}") from error
