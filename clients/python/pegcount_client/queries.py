"""What the reports can be asked for: the fields of the requests by their names in the contract.

An argument that is None counts as left out. Times and zones are described in `pegcount_client.times`.
"""

from collections.abc import Iterable, Mapping
from typing import NotRequired, Required, TypedDict

from pegcount_client.alerts import AlertRule
from pegcount_client.enums import (
    Attempts,
    Comparison,
    Granularity,
    Grouping,
    SessionKind,
)
from pegcount_client.filters import DecimalFilter, IntegerFilter, TextFilter
from pegcount_client.times import Day, Time, Zone
from pegcount_client.traffic_query import GroupBy, Metric, OpenHours, Top, Where


class AsrUsageQuery(TypedDict, total=False):
    """Asks for sessions per bin."""

    from_time: Required[Time]
    """Start of the range, inclusive; moved down to the start of its bin."""
    to_time: NotRequired[Time | None]
    """End of the range, exclusive; moved up to the end of its bin. Absent: now."""
    granularity: Required[Granularity | str]
    """Width of the bins."""
    time_zone: NotRequired[Zone | None]
    """Zone of the bins. Absent: that of the times, if they have a ZoneInfo; else UTC."""
    app_ids: NotRequired[Iterable[int] | None]
    """DBIDs of IVR profiles; sessions of any of these. Absent: all."""
    comp_ids: NotRequired[Iterable[int] | None]
    """DBIDs of components; sessions of any of these. Absent: all."""
    tenant_ids: NotRequired[Iterable[int] | None]
    """DBIDs of tenants; sessions of any of these. Absent: all."""
    sma_period: NotRequired[int | None]
    """Days of the simple moving average, 1 to 366; only with DAY. Absent: none."""
    kind: NotRequired[SessionKind | str | None]
    """Kind of session. Absent: ASR."""
    absent: NotRequired[Iterable[str] | None]
    """Ids that must be absent: any of `app_id`, `comp_id` and `tenant_id`; with values in the list of the
    same id, sessions with one of these count too."""


class ActiveSessionsQuery(TypedDict, total=False):
    """Asks for the calls in progress."""

    return_fields: Required[Iterable[str]]
    """Names of fields of `ActiveSessionRow`, each once. All but `quantity` and `duration` form the key."""
    filters: NotRequired[Mapping[str, Iterable[int | str]] | None]
    """Values by the name of the field; calls that have any value of each list. Absent: all calls."""
    order: NotRequired[Iterable[str] | None]
    """Names out of `return_fields` to order the rows by, each with a leading `-` for descending."""
    limit: NotRequired[int | None]
    """Rows to return at most, 1 or more, cut after ordering. Absent: all."""
    grouping: NotRequired[Grouping | str | None]
    """ROLLUP adds subtotals and the total. Absent: rows alone."""
    code_deck: NotRequired[int | None]
    """Id of the code deck that rates are named by. Absent: what the record carries."""
    time_zone: NotRequired[Zone | None]
    """Zone of the times. Absent: UTC."""


class FolderStatsQuery(TypedDict, total=False):
    """Asks for calls per day and folder."""

    company: Required[str]
    organization: Required[str]
    """Organization of the company."""
    folder: NotRequired[str | None]
    """Folder of the organization. Absent or empty: every folder."""
    from_date: NotRequired[Day | None]
    """First day. Absent: today."""
    to_date: NotRequired[Day | None]
    """Last day, inclusive. Absent: the first day."""
    time_zone: NotRequired[Zone | None]
    """Zone of the days. Absent: UTC."""


class OriginationQualityQuery(TypedDict, total=False):
    """Asks for calls, ACD, ASR and CPS per bin.

    Exactly one of `account_id`, `account_ids` and `all_accounts` must be given, unless `absent` lists
    `account_id`.
    """

    account_id: NotRequired[str | None]
    """Account. One that no record carries gives zeros and a notice."""
    account_ids: NotRequired[Iterable[str] | None]
    """Accounts; calls of any of these."""
    all_accounts: NotRequired[bool | None]
    """Whether calls of all accounts count, those without an account included."""
    from_time: Required[Time]
    """Start of the range, inclusive; not moved."""
    to_time: NotRequired[Time | None]
    """End of the range, exclusive, at most now. Absent: now."""
    sampling: Required[Granularity | str]
    """Width of the bins; the first and the last are clipped to the range."""
    time_zone: NotRequired[Zone | None]
    """Zone of the bins. Absent: that of the times, if they have a ZoneInfo; else UTC."""
    src_country_id: NotRequired[int | None]
    """Id of the country that the calls come from. Absent: any."""
    dst_country_id: NotRequired[int | None]
    """Id of the country that the calls go to. Absent: any."""
    src_prefix_routing: NotRequired[TextFilter | None]
    """Calling number as used for routing. Absent: any."""
    dst_prefix_routing: NotRequired[TextFilter | None]
    """Called number as used for routing. Absent: any."""
    duration: NotRequired[IntegerFilter | None]
    """Whole seconds from answer to end, rounded down. Absent: any."""
    auth_orig_ip: NotRequired[str | None]
    """Address, or CIDR block such as `198.51.100.0/24`, that the calls came from. Absent: any."""
    customer_price: NotRequired[DecimalFilter | None]
    """Price for the customer. Absent: any."""
    absent: NotRequired[Iterable[str] | None]
    """Ids that must be absent: any of `account_id`, `src_country_id` and `dst_country_id`; with a value for
    the same id, calls with this value count too."""


