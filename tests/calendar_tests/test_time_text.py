"""Parsing of times and dates, refusal of malformed ones, and formatting by the core."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pegcount import core
from pegcount.time_text import REQUEST, ParsedTime, TimeTextError, read_date, read_time
from pegcount.zone import US_PER_DAY, US_PER_SECOND, Zone
from zone_times import get_zone, instant_of, printed

LAST_US = 84_006 * US_PER_DAY


@pytest.mark.parametrize(
    ("text", "zone_name", "expected"),
    [
        ("1970-01-01T00:00:00Z", "UTC", "1970-01-01T00:00:00Z"),
        ("1969-12-31T23:59:59.999999Z", "UTC", "1969-12-31T23:59:59.999999Z"),
        ("2200-01-01T00:00:00", "UTC", "2200-01-01T00:00:00Z"),
        ("2026-07-01T12:00:00.5Z", "UTC", "2026-07-01T12:00:00.500000Z"),
        ("2026-07-01T12:00:00.000001Z", "UTC", "2026-07-01T12:00:00.000001Z"),
        ("2026-07-01T12:00:00.000000Z", "UTC", "2026-07-01T12:00:00Z"),
        ("2026-07-01T12:00:00.12", "UTC", "2026-07-01T12:00:00.120000Z"),
        ("2026-07-01T12:00:00+05:45", "UTC", "2026-07-01T06:15:00Z"),
        ("2026-07-01T12:00:00-23:59", "UTC", "2026-07-02T11:59:00Z"),
        ("2026-07-01T12:00:00+23:59", "UTC", "2026-06-30T12:01:00Z"),
        ("2026-07-01T12:00:00-00:00", "UTC", "2026-07-01T12:00:00Z"),
        ("2024-02-29", "UTC", "2024-02-29T00:00:00Z"),
        ("2026-07-01T12:00:00", "Europe/Berlin", "2026-07-01T12:00:00+02:00"),
        ("2026-07-01T12:00:00Z", "Europe/Berlin", "2026-07-01T14:00:00+02:00"),
        ("2026-07-01", "Europe/Berlin", "2026-07-01T00:00:00+02:00"),
        ("2026-03-29T02:30:00.25", "Europe/Berlin", "2026-03-29T03:30:00.250000+02:00"),
        ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T02:30:00+01:00", "Europe/Berlin", "2026-10-25T02:30:00+01:00"),
        ("2026-01-01", "Europe/London", "2026-01-01T00:00:00Z"),
        ("2026-07-01", "America/St_Johns", "2026-07-01T00:00:00-02:30"),
        ("2010-11-07", "America/St_Johns", "2010-11-07T00:00:00-02:30"),
        ("2010-11-06T23:30:00", "America/St_Johns", "2010-11-06T23:30:00-02:30"),
        ("2010-11-06T23:30:00-03:30", "America/St_Johns", "2010-11-06T23:30:00-03:30"),
        ("2026-07-01", "Asia/Kathmandu", "2026-07-01T00:00:00+05:45"),
        ("2015-10-18", "America/Sao_Paulo", "2015-10-18T01:00:00-02:00"),
        ("2015-10-18T00:30:00", "America/Sao_Paulo", "2015-10-18T01:30:00-02:00"),
        ("2011-12-30", "Pacific/Apia", "2011-12-31T00:00:00+14:00"),
        ("2011-12-30T12:00:00", "Pacific/Apia", "2011-12-31T12:00:00+14:00"),
        # RFC 3339 cannot write the offset -00:44:30.
        ("1971-06-01T00:00:00", "Africa/Monrovia", "1971-06-01T00:44:30Z"),
        ("1973-06-01T00:00:00", "Africa/Monrovia", "1973-06-01T00:00:00Z"),
    ],
)
def test_times_are_parsed_and_formatted(text: str, zone_name: str, expected: str) -> None:
    zone = get_zone(zone_name)
    instant_us = instant_of(text, zone)
    assert printed(instant_us, zone) == expected
    assert instant_of(expected, zone) == instant_us


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T01:00:00+01:00", ParsedTime(0, is_instant=True)),
        ("1970-01-01T00:00:01", ParsedTime(US_PER_SECOND)),
        ("1970-01-02", ParsedTime(US_PER_DAY, resolution_us=US_PER_DAY)),
        ("0001-01-01T00:00:00+23:59", ParsedTime(-62_135_683_140_000_000, is_instant=True)),
        ("9999-12-31T23:59:59.999999-23:59", ParsedTime(253_402_387_139_999_999, is_instant=True)),
    ],
)
def test_parsed_times_know_whether_they_need_a_zone(text: str, expected: ParsedTime) -> None:
    assert read_time(text, REQUEST) == expected


def test_a_bare_date_is_the_first_instant_of_a_day_without_midnight() -> None:
    half_past_23_us = US_PER_DAY - 1_800 * US_PER_SECOND
    zone = Zone("Made/Up", np.array([half_past_23_us]), np.array([0, 3_600], dtype=np.int32))
    assert instant_of("1970-01-02", zone) == half_past_23_us
    assert instant_of("1970-01-02T00:00:00", zone) == US_PER_DAY


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "now",
        "0",
        "1750000000",
        "20260701",
        "20260701T120000Z",
        "2026-07",
        "2026-7-1",
        "2026-W27-3",
        "2026-182",
        "26-07-01",
        "+2026-07-01",
        "-2026-07-01",
        "0000-01-01",
        "0000-01-01T00:00:00Z",
        "10000-01-01",
        "2026-00-01",
        "2026-13-01",
        "2026-02-29",
        "2100-02-29",
        "2026-04-31T00:00:00",
        "2026-07-00",
        "2026-07-01Z",
        "2026-07-01 ",
        "2026-07-01\n",
        " 2026-07-01",
        "2026-07-01T",
        "2026-07-01T12",
        "2026-07-01T12:00",
        "2026-07-01T12:00Z",
        "2026-07-01T1:00:00",
        "2026-07-01 12:00:00",
        "2026-07-01t12:00:00",
        "2026-07-01T12:00:00z",
        "2026-07-01T12:00:00 Z",
        "2026-07-01T12:00:00Z\n",
        "2026-07-01T12:00:00\n",
        "2026-07-01T12:00:00\0",
        "2026-07-01T24:00:00",
        "2026-07-01T12:60:00",
        "2026-07-01T12:00:60",
        "2016-12-31T23:59:60Z",
        "2026-07-01T12:00:00.",
        "2026-07-01T12:00:00.Z",
        "2026-07-01T12:00:00,5",
        "2026-07-01T12:00:00.1234567",
        "2026-07-01T12:00:00.-1",
        "2026-07-01T12:00:00+01",
        "2026-07-01T12:00:00+0100",
        "2026-07-01T12:00:00+1:00",
        "2026-07-01T12:00:00+24:00",
        "2026-07-01T12:00:00-24:00",
        "2026-07-01T12:00:00+01:60",
        "2026-07-01T12:00:00+01:00:00",
        "2026-07-01T12:00:00\N{MINUS SIGN}01:00",
        "2026-07-01T12:00:00UTC",
        "2026-07-01T12:00:00Z+01:00",
        "2026-07-01T12:00:00[Europe/Berlin]",
        "2026-07-0\N{ARABIC-INDIC DIGIT ONE}",
        "\N{FULLWIDTH DIGIT TWO}026-07-01T12:00:00",
        "2026\N{HYPHEN}07\N{HYPHEN}01",
        "\ud800",
    ],
)
def test_malformed_times_are_refused(text: str) -> None:
    with pytest.raises(TimeTextError):
        read_time(text, REQUEST)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("1970-01-01", 0),
        ("19700101", 0),
        ("1969-12-31", -1),
        ("20240229", 19_782),
        ("2024-02-29", 19_782),
        ("22000101", 84_006),
        ("00010101", -719_162),
        ("9999-12-31", 2_932_896),
    ],
)
def test_dates_are_parsed(text: str, days: int) -> None:
    assert read_date(text) == days


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "2026",
        "202607",
        "2026-07",
        "2026182",
        "2026W273",
        "2026-W27",
        "2026-W27-3",
        "2026-0701",
        "202607-01",
        "2026/07/01",
        "20260229",
        "2026-02-29",
        "20261301",
        "00000101",
        "0000-01-01",
        "20260701 ",
        "20260701\n",
        "2026-07-01\n",
        "2026-07-01T00:00:00",
        "2026070\N{ARABIC-INDIC DIGIT ONE}",
    ],
)
def test_malformed_dates_are_refused(text: str) -> None:
    with pytest.raises(TimeTextError):
        read_date(text)


@pytest.mark.parametrize(
    ("instant_us", "offset_s", "expected"),
    [
        (0, 0, "1970-01-01T00:00:00Z"),
        (-1, 0, "1969-12-31T23:59:59.999999Z"),
        (0, 3_600, "1970-01-01T01:00:00+01:00"),
        (0, -1_800, "1969-12-31T23:30:00-00:30"),
        (0, -12_600, "1969-12-31T20:30:00-03:30"),
        (1, 50_400, "1970-01-01T14:00:00.000001+14:00"),
        (0, -2_670, "1970-01-01T00:00:00Z"),
        (0, -30, "1970-01-01T00:00:00Z"),
    ],
)
def test_offsets_with_seconds_are_formatted_in_utc(instant_us: int, offset_s: int, expected: str) -> None:
    fixed = Zone("fixed", np.empty(0, dtype=np.int64), np.array([offset_s], dtype=np.int32))
    assert core.format_time(instant_us, fixed) == expected


@given(
    st.integers(0, LAST_US),
    st.sampled_from(("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Monrovia")),
)
def test_formatted_times_parse_to_the_same_instant(instant_us: int, zone_name: str) -> None:
    text = printed(instant_us, get_zone(zone_name))
    assert instant_of(text, get_zone("Asia/Kathmandu")) == instant_us


@given(st.integers(0, LAST_US))
def test_local_times_parse_as_numpy_formats_them(instant_us: int) -> None:
    text = str(np.datetime64(instant_us, "us"))
    assert read_time(text, REQUEST) == ParsedTime(instant_us)
    assert read_time(text + "Z", REQUEST) == ParsedTime(instant_us, is_instant=True)


@given(st.text(alphabet="0123456789-T:.Z+ \n", max_size=32))
def test_any_text_is_a_time_or_a_time_text_error(text: str) -> None:
    with suppress(TimeTextError):
        assert read_time(text, REQUEST).resolution_us
        assert text[:4] > "0000"
