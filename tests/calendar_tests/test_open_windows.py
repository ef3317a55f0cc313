"""Open hours and local times as bins of a scan, against a clock that is read at each minute."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pegcount import calendar
from pegcount.errors import InvalidRequestError
from pegcount.model import Between, Bins, Granularity
from pegcount.traffic import (
    AnyOf,
    InGroups,
    LocalTimeKey,
    Not,
    OpenHours,
    ScanBins,
    TrafficMeasure,
    TrafficPredicate,
    TrafficQuery,
)
from seeds import chance
from zone_times import day, get_zone, instant_of

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVERY_DAY = frozenset(range(1, 8))
PEAK = TrafficMeasure("occupancy", "talk")
HOUR, WEEKDAY = (LocalTimeKey(part, (0,), (0,)) for part in ("hour", "weekday"))


def query(
    zone_name: str, from_text: str, to_text: str, granularity: Granularity | None, **more: Any
) -> TrafficQuery:
    zone = get_zone(zone_name)
    from_us, to_us = (instant_of(text, zone) for text in (from_text, to_text))
    made = TrafficQuery(from_us, to_us, granularity, zone, (), (), (PEAK,), (), None, None)
    return replace(made, **more)


def bins_of(asked: TrafficQuery) -> Bins:
    return calendar.traffic_bins(asked, 2**62, 100_000)


def scan_bins(asked: TrafficQuery, bin_count_max: int = 100_000) -> ScanBins:
    return calendar.scan_bins(asked, bins_of(asked), bin_count_max)


def local(us: int, zone_name: str) -> datetime:
    return (EPOCH + timedelta(microseconds=us)).astimezone(ZoneInfo(zone_name))


def is_open(us: int, zone_name: str, hours: OpenHours) -> bool:
    """Whether the clock shows a time of the hours on the date on which they begin."""
    shown = local(us, zone_name)
    since_midnight_us = (shown.hour * 60 + shown.minute) * MINUTE_US
    for days_before in (0, 1):
        begun = shown.date() - timedelta(days=days_before)
        at_us = since_midnight_us + days_before * 24 * HOUR_US
        is_excluded = (begun - date(1970, 1, 1)).days in hours.excluded_dates
        if begun.isoweekday() in hours.weekdays and not is_excluded and hours.from_us <= at_us < hours.to_us:
            return True
    return False


RANGES = [
    ("UTC", "2026-03-06T00:00:00", "2026-03-09T00:00:00"),
    ("Europe/Berlin", "2026-03-28T11:17:00", "2026-03-30T02:30:00"),
    ("Europe/Berlin", "2026-10-24T20:00:00", "2026-10-26T05:00:00"),
    ("America/St_Johns", "2026-10-31T00:00:00", "2026-11-02T00:00:00"),
    ("Australia/Lord_Howe", "2026-04-04T00:00:00", "2026-04-06T00:00:00"),
    ("Asia/Beirut", "2026-03-28T00:00:00", "2026-03-30T00:00:00"),
    ("Pacific/Apia", "2011-12-29T00:00:00", "2012-01-01T00:00:00"),
]
HOURS = [
    OpenHours(EVERY_DAY, 8 * HOUR_US, 18 * HOUR_US),
    OpenHours(frozenset({5, 6, 7}), 22 * HOUR_US, 30 * HOUR_US),
    OpenHours(EVERY_DAY, 0, 24 * HOUR_US, frozenset({day("2026-03-29"), day("2026-10-25")})),
    OpenHours(EVERY_DAY, 2 * HOUR_US + 15 * MINUTE_US, 2 * HOUR_US + 45 * MINUTE_US),
    OpenHours(EVERY_DAY, 12 * HOUR_US, 36 * HOUR_US, frozenset({day("2026-04-04")})),
    OpenHours(EVERY_DAY, 23 * HOUR_US + 59 * MINUTE_US, 47 * HOUR_US + 58 * MINUTE_US),
]


def check(asked: TrafficQuery, zone_name: str) -> None:
    """Compares the bins of a scan with what the clock shows at each minute."""
    bins, found = bins_of(asked), scan_bins(asked)
    fold = found.fold
    assert fold is not None
    assert fold.bin_count == len(bins.edge_us) - 1 == len(found.covered_us)
    edges = found.edge_us.tolist()
    assert edges == sorted(set(edges))
    assert (edges[0], edges[-1]) == (bins.edge_us[0], bins.edge_us[-1])
    covered = np.zeros(fold.bin_count, np.int64)
    for us in range(edges[0], edges[-1], MINUTE_US):
        place = int(np.searchsorted(found.edge_us, us, side="right")) - 1
        of_answer = int(np.searchsorted(bins.edge_us, us, side="right")) - 1
        shown = local(us, zone_name)
        is_covered = asked.open_hours is None or is_open(us, zone_name, asked.open_hours)
        covered[of_answer] += MINUTE_US * is_covered
        is_shown = is_covered and all(holds(each, shown) for each in asked.local_filters)
        assert fold.bin[place] == (of_answer if is_shown else -1), shown
        for number, values in fold.keys:
            assert values[place] == value_of(asked.keys[number], shown), shown  # type: ignore[arg-type]
    assert found.covered_us.tolist() == covered.tolist()


def value_of(key: LocalTimeKey, shown: datetime) -> int:
    return shown.hour if key.part == "hour" else shown.isoweekday()


def holds(predicate: TrafficPredicate, shown: datetime) -> bool:
    match predicate:
        case InGroups(keys=(LocalTimeKey() as key,), groups=groups):
            return (value_of(key, shown),) in groups
        case AnyOf(conditions=conditions):
            return any(holds(each, shown) for each in conditions)
        case Not(condition=condition):
            return not holds(condition, shown)
    return False


@pytest.mark.parametrize(("zone_name", "from_text", "to_text"), RANGES)
def test_hours_are_open_while_the_clock_shows_them(zone_name: str, from_text: str, to_text: str) -> None:
    dice = chance("hours", zone_name)
    for hours in dice.sample(HOURS, 3):
        granularity = dice.choice([None, Granularity.FIFTEEN_MINUTES, Granularity.HOUR, Granularity.DAY])
        check(query(zone_name, from_text, to_text, granularity, open_hours=hours), zone_name)


FILTERS: list[TrafficPredicate] = [
    InGroups((HOUR,), ((2,), (9,))),
    Not(InGroups((WEEKDAY,), ((7,), (1,)))),
    AnyOf((InGroups((HOUR,), ((0,),)), Between("tenant_id", 1, 0))),
    Between("tenant_id", 1, 0),
]


@pytest.mark.parametrize(("zone_name", "from_text", "to_text"), RANGES)
def test_each_bin_has_one_value_of_local_times(zone_name: str, from_text: str, to_text: str) -> None:
    for keys, filters in (((HOUR,), FILTERS[:1]), ((WEEKDAY, HOUR), FILTERS[1:3]), ((), FILTERS[3:])):
        asked = query(zone_name, from_text, to_text, Granularity.DAY, keys=keys, local_filters=tuple(filters))
        check(asked, zone_name)
        check(replace(asked, open_hours=HOURS[1]), zone_name)


def test_hours_of_a_day_on_which_the_clock_is_set() -> None:
    """02:15 to 02:45 is skipped on one day, and is there twice on another one."""
    hours = HOURS[3]
    for from_text, expected in (("2026-03-29", 0), ("2026-10-25", 60), ("2026-06-01", 30)):
        asked = query("Europe/Berlin", from_text, f"{from_text}T12:00:00", None, open_hours=hours)
        assert scan_bins(asked).covered_us.tolist() == [expected * MINUTE_US]


def test_scans_of_instants_alone_keep_their_keys_and_filters() -> None:
    asked = query(
        "UTC", "2026-03-01", "2026-03-02", Granularity.HOUR, keys=(HOUR,), local_filters=(FILTERS[0],)
    )
    without = scan_bins(replace(asked, measures=(TrafficMeasure("count", "all"),)))
    assert without.fold is None
    assert without.edge_us.tolist() == bins_of(asked).edge_us.tolist()
    assert without.covered_us.tolist() == [HOUR_US] * 24
    opened = calendar.open_bins(replace(asked, open_hours=HOURS[0]), bins_of(asked), 100)
    assert opened.fold is not None
    assert opened.fold.keys == ()
    assert opened.covered_us.tolist() == [0] * 8 + [HOUR_US] * 10 + [0] * 6


def test_without_bins() -> None:
    asked = replace(query("UTC", "2026-03-01", "2026-03-02", None, open_hours=HOURS[0]), from_us=2**62)
    found = scan_bins(asked)
    assert (found.bin_count, found.fold, found.covered_us.tolist()) == (0, None, [])


def test_more_cuts_than_allowed_are_refused() -> None:
    asked = query("UTC", "2026-03-01", "2026-03-03", None, keys=(HOUR,), open_hours=HOURS[0])
    assert scan_bins(asked, 52).bin_count == 48
    with pytest.raises(InvalidRequestError) as raised:
        scan_bins(asked, 51)
    (violation,) = raised.value.violations
    assert (violation.field, violation.reason) == ("from_time", "BIN_LIMIT_EXCEEDED")
    assert violation.metadata == {"asked": "52", "allowed": "51"}
