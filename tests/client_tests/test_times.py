"""Times and zones of Python as texts of the contract, and back."""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pandas as pd  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pegcount_client.times import (
    UnknownZoneError,
    day_text,
    instant_us,
    time_in_zone,
    time_text,
    zone_name,
    zone_named,
    zone_of_times,
    zoned_time,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Africa/Monrovia", "Pacific/Apia"]
AWARE = st.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(2199, 1, 1),
    timezones=st.sampled_from(ZONES).map(ZoneInfo),
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN), "2026-03-29T03:30:00+02:00"),
        # One of the two times that the clock shows twice.
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), "2026-10-25T02:30:00+02:00"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), "2026-10-25T02:30:00+01:00"),
        (datetime(2026, 3, 30, 8, 0, 0, 1, tzinfo=UTC), "2026-03-30T08:00:00.000001+00:00"),
        (
            datetime(2026, 3, 30, 8, tzinfo=timezone(timedelta(hours=-9, minutes=-30))),
            "2026-03-30T08:00:00-09:30",
        ),
        # An offset of -00:44:30, which the contract cannot write.
        (datetime(1971, 6, 1, tzinfo=ZoneInfo("Africa/Monrovia")), "1971-06-01T00:44:30+00:00"),
        (datetime(2026, 3, 30, 8), "2026-03-30T08:00:00"),
        (datetime(2026, 3, 30, 8, 0, 0, 250_000), "2026-03-30T08:00:00.250000"),
        (date(2026, 3, 30), "2026-03-30"),
        ("2026-03-30T08:00:00.5", "2026-03-30T08:00:00.5"),
        (pd.Timestamp("2026-03-30T08:00:00.000001", tz="Europe/Berlin"), "2026-03-30T08:00:00.000001+02:00"),
    ],
)
def test_time_as_text(value: datetime | date | str, text: str) -> None:
    assert time_text(value, what="from_time") == text


@given(AWARE)
def test_an_instant_keeps_its_microseconds_there_and_back(value: datetime) -> None:
    text = time_text(value, what="from_time")
    # Compared in UTC: Python never takes a time that the clock shows twice for equal to one of another zone.
    assert zoned_time(instant_us(text), BERLIN).astimezone(UTC) == value.astimezone(UTC)
    assert time_in_zone(text, "Asia/Kathmandu").astimezone(UTC) == value.astimezone(UTC)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (
            datetime(2026, 10, 25, 2, 30, fold=1),
            ValueError,
            "from_time is the second of two equal local times",
        ),
        (pd.Timestamp("2026-03-30T08:00:00.000000001"), ValueError, "from_time has nanoseconds"),
        (pd.NaT, ValueError, "from_time is not a time"),
        (1_774_771_200, TypeError, "from_time is a datetime, a date or a text, not int"),
    ],
)
def test_a_time_that_would_be_misread_is_refused(value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        time_text(value, what="from_time")  # type: ignore[arg-type]


def test_a_day_is_a_date_or_a_text() -> None:
    assert day_text(date(2026, 3, 30), what="from_date") == "2026-03-30"
    assert day_text("20260330", what="from_date") == "20260330"
    with pytest.raises(TypeError, match=r"from_date is a day, not a datetime; next step: pass its date\(\)"):
        day_text(datetime(2026, 3, 30, 23, tzinfo=UTC), what="from_date")
    with pytest.raises(TypeError, match="from_date is a date or a text, not int"):
        day_text(20260330, what="from_date")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zone", "name"), [("Europe/Berlin", "Europe/Berlin"), (BERLIN, "Europe/Berlin"), (UTC, "UTC"), ("", "")]
)
def test_zone_as_name(zone: str | tzinfo, name: str) -> None:
    assert zone_name(zone) == name


@pytest.mark.parametrize("zone", [timezone(timedelta(hours=1)), timezone(timedelta(0), "GMT+0")])
def test_a_zone_without_a_name_is_refused(zone: tzinfo) -> None:
    with pytest.raises(ValueError, match='has no IANA name; next step: give an IANA name, such as "Europe/'):
        zone_name(zone)


def test_a_zone_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="time_zone is a text or a tzinfo, not int"):
        zone_name(1)  # type: ignore[arg-type]


def test_times_name_their_zone() -> None:
    in_berlin = datetime(2026, 3, 29, tzinfo=BERLIN)
    assert zone_of_times([in_berlin, datetime(2026, 3, 30, tzinfo=UTC)]) == "Europe/Berlin"
    assert zone_of_times([in_berlin, in_berlin, None, "2026-03-30", date(2026, 3, 30)]) == "Europe/Berlin"
    assert zone_of_times([in_berlin, datetime(2026, 3, 30, tzinfo=ZoneInfo("UTC"))]) == "Europe/Berlin"
    assert zone_of_times([datetime(2026, 3, 29), datetime(2026, 3, 29, tzinfo=UTC)]) is None
    assert zone_of_times([datetime(2026, 3, 29, tzinfo=timezone(timedelta(hours=2)))]) is None


class PytzZone(tzinfo):
    """Names itself as the zones of pytz do."""

    zone = "Europe/Berlin"

    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(hours=1)

    def dst(self, _: datetime | None) -> None:
        return None

    def tzname(self, _: datetime | None) -> str:
        return "CET"


def test_a_zone_of_pytz_has_a_name() -> None:
    """pandas 2 makes such zones; pandas 3 makes those of zoneinfo."""
    assert zone_name(PytzZone()) == "Europe/Berlin"
    assert zone_of_times([datetime(2026, 1, 1, tzinfo=PytzZone())]) == "Europe/Berlin"
    assert zone_of_times([pd.Timestamp("2026-03-29", tz="Europe/Berlin")]) == "Europe/Berlin"


def test_times_in_different_zones_need_time_zone() -> None:
    times = [datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 3, 29, tzinfo=ZoneInfo("Asia/Tokyo"))]
    with pytest.raises(ValueError, match="Europe/Berlin and Asia/Tokyo; next step: say with time_zone"):
        zone_of_times(times)


def test_utc_needs_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_files(name: str) -> ZoneInfo:
        raise AssertionError(name)

    monkeypatch.setattr("pegcount_client.times.ZoneInfo", without_files)
    assert zone_named("UTC") is UTC


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe", "\0"])
def test_a_zone_that_this_machine_does_not_know(name: str) -> None:
    with pytest.raises(UnknownZoneError, match="next step: pip install tzdata"):
        zone_named(name)
