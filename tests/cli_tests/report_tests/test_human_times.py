"""Times as people write them, and those that are refused because they could mean several."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pegcount import calendar
from pegcount.cli.report.human_times import (
    Clock,
    HumanTimeError,
    first_of_last_days,
    read_day,
    read_moment,
    start_of_last,
)
from pegcount.time_text import REQUEST, TimeTextError, has_form, read_time

CASES = [
    (text.strip(), expected.strip())
    for line in (Path(__file__).parent / "human_time_cases.txt").read_text(encoding="utf-8").splitlines()
    if "=>" in line and not line.startswith("#")
    for text, _, expected in [line.partition("=>")]
]


def clock_at(utc: str, zone_name: str = "Europe/Berlin") -> Clock:
    zone = calendar.zone(zone_name)
    assert zone is not None
    return Clock(read_time(utc, REQUEST).us, zone)


NOW = clock_at("2026-10-28T13:07:31.5Z")


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_time_means_what_the_table_says(text: str, expected: str) -> None:
    if has_form(expected, REQUEST):
        assert read_moment("--from", text, NOW) == expected
    else:
        with pytest.raises(HumanTimeError, match=r"^--from: ") as refused:
            read_moment("--from", text, NOW)
        assert expected in str(refused.value)
        assert repr(text) in str(refused.value)


def test_the_table_has_times_and_refusals() -> None:
    assert len(CASES) > 60


@pytest.mark.parametrize(
    ("zone_name", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/Sao_Paulo", "2015-10-18", 23),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ],
)
def test_yesterday_and_today_are_a_local_day_apart(zone_name: str, day: str, hours: float) -> None:
    """The server resolves both words, so that a day may have other than 24 hours and begin after midnight."""
    next_noon = datetime.fromisoformat(day).replace(hour=20, tzinfo=UTC).timestamp() + 86_400
    zone = calendar.zone(zone_name)
    assert zone is not None
    clock = Clock(int(next_noon) * 1_000_000, zone)
    start, end = (read_moment("--from", text, clock) for text in ("yesterday", "today"))
    if zone_name.startswith("Australia"):
        start, end = (read_moment("--from", f"{days} days ago 00:00", clock)[:10] for days in (2, 1))
    assert start == day
    instants = [read_time(text, REQUEST).instant_us(zone) for text in (start, end)]
    assert (instants[1] - instants[0]) / 3_600_000_000 == hours


def test_the_day_is_that_of_the_zone() -> None:
    assert read_moment("--from", "today", clock_at("2026-10-28T23:30:00Z", "UTC")) == "2026-10-28"
    assert read_moment("--from", "today", clock_at("2026-10-28T23:30:00Z", "Europe/Berlin")) == "2026-10-29"
    assert (
        read_moment("--from", "today", clock_at("2026-10-28T00:30:00Z", "America/New_York")) == "2026-10-27"
    )


def test_today_is_the_bin_of_now_where_the_clock_shows_yesterday_again() -> None:
    """At 00:01 the clock went back to 23:01 of 6 November, which counts to the seventh."""
    assert (
        read_moment("--from", "today", clock_at("2010-11-07T03:00:00Z", "America/St_Johns")) == "2010-11-07"
    )


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-10-05", "2026-10-05"),
        ("20261005", "20261005"),
        ("yesterday", "2026-10-27"),
        ("last monday", "2026-10-26"),
        ("3 days ago", "2026-10-25"),
        ("5 oct 2026", "2026-10-05"),
    ],
)
def test_a_day_of_folders(text: str, day: str) -> None:
    assert read_day("--from", text, NOW) == day


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("yesterday 14:00", "is no day"),
        ("2026-10-05T00:00:00", "is no day"),
        ("2h ago", "is no day"),
        ("now", "is no day"),
        ("2026-13-01", "months are 01 to 12"),
        ("05/10/2026", 'did you mean "2026-10-05" or "2026-05-10"?'),
    ],
)
def test_what_is_no_day_of_folders(text: str, words: str) -> None:
    with pytest.raises(HumanTimeError) as refused:
        read_day("--from", text, NOW)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("90m", "2026-10-28T11:37:31Z"),
        ("24h", "2026-10-27T13:07:31Z"),
        ("96 hours", "2026-10-24T13:07:31Z"),
        ("1d", "2026-10-28"),
        ("7d", "2026-10-22"),
        ("1w", "2026-10-22"),
        ("4 weeks", "2026-10-01"),
    ],
)
def test_last(text: str, start: str) -> None:
    """Minutes and hours before now; days and weeks are local days, of which today is the last."""
    assert start_of_last("--last", text, NOW) == start


@pytest.mark.parametrize(
    "text", ["", "7", "d", "0d", "-1d", "1.5h", "7 d ago", "1 month", "1y", "week", "7dd"]
)
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(HumanTimeError, match="is no length; it can be such as 90m, 24h, 7d, 4w"):
        start_of_last("--last", text, NOW)


def test_a_length_of_folders_has_whole_days() -> None:
    assert first_of_last_days("--last", "2d", NOW) == "2026-10-27"
    with pytest.raises(HumanTimeError, match="'24h' is no number of days or weeks"):
        first_of_last_days("--last", "24h", NOW)
    with pytest.raises(HumanTimeError, match="begins before the year 1970"):
        first_of_last_days("--last", "9999w", NOW)


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_the_server_reads_what_is_sent(text: str, expected: str) -> None:
    if has_form(expected, REQUEST):
        try:
            read_time(expected, REQUEST)
        except TimeTextError as error:
            pytest.fail(f"{text}: {error}")
