"""Times and zones: as Python has them, and as the texts of the contract."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Time: TypeAlias = datetime | date | str
"""A time of a request.

A datetime with a `tzinfo` is that instant. One without is local in the `time_zone` of the request. A date is
the first instant of that day there. A text is sent as it is: `2026-03-30`, `2026-03-30T08:00:00`,
`2026-03-30T08:00:00.5+02:00`.
"""

Day: TypeAlias = date | str
"""A local day in the `time_zone` of the request, or its text, `YYYY-MM-DD` or `YYYYMMDD`."""

Zone: TypeAlias = str | tzinfo
"""An IANA name such as `Europe/Berlin`, a ZoneInfo, or `datetime.UTC`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)
_NAMED: Final = 'give an IANA name, such as "Europe/Berlin", or a zoneinfo.ZoneInfo'


class UnknownZoneError(LookupError):
    """This machine has no rules of a time zone."""


def time_text(value: Time, *, what: str) -> str:
    """Returns a time as the contract writes it, exact to the microsecond; `what` names it in errors.

    Raises ValueError for a local time that says that it is the second of two (`fold=1`), and for nanoseconds
    of a pandas Timestamp; TypeError for another type.

    >>> time_text(datetime(2026, 3, 30, 8, tzinfo=ZoneInfo("Europe/Berlin")), what="from_time")
    '2026-03-30T08:00:00+02:00'
    >>> time_text(datetime(2026, 3, 30, 8), what="from_time")
    '2026-03-30T08:00:00'
    >>> time_text(date(2026, 3, 30), what="from_time")
    '2026-03-30'
    """
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return _datetime_text(value, what)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{what} is a datetime, a date or a text, not {type(value).__name__}")


def day_text(value: Day, *, what: str) -> str:
    """Returns a day as the contract writes it. Raises TypeError for a datetime and other types."""
    if isinstance(value, datetime):
        raise TypeError(
            f"{what} is a day, not a datetime; next step: pass its date(), in the zone that you mean"
        )
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    raise TypeError(f"{what} is a date or a text, not {type(value).__name__}")


def zone_name(zone: Zone) -> str:
    """Returns the name of a zone as the contract writes it.

    Raises ValueError for a zone without an IANA name, such as a fixed offset; TypeError for another type.
    """
    if isinstance(zone, str):
        return zone
    if zone is UTC:
        return "UTC"
    if not isinstance(zone, tzinfo):
        raise TypeError(f"time_zone is a text or a tzinfo, not {type(zone).__name__}; {_NAMED}")
    name = _iana_name(zone)
    if name is None:
        raise ValueError(f"time_zone {zone!r} has no IANA name; next step: {_NAMED}")
    return name


def check_exact(value: datetime, *, what: str) -> None:
    """Raises ValueError for datetimes of pandas that are not a time (NaT), or have nanoseconds."""
    if value != value:
        raise ValueError(f"{what} is not a time: {value!r}; next step: None where there is none")
    if getattr(value, "nanosecond", 0):
        raise ValueError(f'{what} has nanoseconds; next step: round it to microseconds, as by floor("us")')


def zone_of_times(values: Iterable[object]) -> str | None:
    """Returns the name of the zone that datetimes carry, None if they carry none with a name.

    UTC does not count, as it mostly is a way to store an instant. Raises ValueError for different zones.
    """
    found = (_iana_name(value.tzinfo) for value in values if isinstance(value, datetime))
    names = list(dict.fromkeys(name for name in found if name is not None and name != "UTC"))
    if len(names) > 1:
        raise ValueError(
            f"the times are in different zones, {' and '.join(names)};"
            " next step: say with time_zone which of them the report is in"
        )
    return names[0] if names else None


def instant_us(text: str) -> int:
    """Returns an RFC 3339 time of an answer as microseconds since 1970 UTC."""
    since = datetime.fromisoformat(text) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def zoned_time(value_us: int, zone: tzinfo) -> datetime:
    """Returns microseconds since 1970 UTC as a time in a zone."""
    return (_EPOCH + timedelta(microseconds=value_us)).astimezone(zone)


def time_in_zone(text: str, time_zone: str) -> datetime:
    """Returns an RFC 3339 time of an answer in a zone. Raises UnknownZoneError."""
    return datetime.fromisoformat(text).astimezone(zone_named(time_zone))


def zone_named(name: str) -> tzinfo:
    """Returns the zone with an IANA name; UTC needs no files. Raises UnknownZoneError."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZoneError(
            f'this machine has no rules of the time zone "{name}"; next step: pip install tzdata,'
            " or ask for the report in UTC"
        ) from error


def _iana_name(zone: tzinfo | None) -> str | None:
    # The attribute of a ZoneInfo, and that of a pytz zone, which pandas 2 makes.
    names = (getattr(zone, attribute, None) for attribute in ("key", "zone"))
    return next((name for name in names if isinstance(name, str)), None)


def _datetime_text(value: datetime, what: str) -> str:
    check_exact(value, what=what)
    offset = value.utcoffset()
    if offset is None:
        if value.fold:
            raise ValueError(
                f"{what} is the second of two equal local times (fold=1), which a text without an offset"
                " cannot say; next step: give the datetime a tzinfo"
            )
        return value.isoformat()
    # The contract writes offsets in whole minutes.
    return (value.astimezone(UTC) if offset % _MINUTE else value).isoformat()
