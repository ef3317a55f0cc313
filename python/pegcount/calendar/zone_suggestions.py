"""Names of time zones for UTC offsets that somebody has seen, and for names that are none."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from pegcount.calendar.zones import zone, zone_names
from pegcount.suggestion import comparable, nearest, suggestion
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
_CITY_SIMILARITY_MIN = 0.75
"""Abbreviations such as CEST resemble some city less than this."""


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
    """Returns how the error about an unknown name ends: with the zone that was probably meant, or an example.

    >>> zone_hint("Europe/Kiew"), zone_hint("new york"), zone_hint("CEST")
    ('; did you mean "Europe/Kyiv"?', '; did you mean "America/New_York"?', ', such as Europe/Berlin')
    """
    near = near_zone(name)
    return ", such as Europe/Berlin" if near is None else suggestion(near)


def near_zone(name: str) -> str | None:
    """Returns the zone of the same name but for case, or of the nearest city; None if none is near."""
    form = comparable(name)
    if form is None:
        return None
    same = _name_of_form().get(form)
    if same is not None:
        return same
    city = name.rpartition("/")[2]
    # To compare with all 600 cities would take several milliseconds.
    cities = [known for known in _name_of_city() if known[:1].casefold() == city[:1].casefold()]
    near = nearest(city, cities, _CITY_SIMILARITY_MIN)
    return None if near is None else _name_of_city()[near]


def preload() -> None:
    """Reads the names of all zones, which takes some ten milliseconds."""
    _name_of_form()
    _name_of_city()


@cache
def _name_of_form() -> dict[str | None, str]:
    return {comparable(name): name for name in zone_names()}


@cache
def _name_of_city() -> dict[str, str]:
    """Returns the zones by the last parts of their names; an old name of a city leads to the present one."""
    tzdata = files("tzdata.zoneinfo")
    rows = tzdata.joinpath("zone.tab").read_text().splitlines()
    present = [row.split("\t")[2] for row in rows if not row.startswith("#")]
    regions = {name.partition("/")[0] for name in present}
    rules = tzdata.joinpath("tzdata.zi").read_text().splitlines()
    links = (line.split() for line in rules if line.startswith("L "))
    found = {
        link: target for _, target, link in links if target in present and link.partition("/")[0] in regions
    }
    found.update(zip(present, present, strict=True))
    return {name.rpartition("/")[2]: zone for name, zone in found.items()}
