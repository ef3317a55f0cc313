"""The option `--time-zone` of a command that reads local times."""

from pegcount import calendar
from pegcount.errors import PegcountError
from pegcount.zone import Zone


class TimeZoneOptionError(PegcountError):
    """`--time-zone` names no zone."""


def zone_of_option(name: str) -> Zone:
    """Returns the zone of a name; raises TimeZoneOptionError."""
    zone = calendar.zone(name)
    if zone is None:
        hint = calendar.zone_hint(name)
        raise TimeZoneOptionError(f"--time-zone: {name!r} is not an IANA time zone{hint}")
    return zone
