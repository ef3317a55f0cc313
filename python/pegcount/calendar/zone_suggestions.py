"""Names of time zones for UTC offsets that somebody has seen."""

from collections.abc import Iterable

from pegcount.calendar.zones import zone
from pegcount.zone import US_PER_SECOND

_WELL_KNOWN = (
    *("Europe/London", "Europe/Berlin", "Europe/Kyiv", "Europe/Istanbul", "Europe/Moscow", "Europe/Samara"),
    *("America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles"),
    *("America/Anchorage", "America/Halifax", "America/St_Johns", "America/Bogota", "America/Caracas"),
    *("America/Mexico_City", "America/Sao_Paulo", "America/Santiago", "America/Noronha"),
    *("Atlantic/Azores", "Africa/Lagos", "Africa/Johannesburg", "Africa/Nairobi", "Africa/Cairo"),
    *("Asia/Jerusalem", "Asia/Riyadh", "Asia/Tehran", "Asia/Dubai", "Asia/Kabul", "Asia/Karachi"),
    *("Asia/Kolkata", "Asia/Kathmandu", "Asia/Dhaka", "Asia/Yangon", "Asia/Bangkok", "Asia/Shanghai"),
    *("Asia/Singapore", "Australia/Perth", "Australia/Eucla", "Asia/Tokyo", "Australia/Darwin"),
    *("Australia/Adelaide", "Australia/Brisbane", "Australia/Sydney", "Australia/Lord_Howe"),
    *("Pacific/Noumea", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Tongatapu", "Pacific/Kiritimati"),
    *("Pacific/Honolulu", "Pacific/Marquesas", "Pacific/Pago_Pago", "Etc/UTC"),
)


def zones_with_offsets(offsets_s: Iterable[tuple[int, int]], count_max: int) -> list[str]:
    """Returns well-known zones that have each offset, in seconds, at its instant, in Unix time.

    >>> winter, summer = 1_770_000_000, 1_785_000_000
    >>> zones_with_offsets([(winter, 3600), (summer, 7200)], 3)
    ['Europe/Berlin']
    """
    offsets = list(offsets_s)
    names: list[str] = []
    for name in _WELL_KNOWN:
        found = zone(name)
        if found is not None and all(
            found.offset_s_at(at_s * US_PER_SECOND) == offset_s for at_s, offset_s in offsets
        ):
            names.append(name)
        if len(names) == count_max:
            break
    return names
