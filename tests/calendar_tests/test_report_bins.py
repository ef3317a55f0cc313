"""The bins that each report reads for a query."""

from collections.abc import Callable

import numpy as np
import pytest
from pegcount import calendar
from pegcount.errors import InvalidRequestError, Violation
from pegcount.model import Bins, FolderQuery, Granularity, QualityQuery, UsageQuery
from zone_times import day, get_zone, instant_of, printed

MINUTE, FIVE_MINUTES, FIFTEEN_MINUTES, THIRTY_MINUTES, HOUR, DAY, WEEK, MONTH = Granularity
NOW = "2026-07-01T12:34:56.789Z"
NOW_US = instant_of(NOW, get_zone("UTC"))
EVER_MINUTES = 230 * 365 * 1_440 + 56 * 1_440


def usage_query(
    zone_name: str,
    granularity: Granularity,
    from_text: str,
    to_text: str | None,
    sma_period: int | None = None,
) -> UsageQuery:
    zone = get_zone(zone_name)
    to_us = None if to_text is None else instant_of(to_text, zone)
    return UsageQuery(instant_of(from_text, zone), to_us, granularity, zone, sma_period, ())


def quality_query(
    zone_name: str, granularity: Granularity, from_text: str, to_text: str | None
) -> QualityQuery:
    zone = get_zone(zone_name)
    to_us = None if to_text is None else instant_of(to_text, zone)
    return QualityQuery(instant_of(from_text, zone), to_us, granularity, zone, ())


def folder_query(zone_name: str, from_text: str, to_text: str) -> FolderQuery:
    return FolderQuery("company", "organization", "", day(from_text), day(to_text), get_zone(zone_name), ())


def usage_bins(query: UsageQuery, bin_count_max: int = 1_000) -> Bins:
    return calendar.usage_bins(query, NOW_US, bin_count_max)


def quality_bins(query: QualityQuery, bin_count_max: int = 1_000) -> Bins:
    return calendar.quality_bins(query, NOW_US, bin_count_max)


def texts(zone_name: str, *instants_us: int) -> list[str]:
    return [printed(us, get_zone(zone_name)) for us in instants_us]


def assert_no_bins(bins: Bins) -> None:
    assert bins.is_empty
    assert bins.warmup_count == 0
    for edge_us in (bins.edge_us, bins.calendar_us):
        assert edge_us.dtype == np.int64
        assert edge_us.shape == (0,)


@pytest.mark.parametrize(
    ("zone_name", "granularity", "from_text", "to_text", "expected"),
    [
        (
            "UTC",
            HOUR,
            "2026-01-01T00:59:59.999999",
            "2026-01-01T02:00:00",
            "2026-01-01T00:00:00Z 2026-01-01T01:00:00Z 2026-01-01T02:00:00Z",
        ),
        (
            "Europe/Berlin",
            DAY,
            "2026-03-29T12:00:00",
            "2026-03-30T00:00:01",
            "2026-03-29T00:00:00+01:00 2026-03-30T00:00:00+02:00 2026-03-31T00:00:00+02:00",
        ),
        # Without an end, the last bin is the one that contains now, including its part after now.
        ("UTC", MINUTE, "2026-07-01T12:34:30", None, "2026-07-01T12:34:00Z 2026-07-01T12:35:00Z"),
        ("UTC", MONTH, "2026-07-01", None, "2026-07-01T00:00:00Z 2026-08-01T00:00:00Z"),
        # An end after now is not cut off.
        (
            "UTC",
            WEEK,
            "2026-07-01T12:34:56.788999",
            "2026-07-07",
            "2026-06-29T00:00:00Z 2026-07-06T00:00:00Z 2026-07-13T00:00:00Z",
        ),
        ("UTC", DAY, "1970-01-01", "1970-01-01T00:00:00.000001", "1970-01-01T00:00:00Z 1970-01-02T00:00:00Z"),
    ],
)
def test_usage_bins_are_whole(
    zone_name: str, granularity: Granularity, from_text: str, to_text: str | None, expected: str
) -> None:
    bins = usage_bins(usage_query(zone_name, granularity, from_text, to_text))
    edges = expected.split()
    assert texts(zone_name, *bins.edge_us.tolist()) == edges
    assert texts(zone_name, bins.from_us, bins.to_us) == [edges[0], edges[-1]]
    assert bins.calendar_us is bins.edge_us
    assert bins.warmup_count == 0


