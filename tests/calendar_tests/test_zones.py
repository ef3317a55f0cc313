"""Every offset change of every zone, compared with the tzdata files and with `datetime`."""

import re
import struct
import zoneinfo
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files

import numpy as np
import pytest
from pegcount import calendar
from pegcount.zone import US_PER_DAY, US_PER_SECOND, Zone
from zone_times import day, get_zone, instant_of, printed

NAMES = sorted(zoneinfo.available_timezones())
BEGIN_S, END_S = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1968, 2201))
BERLIN_SPRING_US = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()) * US_PER_SECOND


def changes_in_file(name: str) -> tuple[list[int], list[int], bytes]:
    """Returns the instants and offsets (seconds) of a file's second data block, and its footer (RFC 8536)."""
    data = files("tzdata").joinpath("zoneinfo", name).read_bytes()

    def sizes(at: int) -> tuple[int, ...]:
        return struct.unpack(">6l", data[at + 20 : at + 44])

    utc_count, standard_count, leap_count, change_count, type_count, letter_count = sizes(0)
    at = 44 + change_count * 5 + type_count * 6 + letter_count + leap_count * 8 + standard_count + utc_count
    utc_count, standard_count, leap_count, change_count, type_count, letter_count = sizes(at)
    at += 44
    instants = list(struct.unpack_from(f">{change_count}q", data, at))
    types = data[at + 8 * change_count : at + 9 * change_count]
    at += 9 * change_count
    offsets = [struct.unpack_from(">l", data, at + 6 * index)[0] for index in (0, *types)]
    at += type_count * 6 + letter_count + leap_count * 12 + standard_count + utc_count
    return instants, offsets, data[at:].strip()


