"""Usage, quality and folder statistics say what the answers of the service say."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from pegcount_client.enums import Granularity, NoticeCode
from pegcount_client.reports import (
    AsrUsageBin,
    FolderAgentRow,
    FolderStatsRow,
    OriginationQualityBin,
)
from service import Service

from client_tests.asked_reports import BERLIN, SHORT_DAY, asr_usage, folders, present, quality, shown

# ---- ASR usage ----


def test_usage_of_a_day_of_23_hours(records_service: Service) -> None:
    report, response = asr_usage(records_service)
    assert len(report.bins) == len(response.bins) == 23
    for row, message in zip(report.bins, response.bins, strict=True):
        start = datetime.fromisoformat(message.start_time)
        assert shown(row) == {**present(message), "start_time": start}
        assert row.start_time.utcoffset() == start.utcoffset()
    hours = [row.start_time.hour for row in report.bins]
    assert hours == [0, 1, *range(3, 24)]
    assert report.bins[-1] == AsrUsageBin(
        start_time=datetime(2026, 3, 29, 23, tzinfo=BERLIN), session_count=3, sma=None, complete=True
    )


def test_usage_of_a_day_of_25_hours(records_service: Service) -> None:
    report, _ = asr_usage(
        records_service,
        from_time=date(2025, 10, 26),
        to_time=date(2025, 10, 27),
        time_zone="Europe/Berlin",
    )
    starts = [row.start_time for row in report.bins]
    assert len(starts) == 25
    assert [start.isoformat() for start in starts[2:4]] == [
        "2025-10-26T02:00:00+02:00",
        "2025-10-26T02:00:00+01:00",
    ]
    in_utc = [start.astimezone(UTC) for start in starts]
    assert {later - earlier for earlier, later in pairwise(in_utc)} == {timedelta(hours=1)}


def test_usage_range_and_totals(records_service: Service) -> None:
    report, response = asr_usage(records_service)
    span = report.range
    assert (span.time_zone, span.granularity) == ("Europe/Berlin", Granularity.HOUR)
    assert [span.from_time, span.to_time] == list(SHORT_DAY.values())
    assert span.to_time - span.from_time == timedelta(days=1)  # of the local clock
    assert span.to_time.astimezone(UTC) - span.from_time.astimezone(UTC) == timedelta(hours=23)
    assert span.generated_at == datetime(2026, 3, 30, 12, tzinfo=UTC)
    assert span.generated_at.isoformat() == response.range.generated_at
    totals = report.totals
    assert (totals.session_count, totals.busiest_count) == (3, 3)
    assert totals.busiest_start_time == datetime(2026, 3, 29, 23, tzinfo=BERLIN)


def test_usage_with_a_moving_average(records_service: Service) -> None:
    report, response = asr_usage(records_service, granularity="day", sma_period=2)
    assert [row.sma for row in report.bins] == [response.bins[0].sma] == [1.5]


def test_usage_without_sessions_has_no_busiest_bin(records_service: Service) -> None:
    report, _ = asr_usage(records_service, kind="tts")
    assert report.totals.session_count == 0
    assert report.totals.busiest_count is None
    assert report.totals.busiest_start_time is None
    assert [notice.code for notice in report.notices] == [NoticeCode.KIND_NOT_SEEN]


# ---- Origination quality ----


def test_quality_of_a_day_of_23_hours(records_service: Service) -> None:
    report, response = quality(records_service)
    data = response.data
    assert len(report.bins) == len(data.t) == response.rows == 23
    for place, row in enumerate(report.bins):
        assert row.start_time.timestamp() == data.t[place]
        assert row.start_time.tzinfo is BERLIN
        assert (row.total_calls, row.answered_calls) == (data.total_calls[place], data.answered_calls[place])
        assert (row.duration_ms, row.cps) == (data.duration_ms[place], data.cps[place])
    assert report.bins[2] == OriginationQualityBin(
        start_time=datetime(2026, 3, 29, 3, tzinfo=BERLIN),
        total_calls=1,
        answered_calls=1,
        duration_ms=60_500,
        acd=60.5,
        asr=100.0,
        cps=1 / 3600,
    )


def test_a_ratio_with_denominator_zero_is_none(records_service: Service) -> None:
    report, _ = quality(records_service)
    empty, unanswered = report.bins[0], report.bins[3]
    assert (empty.total_calls, empty.asr, empty.acd, empty.cps) == (0, None, None, 0.0)
    assert (unanswered.total_calls, unanswered.asr, unanswered.acd) == (1, 0.0, None)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        (datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=BERLIN), "2026-03-29T00:30:00.000001+00:00"),
        # The second of two equal local times.
        (datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=1), "2025-10-26T01:30:00+00:00"),
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "2026-03-29T01:30:00+00:00"),
        # An offset with seconds, which the contract cannot write.
        (datetime(1971, 6, 1, tzinfo=ZoneInfo("Africa/Monrovia")), "1971-06-01T00:44:30+00:00"),
        # Local times of Berlin, the second of which the clock skips.
        (datetime(2026, 3, 29, 1, 30), "2026-03-29T00:30:00+00:00"),
        (datetime(2026, 3, 29, 2, 30), "2026-03-29T01:30:00+00:00"),
        (date(2026, 3, 29), "2026-03-28T23:00:00+00:00"),
    ],
)
def test_the_service_reads_a_time_as_it_was_meant(
    records_service: Service, value: datetime | date, instant: str
) -> None:
    report, _ = quality(records_service, from_time=value, sampling="month", time_zone="Europe/Berlin")
    # Python never takes a time that the clock shows twice for equal to one of another zone.
    assert report.range.from_time.astimezone(UTC) == datetime.fromisoformat(instant)
    assert report.range.from_time.tzinfo is BERLIN


def test_quality_totals(records_service: Service) -> None:
    report, response = quality(records_service)
    assert shown(report.totals) == present(response.totals)
    nothing, response = quality(records_service, from_time="2030-01-01", to_time="2030-01-02")
    assert shown(nothing.totals) == present(response.totals)
    assert nothing.totals.cps_mean is nothing.totals.asr is nothing.totals.acd is None
    assert [notice.code for notice in nothing.notices] == [NoticeCode.FROM_IN_FUTURE]
    assert list(nothing.bins) == []


# ---- Folder statistics ----


def test_folders_and_agents(records_service: Service) -> None:
    report, response = folders(records_service, from_date=date(2026, 3, 29), to_date=date(2026, 3, 30))
    first, last = date(2026, 3, 29), date(2026, 3, 30)
    assert list(report.rows) == [
        FolderStatsRow(first, "", 1, 0, 0, None),
        FolderStatsRow(first, "sales", 2, 1, 60_500, 60.5),
        FolderStatsRow(last, "sales", 1, 0, 0, None),
    ]
    assert list(report.agents) == [
        FolderAgentRow(first, "", "max", 1, 0, 0, None),
        FolderAgentRow(first, "sales", "mona", 1, 1, 60_500, 60.5),
        FolderAgentRow(first, "sales", "nora", 1, 0, 0, None),
    ]
    for row, message in zip(report.rows, response.rows, strict=True):
        assert shown(row) == {**present(message), "date": date.fromisoformat(message.date)}
    assert shown(report.totals) == present(response.totals)
    assert report.range.granularity is Granularity.DAY


def test_folders_without_calls(records_service: Service) -> None:
    report, _ = folders(records_service, from_date="2026-03-02", to_date="2026-03-01")
    assert (list(report.rows), list(report.agents)) == ([], [])
    assert report.totals.average_duration_seconds is None
    assert [notice.code for notice in report.notices] == [NoticeCode.RANGE_REVERSED]