@pytest.mark.parametrize(
    ("zone_name", "from_text", "to_text", "sma_period", "expected"),
    [
        ("UTC", "2026-01-02T12:00:00", "2026-01-03", 1, "2026-01-02 2026-01-03"),
        (
            "UTC",
            "2026-01-02T12:00:00",
            "2026-01-03",
            4,
            "2025-12-30 2025-12-31 2026-01-01 2026-01-02 2026-01-03",
        ),
        ("UTC", "2026-07-01", None, 2, "2026-06-30 2026-07-01 2026-07-02"),
        ("UTC", "1970-01-01", "1970-01-02", 2, "1969-12-31 1970-01-01 1970-01-02"),
        # 2011-12-30 does not exist, so the warm-up begins one date earlier.
        ("Pacific/Apia", "2011-12-31", "2012-01-01", 2, "2011-12-29 2011-12-31 2012-01-01"),
        ("Pacific/Apia", "2012-01-01", "2012-01-02", 3, "2011-12-29 2011-12-31 2012-01-01 2012-01-02"),
        ("Pacific/Apia", "2011-12-30", "2012-01-01", 3, "2011-12-28 2011-12-29 2011-12-31 2012-01-01"),
        ("Pacific/Apia", "2011-12-29", "2012-01-01", 2, "2011-12-28 2011-12-29 2011-12-31 2012-01-01"),
    ],
)
def test_a_moving_average_adds_warmup_days(
    zone_name: str, from_text: str, to_text: str | None, sma_period: int, expected: str
) -> None:
    query = usage_query(zone_name, DAY, from_text, to_text, sma_period)
    bins = usage_bins(query)
    assert [text[:10] for text in texts(zone_name, *bins.edge_us.tolist())] == expected.split()
    assert bins.calendar_us is bins.edge_us
    assert bins.warmup_count == sma_period - 1
    plain = usage_bins(usage_query(zone_name, DAY, from_text, to_text))
    assert (bins.from_us, bins.to_us) == (plain.from_us, plain.to_us)
    assert np.array_equal(bins.edge_us[bins.warmup_count :], plain.edge_us)


@pytest.mark.parametrize(
    ("zone_name", "granularity", "from_text", "to_text", "expected", "clipped"),
    [
        (
            "UTC",
            HOUR,
            "2026-01-01T00:30:00",
            "2026-01-01T02:00:00.000001",
            "2026-01-01T00:00:00Z 2026-01-01T01:00:00Z 2026-01-01T02:00:00Z 2026-01-01T03:00:00Z",
            "2026-01-01T00:30:00Z 2026-01-01T02:00:00.000001Z",
        ),
        (
            "UTC",
            HOUR,
            "2026-01-01",
            "2026-01-01T01:00:00",
            "2026-01-01T00:00:00Z 2026-01-01T01:00:00Z",
            "2026-01-01T00:00:00Z 2026-01-01T01:00:00Z",
        ),
        (
            "Europe/Berlin",
            MONTH,
            "2026-03-29T12:00:00",
            "2026-03-29T13:00:00",
            "2026-03-01T00:00:00+01:00 2026-04-01T00:00:00+02:00",
            "2026-03-29T12:00:00+02:00 2026-03-29T13:00:00+02:00",
        ),
        # The range ends now if the end is absent or later than now.
        (
            "UTC",
            DAY,
            "2026-06-30T06:00:00",
            None,
            "2026-06-30T00:00:00Z 2026-07-01T00:00:00Z 2026-07-02T00:00:00Z",
            "2026-06-30T06:00:00Z 2026-07-01T12:34:56.789000Z",
        ),
        (
            "UTC",
            DAY,
            "2026-07-01",
            "2026-08-01",
            "2026-07-01T00:00:00Z 2026-07-02T00:00:00Z",
            "2026-07-01T00:00:00Z 2026-07-01T12:34:56.789000Z",
        ),
    ],
)
def test_quality_bins_are_clipped_to_the_range(
    zone_name: str, granularity: Granularity, from_text: str, to_text: str | None, expected: str, clipped: str
) -> None:
    bins = quality_bins(quality_query(zone_name, granularity, from_text, to_text))
    edges, (first, last) = expected.split(), clipped.split()
    assert texts(zone_name, *bins.calendar_us.tolist()) == edges
    assert texts(zone_name, *bins.edge_us.tolist()) == [first, *edges[1:-1], last]
    assert texts(zone_name, bins.from_us, bins.to_us) == [first, last]
    assert bins.warmup_count == 0


