"""The busy hour from erlangs per quarter of an hour."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import seeds
from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount_client import QuarterHour, Traffic, busy_hour, busy_hours

FIRST = date(2026, 3, 2)
E492: Sequence[Mapping[int, float]] = (
    {10: 30, 11: 50, 12: 40},
    {10: 45, 11: 35, 12: 40},
    {10: 20, 11: 30, 12: 60},
)
"""Erlangs by hour on three days."""


def day_of(day: date, by_hour: Mapping[int, float], zone: str = "UTC") -> list[QuarterHour]:
    """The quarters of a local day, each with the erlangs of its hour."""
    start = datetime.combine(day, time(), ZoneInfo(zone))
    end = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))
    seconds = int(end.timestamp() - start.timestamp())
    instants = (start.timestamp() + passed for passed in range(0, seconds, 900))
    local = [datetime.fromtimestamp(instant, ZoneInfo(zone)) for instant in instants]
    return [QuarterHour(each, by_hour.get(each.hour, 0.0)) for each in local]


def days_of(hours: Sequence[Mapping[int, float]], zone: str = "UTC") -> list[QuarterHour]:
    days = [day_of(FIRST + timedelta(days=number), by_hour, zone) for number, by_hour in enumerate(hours)]
    return [quarter for day in days for quarter in day]


def test_the_published_example() -> None:
    found = busy_hour(days_of(E492))
    assert found.start == time(12)
    assert found.tcbh_erlangs == pytest.approx(140 / 3)
    assert found.adph_erlangs == pytest.approx(155 / 3)
    assert [(peak.date.day, peak.start.hour, peak.erlangs) for peak in found.peaks] == [
        (2, 11, 50),
        (3, 10, 45),
        (4, 12, 60),
    ]
    assert found.left_out == ()


def test_hours_begin_on_quarters() -> None:
    quarters = days_of([{}])
    for place, erlangs in ((41, 8.0), (42, 4.0), (43, 4.0), (44, 4.0)):
        quarters[place] = QuarterHour(quarters[place].start, erlangs)
    found = busy_hour(quarters)
    assert (found.start, found.tcbh_erlangs, found.adph_erlangs) == (time(10, 15), 5.0, 5.0)


def test_the_earliest_of_equal_hours() -> None:
    assert busy_hour(days_of([{9: 3, 15: 3}])).start == time(9)


def test_a_day_that_is_not_whole_is_left_out() -> None:
    days = days_of(E492)
    clipped, unfinished, lacking = list(days), list(days), days[:-1]
    clipped[0] = QuarterHour(days[0].start, 99.0, covered_us=899_999_999)
    unfinished[-1] = QuarterHour(days[-1].start, 99.0, complete=False)
    assert busy_hour(clipped).left_out == (FIRST,)
    assert busy_hour(unfinished).left_out == busy_hour(lacking).left_out == (FIRST + timedelta(days=2),)
    assert busy_hour(unfinished).adph_erlangs == 47.5


@pytest.mark.parametrize("change", [date(2026, 3, 29), date(2026, 10, 25)])
def test_a_day_on_which_the_clock_changes_is_left_out(change: date) -> None:
    quarters = [
        *day_of(change, {2: 90.0}, "Europe/Berlin"),
        *day_of(change + timedelta(days=1), {12: 7.0}, "Europe/Berlin"),
    ]
    found = busy_hour(quarters)
    assert (found.left_out, found.start, found.tcbh_erlangs) == ((change,), time(12), 7.0)


def test_without_traffic_there_is_an_intensity_but_no_hour() -> None:
    found = busy_hour(days_of([{}, {}]))
    assert (found.start, found.tcbh_erlangs, found.adph_erlangs, len(found.peaks)) == (None, 0.0, 0.0, 2)


def test_without_a_whole_day_no_figure_has_a_value() -> None:
    found = busy_hour(days_of(E492)[:50])
    assert (found.start, found.tcbh_erlangs, found.adph_erlangs, found.peaks) == (None, None, None, ())
    assert found.left_out == (FIRST,)
    assert busy_hour([]).left_out == ()


def test_the_daily_peak_is_never_less_than_the_busy_hour() -> None:
    chance = seeds.chance("busy hours")
    for _ in range(50):
        hours = [
            {hour: chance.choice((0.0, chance.random(), chance.random() * 90)) for hour in range(24)}
            for _ in range(chance.randrange(1, 9))
        ]
        found = busy_hour(days_of(hours))
        assert found.tcbh_erlangs is not None
        assert found.adph_erlangs is not None
        assert found.adph_erlangs >= found.tcbh_erlangs - 1e-9


def test_each_group_of_a_report() -> None:
    groups = [days_of([{10: 4.0}]), days_of([{11: 2.0}])]
    answer = traffic_pb2.QueryTrafficResponse(
        range=reports_pb2.ResolvedRange(time_zone="UTC", granularity=reports_pb2.GRANULARITY_FIFTEEN_MINUTES),
        t=[int(quarter.start.timestamp()) for quarter in groups[0]],
        covered_us=[900_000_000] * 96,
        complete=[True] * 96,
        groups=[
            traffic_pb2.TrafficGroup(keys=[traffic_pb2.TrafficKey(text="V1")]),
            traffic_pb2.TrafficGroup(other=True),
        ],
        columns=[erlangs([quarter.erlangs or 0.0 for group in groups for quarter in group])],
        group_totals=[erlangs([1.0, 1.0])],
        totals=[erlangs([2.0])],
    )
    request = traffic_pb2.QueryTrafficRequest(
        group_by=[traffic_pb2.GroupSpec(dimension=traffic_pb2.TRAFFIC_DIMENSION_TERM_ACCOUNTS_NAME)]
    )
    first, second = busy_hours(Traffic.from_response(answer, request))
    assert (dict(first.keys), first.other, first.start) == ({"term_accounts_name": "V1"}, False, time(10))
    assert (second.other, second.start, second.tcbh_erlangs) == (True, time(11), 2.0)
    answer.range.granularity = reports_pb2.GRANULARITY_HOUR
    with pytest.raises(ValueError, match="erlangs per quarter of an hour"):
        busy_hours(Traffic.from_response(answer, request))


def erlangs(values: list[float]) -> traffic_pb2.TrafficColumn:
    return traffic_pb2.TrafficColumn(
        metric=traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_ERLANG), doubles=values
    )