@pytest.mark.parametrize("initial", sorted({name[:2] for name in NAMES}))
def test_changes_equal_those_of_the_tzdata_file(initial: str) -> None:
    for name in (name for name in NAMES if name.startswith(initial)):
        zone = get_zone(name)
        instants, offsets, footer = changes_in_file(name)
        ours = list(zip((zone.change_us // US_PER_SECOND).tolist(), zone.offset_s[1:].tolist(), strict=True))
        steps = zip(instants, offsets, offsets[1:], strict=False)
        explicit = [
            (instant, after) for instant, before, after in steps if instant >= BEGIN_S and before != after
        ]
        assert ours[: len(explicit)] == explicit, name
        assert zone.offset_s[0] == offsets[sum(instant < BEGIN_S for instant in instants)], name
        # Later changes follow from the footer: two per year, or none.
        year_written = datetime.fromtimestamp(max(instants, default=BEGIN_S), UTC).year
        footer_years = [datetime.fromtimestamp(instant, UTC).year for instant, _ in ours[len(explicit) :]]
        expected_years = (
            [year for year in range(year_written + 1, 2201) for _ in range(2)] if b"," in footer else []
        )
        assert [year for year in footer_years if year > year_written] == expected_years, name


@pytest.mark.parametrize("initial", sorted({name[:2] for name in NAMES}))
def test_instants_and_offsets_equal_datetime_around_every_change(initial: str) -> None:
    for name in (name for name in NAMES if name.startswith(initial)):
        zone, rules = get_zone(name), zoneinfo.ZoneInfo(name)
        change_s = zone.change_us // US_PER_SECOND
        instant_s = np.concatenate((change_s - 1, change_s)).tolist()
        offsets_read = [datetime.fromtimestamp(instant, rules).utcoffset() for instant in instant_s]
        offset_s = np.array(offsets_read, dtype="timedelta64[s]").astype(np.int32)
        assert [zone.offset_s_at(instant * US_PER_SECOND) for instant in instant_s] == offset_s.tolist(), name
        assert np.array_equal(offset_s, np.concatenate((zone.offset_s[:-1], zone.offset_s[1:]))), name

        edge_s = np.concatenate((change_s + zone.offset_s[:-1], change_s + zone.offset_s[1:]))
        local_s = np.concatenate((edge_s - 3_600, edge_s - 1, edge_s, edge_s + 900))
        local = local_s.astype("datetime64[s]").tolist()
        first, second = (
            [int(moment.replace(tzinfo=rules, fold=fold).timestamp()) * US_PER_SECOND for moment in local]
            for fold in (0, 1)
        )
        # Of a time that the clock skips, the second instant is the earlier one.
        expected = list(zip(first, map(max, first, second), strict=True))
        assert [zone.instants_us(us) for us in (local_s * US_PER_SECOND).tolist()] == expected, name


def test_no_zone_skips_or_repeats_more_than_one_day() -> None:
    assert {get_zone(name).missing_date_count_max for name in NAMES} == {0, 1}
    assert min(int(np.diff(get_zone(name).offset_s).min(initial=0)) for name in NAMES) > -86_400


@pytest.mark.parametrize(
    ("name", "date_text", "start", "hours"),
    [
        ("UTC", "2026-01-01", "2026-01-01T00:00:00Z", 24),
        ("Europe/Berlin", "2026-03-29", "2026-03-29T00:00:00+01:00", 23),
        ("Europe/Berlin", "2026-10-25", "2026-10-25T00:00:00+02:00", 25),
        ("Europe/Dublin", "2024-03-31", "2024-03-31T00:00:00Z", 23),
        ("Europe/Dublin", "2024-10-27", "2024-10-27T00:00:00+01:00", 25),
        ("Antarctica/Troll", "2024-03-31", "2024-03-31T00:00:00Z", 22),
        ("Antarctica/Troll", "2024-10-27", "2024-10-27T00:00:00+02:00", 26),
        ("Australia/Lord_Howe", "2024-04-07", "2024-04-07T00:00:00+11:00", 24.5),
        ("Australia/Lord_Howe", "2024-10-06", "2024-10-06T00:00:00+10:30", 23.5),
        ("America/Sao_Paulo", "2015-10-17", "2015-10-17T00:00:00-03:00", 24),
        ("America/Sao_Paulo", "2015-10-18", "2015-10-18T01:00:00-02:00", 23),
        # 23:00 occurs twice, so the day is longer; the next day begins at the single midnight.
        ("America/Sao_Paulo", "2015-02-21", "2015-02-21T00:00:00-02:00", 25),
        ("America/Sao_Paulo", "2015-02-22", "2015-02-22T00:00:00-03:00", 24),
        ("America/St_Johns", "2010-11-06", "2010-11-06T00:00:00-02:30", 24),
        ("America/St_Johns", "2010-11-07", "2010-11-07T00:00:00-02:30", 25),
        ("America/St_Johns", "2010-11-08", "2010-11-08T00:00:00-03:30", 24),
        ("America/Asuncion", "2023-10-01", "2023-10-01T01:00:00-03:00", 23),
        ("America/Havana", "2024-03-10", "2024-03-10T01:00:00-04:00", 23),
        ("America/Havana", "2024-11-03", "2024-11-03T00:00:00-04:00", 25),
        ("Atlantic/Azores", "2024-03-31", "2024-03-31T01:00:00Z", 23),
        ("Atlantic/Azores", "2024-10-27", "2024-10-27T00:00:00Z", 25),
        ("Asia/Beirut", "2024-03-31", "2024-03-31T01:00:00+03:00", 23),
        ("Asia/Beirut", "2024-10-26", "2024-10-26T00:00:00+03:00", 25),
        ("Africa/Cairo", "2024-04-26", "2024-04-26T01:00:00+03:00", 23),
        ("Africa/Cairo", "2024-10-31", "2024-10-31T00:00:00+03:00", 25),
        ("Africa/Casablanca", "2024-03-10", "2024-03-10T00:00:00+01:00", 25),
        ("Africa/Casablanca", "2024-04-14", "2024-04-14T00:00:00Z", 23),
        ("Asia/Kathmandu", "1986-01-01", "1986-01-01T00:15:00+05:45", 23.75),
        ("Africa/Monrovia", "1972-01-06", "1972-01-06T00:44:30Z", 24),
        ("Africa/Monrovia", "1972-01-07", "1972-01-07T00:44:30Z", 24 - 44.5 / 60),
        ("Pacific/Apia", "2011-12-29", "2011-12-29T00:00:00-10:00", 24),
        ("Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00", 0),
        ("Pacific/Apia", "2011-12-31", "2011-12-31T00:00:00+14:00", 24),
        ("Pacific/Kwajalein", "1993-08-20", "1993-08-20T00:00:00-12:00", 24),
        ("Pacific/Kwajalein", "1993-08-21", "1993-08-22T00:00:00+12:00", 0),
        ("Pacific/Kwajalein", "1993-08-22", "1993-08-22T00:00:00+12:00", 24),
        # The longest day on record: the clock went back by 23 hours.
        ("Pacific/Kwajalein", "1969-09-30", "1969-09-30T00:00:00+11:00", 47),
    ],
)
def test_a_day_begins_at_its_first_instant(name: str, date_text: str, start: str, hours: float) -> None:
    zone = get_zone(name)
    start_us, end_us = zone.day_start_us(day(date_text)), zone.day_start_us(day(date_text) + 1)
    assert printed(start_us, zone) == start
    assert (end_us - start_us) / (3_600 * US_PER_SECOND) == pytest.approx(hours, abs=1e-9)
    if hours:
        assert zone.local_date(start_us) == zone.local_date(end_us - 1) == day(date_text)
        assert zone.local_date(start_us - 1) < day(date_text) < zone.local_date(end_us)


def test_minutes_that_repeat_an_evening_belong_to_the_new_day() -> None:
    zone = get_zone("America/St_Johns")
    for text in (
        "2010-11-07T00:00:59-02:30",
        "2010-11-06T23:01:00-03:30",
        "2010-11-06T23:59:59.999999-03:30",
    ):
        assert zone.local_date(instant_of(text, zone)) == day("2010-11-07"), text
    first_evening_us = instant_of("2010-11-06T23:59:59.999999", zone)
    assert zone.local_date(first_evening_us) == day("2010-11-06")


def test_a_day_begins_at_a_jump_across_its_midnight() -> None:
    # No zone has done so since 1968. Toronto did in 1919, and a zone may do so again.
    change_us = np.array([US_PER_DAY - 1_800 * US_PER_SECOND])
    zone = Zone("Made/Up", change_us, np.array([0, 3_600], dtype=np.int32))
    assert zone.day_start_us(1) == change_us[0]
    assert zone.instants_us(US_PER_DAY) == (US_PER_DAY, US_PER_DAY)
    assert zone.local_date(int(change_us[0])) == 1
    assert zone.local_date(int(change_us[0]) - 1) == 0


@pytest.mark.parametrize(
    ("local_text", "instant_text"),
    [
        ("2026-03-29T01:59:59.999999", "2026-03-29T00:59:59.999999Z"),
        ("2026-03-29T02:00:00", "2026-03-29T01:00:00Z"),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
        ("2026-03-29T03:00:00", "2026-03-29T01:00:00Z"),
        ("2026-10-25T01:59:59", "2026-10-24T23:59:59Z"),
        ("2026-10-25T02:00:00", "2026-10-25T00:00:00Z"),
        ("2026-10-25T02:59:59.999999", "2026-10-25T00:59:59.999999Z"),
        ("2026-10-25T03:00:00", "2026-10-25T02:00:00Z"),
    ],
)
def test_skipped_times_move_forward_and_repeated_ones_are_the_earlier(
    local_text: str, instant_text: str
) -> None:
    zone = get_zone("Europe/Berlin")
    assert instant_of(local_text, zone) == instant_of(instant_text, zone)


def test_offset_changes_exactly_at_the_instant() -> None:
    zone = get_zone("Europe/Berlin")
    assert [zone.offset_s_at(BERLIN_SPRING_US + us) for us in (-1, 0, 1)] == [3_600, 7_200, 7_200]


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "UTC ",
        "UTC\n",
        "UTC\0",
        "utc",
        "europe/berlin",
        "Europe",
        "Europe/",
        "/Europe/Berlin",
        "../zoneinfo/UTC",
        "Europe/../UTC",
        "Europe\\Berlin",
        "Europe/Atlantis",
        "zone.tab",
        "posixrules",
        "CET-1CEST",
        "+01:00",
        "local",
        "\ud800",
        "x" * 100_000,
    ],
)
def test_unknown_names_have_no_zone(name: str) -> None:
    assert calendar.zone(name) is None


def test_zones_are_cached_and_read_only() -> None:
    zone = get_zone("Europe/Berlin")
    assert calendar.zone("Europe/Berlin") is zone
    assert repr(zone) == "Zone(name='Europe/Berlin')"
    assert len({zone, Zone("Europe/Berlin", zone.change_us.copy(), zone.offset_s), get_zone("UTC")}) == 2
    with pytest.raises(ValueError, match="read-only"):
        zone.change_us[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        zone.offset_s[0] = 0


def test_rules_come_from_the_tzdata_package_alone() -> None:
    assert zoneinfo.TZPATH == ()
    assert calendar.tzdata_version() == version("tzdata")
    assert re.fullmatch(r"20\d\d\.\d+", calendar.tzdata_version())