@pytest.mark.parametrize(
    ("from_text", "to_text", "end"),
    [
        (NOW, None, NOW),
        (NOW, "2026-07-02", "2026-07-02"),
        ("2027-01-01", None, "2027-01-01"),
        ("2027-01-01T00:00:30", "2027-02-01", "2027-02-01"),
        # The range would exceed the bin limit if it had bins.
        (NOW, "2200-01-01", "2200-01-01"),
    ],
)
def test_a_range_that_begins_now_or_later_has_no_bins(from_text: str, to_text: str | None, end: str) -> None:
    usage, quality = (
        usage_bins(usage_query("UTC", DAY, from_text, to_text, sma_period=7)),
        quality_bins(quality_query("UTC", MINUTE, from_text, to_text)),
    )
    for bins in (usage, quality):
        assert_no_bins(bins)
        assert bins.from_us == instant_of(from_text, get_zone("UTC"))
        assert bins.to_us == instant_of(end, get_zone("UTC"))


@pytest.mark.parametrize(
    ("zone_name", "from_text", "to_text", "expected"),
    [
        ("UTC", "2026-01-01", "2026-01-01", "2026-01-01T00:00:00Z 2026-01-02T00:00:00Z"),
        (
            "Europe/Berlin",
            "2026-10-24",
            "2026-10-25",
            "2026-10-24T00:00:00+02:00 2026-10-25T00:00:00+02:00 2026-10-26T00:00:00+01:00",
        ),
        (
            "Pacific/Apia",
            "2011-12-29",
            "2011-12-31",
            "2011-12-29T00:00:00-10:00 2011-12-31T00:00:00+14:00 2012-01-01T00:00:00+14:00",
        ),
        (
            "Pacific/Apia",
            "2011-12-29",
            "2011-12-30",
            "2011-12-29T00:00:00-10:00 2011-12-31T00:00:00+14:00",
        ),
    ],
)
def test_folder_bins_include_both_dates(zone_name: str, from_text: str, to_text: str, expected: str) -> None:
    bins = calendar.folder_bins(folder_query(zone_name, from_text, to_text), NOW_US, 3)
    edges = expected.split()
    assert texts(zone_name, *bins.edge_us.tolist()) == edges
    assert texts(zone_name, bins.from_us, bins.to_us) == [edges[0], edges[-1]]
    assert bins.calendar_us is bins.edge_us
    assert bins.warmup_count == 0


@pytest.mark.parametrize(
    ("zone_name", "from_text", "to_text", "expected"),
    [
        ("UTC", "2026-01-02", "2026-01-01", "2026-01-02T00:00:00Z 2026-01-02T00:00:00Z"),
        (
            "Europe/Berlin",
            "2026-07-01",
            "2026-01-01",
            "2026-07-01T00:00:00+02:00 2026-01-02T00:00:00+01:00",
        ),
        (
            "Pacific/Apia",
            "2011-12-30",
            "2011-12-30",
            "2011-12-31T00:00:00+14:00 2011-12-31T00:00:00+14:00",
        ),
    ],
)
def test_reversed_or_missing_dates_have_no_bins(
    zone_name: str, from_text: str, to_text: str, expected: str
) -> None:
    bins = calendar.folder_bins(folder_query(zone_name, from_text, to_text), NOW_US, 1)
    assert_no_bins(bins)
    assert texts(zone_name, bins.from_us, bins.to_us) == expected.split()


