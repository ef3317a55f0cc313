"""Names of time zones for UTC offsets that somebody has seen, and for names that are none."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from pegcount.calendar.zones import zone
from pegcount.suggestion import suggestion
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
_CITY_LENGTH_MAX = 100


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


def zone_hint(name: str) -> str:
    """Returns how the error about an unknown name ends: with the zone of the nearest city, or an example.

    >>> zone_hint("Europe/Kiew"), zone_hint("new york"), zone_hint("Mars")
    ('; did you mean "Europe/Kyiv"?', '; did you mean "America/New_York"?', ', such as Europe/Berlin')
    """
    near = _near_zone(name)
    return ", such as Europe/Berlin" if near is None else suggestion(near)


def _near_zone(name: str) -> str | None:
    """Returns the present name of the zone whose city resembles that of a name, None if none does."""
    city = _city(name)
    if not city or len(city) > _CITY_LENGTH_MAX:
        return None
    # To compare with all 600 cities would take several milliseconds.
    cities = [known for known in _name_of_city() if known[0] == city[0]]
    near = get_close_matches(city, cities, 1)
    return _name_of_city()[near[0]] if near else None


def _city(name: str) -> str:
    return name.rpartition("/")[2].casefold().replace(" ", "_")


@cache
def _name_of_city() -> dict[str, str]:
    """Returns the zones by the last parts of their names; an old name leads to the present one."""
    tzdata = files("tzdata.zoneinfo")
    rows = tzdata.joinpath("zone.tab").read_text().splitlines()
    present = [row.split("\t")[2] for row in rows if not row.startswith("#")]
    rules = tzdata.joinpath("tzdata.zi").read_text().splitlines()
    links = (line.split() for line in rules if line.startswith("L "))
    old = {_city(link): target for _, target, link in links if "/" in link and target in present}
    return {**old, **{_city(name): name for name in present}}
