"""The bins of the traffic question, and the local times within its range."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pegcount import calendar
from pegcount.errors import InvalidRequestError
from pegcount.model import Bins, Granularity, QualityQuery
from pegcount.traffic import TrafficQuery
from zone_times import get_zone, instant_of

NOW_US = instant_of("2026-07-01T12:34:56.789Z", get_zone("UTC"))


def query(
    zone_name: str, granularity: Granularity | None, from_text: str, to_text: str | None
) -> TrafficQuery:
    zone = get_zone(zone_name)
    to_us = None if to_text is None else instant_of(to_text, zone)
    return TrafficQuery(instant_of(from_text, zone), to_us, granularity, zone, (), (), (), (), None, None)


def bins_of(*given: str | Granularity | None, bin_count_max: int = 1_000) -> Bins:
    return calendar.traffic_bins(query(*given), NOW_US, bin_count_max)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("from_text", "to_text"),
    [
        ("2026-03-28T23:30:00", "2026-03-30T00:30:00"),
        ("2026-06-30T12:00:00", None),
        ("2026-06-30T12:00:00", "2027-01-01T00:00:00"),
        ("2026-07-02T00:00:00", "2026-07-03T00:00:00"),
    ],
)
def test_bins_are_those_of_quality(from_text: str, to_text: str | None) -> None:
    found = bins_of("Europe/Berlin", Granularity.DAY, from_text, to_text)
    asked = query("Europe/Berlin", Granularity.DAY, from_text, to_text)
    quality = QualityQuery(asked.from_us, asked.to_us, Granularity.DAY, asked.zone, ())
    expected = calendar.quality_bins(quality, NOW_US, 1_000)
    assert found.edge_us.tolist() == expected.edge_us.tolist()
    assert found.calendar_us.tolist() == expected.calendar_us.tolist()
    assert (found.from_us, found.to_us) == (expected.from_us, expected.to_us)


def test_without_a_granularity_the_range_is_one_bin() -> None:
    ended = bins_of("UTC", None, "2026-06-30T12:00:00", "2026-06-30T12:00:07")
    assert ended.edge_us.tolist() == ended.calendar_us.tolist()
    assert (ended.edge_us[1] - ended.edge_us[0], len(ended.edge_us)) == (7_000_000, 2)
    # What has not ended yet is clipped to now, and its calendar end tells that it is not complete.
    running = bins_of("UTC", None, "2026-06-30T12:00:00", "2027-01-01T00:00:00")
    assert running.edge_us[1] == running.to_us == NOW_US < running.calendar_us[1]
    assert bins_of("UTC", None, "2026-06-30T12:00:00", None).calendar_us[1] == NOW_US
    assert bins_of("UTC", None, "2026-07-02T00:00:00", None).is_empty


def test_more_bins_than_allowed_are_refused() -> None:
    with pytest.raises(InvalidRequestError) as raised:
        bins_of("UTC", Granularity.HOUR, "2026-06-30T00:00:00", "2026-07-01T00:00:00", bin_count_max=23)
    (violation,) = raised.value.violations
    assert (violation.field, violation.reason) == ("granularity", "BIN_LIMIT_EXCEEDED")


@pytest.mark.parametrize("zone_name", ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"])
def test_offsets_within_a_range_are_those_of_the_zone(zone_name: str) -> None:
    zone, rules = get_zone(zone_name), ZoneInfo(zone_name)
    from_us, to_us = (
        instant_of(text, get_zone("UTC")) for text in ("2011-06-01T00:00:00Z", "2012-06-01T00:00:00Z")
    )
    since_us, offsets_us = calendar.offsets_within(zone, from_us, to_us)
    assert since_us[0] == from_us
    assert list(since_us) == sorted(set(since_us))
    assert all(us < to_us for us in since_us)
    for at_us in range(from_us, to_us, 86_400_000_000):
        place = sum(us <= at_us for us in since_us) - 1
        local = datetime.fromtimestamp(at_us / 1_000_000, rules)
        assert local.utcoffset() == timedelta(microseconds=offsets_us[place])


def test_offsets_without_an_end_go_on() -> None:
    from_us = instant_of("2026-06-01T00:00:00Z", get_zone("UTC"))
    since_us, offsets_us = calendar.offsets_within(get_zone("Europe/Berlin"), from_us, None)
    assert len(since_us) == len(offsets_us) > 300