@pytest.mark.parametrize(
    ("make_bins", "field", "asked", "wider"),
    [
        (
            lambda allowed: usage_bins(usage_query("UTC", HOUR, "2026-01-01", "2026-01-02"), allowed),
            "granularity",
            24,
            ("GRANULARITY_DAY", 1),
        ),
        (
            lambda allowed: usage_bins(
                usage_query("Europe/Berlin", HOUR, "2025-10-26T00:59:00", "2025-10-27T00:00:01"), allowed
            ),
            "granularity",
            26,
            ("GRANULARITY_DAY", 2),
        ),
        # Warm-up days do not count towards the limit.
        (
            lambda allowed: usage_bins(usage_query("UTC", DAY, "2026-01-01", "2026-01-03", 366), allowed),
            "granularity",
            2,
            ("GRANULARITY_WEEK", 1),
        ),
        (
            lambda allowed: quality_bins(
                quality_query("UTC", FIVE_MINUTES, "2026-01-01T00:04:00", "2026-01-01T00:11:00"), allowed
            ),
            "sampling",
            3,
            ("GRANULARITY_FIFTEEN_MINUTES", 1),
        ),
        # The part of the range after now does not count.
        (
            lambda allowed: quality_bins(quality_query("UTC", HOUR, "2026-07-01", "2200-01-01"), allowed),
            "sampling",
            13,
            ("GRANULARITY_DAY", 1),
        ),
        (
            lambda allowed: calendar.folder_bins(
                folder_query("UTC", "2026-01-01", "2026-01-31"), NOW_US, allowed
            ),
            "to_date",
            31,
            None,
        ),
    ],
)
def test_more_bins_than_allowed_are_refused(
    make_bins: Callable[[int], Bins], field: str, asked: int, wider: tuple[str, int] | None
) -> None:
    bins = make_bins(asked)
    assert len(bins.edge_us) == bins.warmup_count + asked + 1
    with pytest.raises(InvalidRequestError) as caught:
        make_bins(asked - 1)
    hint = f"{wider[0]} would give {wider[1]}" if wider else "ask for fewer days"
    suggested = {"suggestion": wider[0]} if wider else {}
    assert caught.value.violations == [
        Violation(
            field,
            "BIN_LIMIT_EXCEEDED",
            f"the range has {asked} bins; {asked - 1} are allowed; {hint}",
            {"asked": str(asked), "allowed": str(asked - 1), **suggested},
        )
    ]


@pytest.mark.parametrize("zone_name", ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"])
@pytest.mark.parametrize("granularity", list(Granularity))
@pytest.mark.parametrize("allowed", [1, 20, 100])
def test_the_narrowest_wider_bins_that_fit_are_suggested(
    zone_name: str, granularity: Granularity, allowed: int
) -> None:
    texts = ("2011-12-29T10:07:00", "2012-02-02T00:00:00")

    def count(of: Granularity) -> int:
        return usage_bins(usage_query(zone_name, of, *texts), 10**6).edge_us.size - 1

    allowed = min(allowed, count(granularity) - 1)
    with pytest.raises(InvalidRequestError) as caught:
        usage_bins(usage_query(zone_name, granularity, *texts), allowed)
    fitting = [each for each in Granularity if each > granularity and count(each) <= allowed]
    expected = f"GRANULARITY_{fitting[0].name}" if fitting else None
    assert caught.value.metadata.get("suggestion") == expected
    ending = f"{expected} would give {count(fitting[0])}" if fitting else "ask for a shorter range"
    assert str(caught.value).endswith(ending)


def test_the_bin_limit_is_checked_before_edges_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_if_called(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("pegcount.calendar.report_bins.edges", fail_if_called)
    query = usage_query("UTC", MINUTE, "1970-01-01", "2200-01-01")
    with pytest.raises(InvalidRequestError, match=f"^granularity: the range has {EVER_MINUTES:,} bins"):
        usage_bins(query)


def test_bins_cannot_be_changed_as_several_calls_share_them() -> None:
    answers = [
        usage_bins(usage_query("UTC", DAY, "2026-01-01", "2026-01-03")),
        quality_bins(quality_query("UTC", DAY, "2026-01-01", "2026-01-03")),
        calendar.folder_bins(folder_query("UTC", "2026-01-01", "2026-01-03"), NOW_US, 10),
    ]
    for bins in answers:
        for edge_us in (bins.edge_us, bins.calendar_us):
            with pytest.raises(ValueError, match="read-only"):
                edge_us[0] = 0