class TrafficQuery(TypedDict, total=False):
    """Asks for any figures of calls, by any dimensions, over time."""

    from_time: Required[Time]
    """Start of the range, inclusive; not moved."""
    to_time: NotRequired[Time | None]
    """End of the range, exclusive, at most now. Absent: now."""
    metrics: Required[Iterable[Metric | str]]
    """The figures, 1 to 32: names, or a `Metric` with parameters."""
    group_by: NotRequired[Iterable[GroupBy | str] | None]
    """The dimensions to group by, at most 4: names, or a `GroupBy` with parameters. Absent: all calls."""
    filters: NotRequired[Iterable[Where] | None]
    """Which calls count: those that satisfy all of these. Absent: all."""
    granularity: NotRequired[Granularity | str | None]
    """Width of the bins, clipped to the range. Absent: one bin, the whole range."""
    time_zone: NotRequired[Zone | None]
    """Zone of the bins. Absent: that of the times, if they have a ZoneInfo; else UTC."""
    attempts: NotRequired[Attempts | str | None]
    """Which attempts count. Absent: LAST; with a dimension of the terminating leg, it must be given."""
    kind: NotRequired[SessionKind | str | None]
    """Kind of session. Absent: CALL."""
    top: NotRequired[Top | int | None]
    """Which groups to return: a number of them, or a `Top`. Absent: all, by their keys."""
    compare: NotRequired[Comparison | str | None]
    """An earlier range to compare with. Absent: none."""
    open_hours: NotRequired[OpenHours | None]
    """The hours that count. Absent: all."""


class TrafficWatchQuery(TypedDict, total=False):
    """Asks to be kept up to date about figures of calls over the last bins."""

    metrics: Required[Iterable[Metric | str]]
    """The figures, 1 to 32: names, or a `Metric` with parameters."""
    granularity: Required[Granularity | str]
    """Width of the bins."""
    last_bins: Required[int]
    """Calendar bins to answer, the present one included, 1 to 1440."""
    interval_ms: NotRequired[int | None]
    """Milliseconds between updates, 1,000 to 60,000. Absent: 5,000."""
    rules: NotRequired[Iterable[AlertRule] | None]
    """Rules that alert, at most 32. Each looks at each group."""
    group_by: NotRequired[Iterable[GroupBy | str] | None]
    """The dimensions to group by, at most 4: names, or a `GroupBy` with parameters. Absent: all calls."""
    filters: NotRequired[Iterable[Where] | None]
    """Which calls count: those that satisfy all of these. Absent: all."""
    time_zone: NotRequired[Zone | None]
    """Zone of the bins. Absent: UTC."""
    attempts: NotRequired[Attempts | str | None]
    """Which attempts count. Absent: LAST; with a dimension of the terminating leg, it must be given."""
    kind: NotRequired[SessionKind | str | None]
    """Kind of session. Absent: CALL."""
    top: NotRequired[Top | int | None]
    """Which groups to return: a number of them, or a `Top`. Absent: all, by their keys."""
    open_hours: NotRequired[OpenHours | None]
    """The hours that count. Absent: all."""


class FeedHealthQuery(TypedDict, total=False):
    """Asks how well sources feed the service."""

    sources: NotRequired[Iterable[str] | None]
    """Sources, at most 100; an empty text is the unnamed feed. Absent: all with records."""
    time_zone: NotRequired[Zone | None]
    """Zone of the times, and of the hour that rates are compared at. Absent: UTC."""
    rejected_days: NotRequired[int | None]
    """UTC days, today included, for which the answer counts rejected records, 1 to 31. Absent: 7."""
