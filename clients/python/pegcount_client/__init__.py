"""A client of Pegcount, a service for telephone-traffic reports from call records."""

from importlib.metadata import version

from pegcount_client.alerts import AlertRule, TrafficAlert
from pegcount_client.async_client import AsyncClient
from pegcount_client.async_record_writer import AsyncRecordWriter
from pegcount_client.async_traffic_watch import AsyncTrafficWatch
from pegcount_client.busy_hour import BusyHour, PeakHour, QuarterHour, busy_hour, busy_hours
from pegcount_client.channel import Tls
from pegcount_client.client import Client
from pegcount_client.enums import (
    Additivity,
    AlertComparison,
    AlertState,
    Attempts,
    Comparison,
    FeedFinding,
    Granularity,
    Grouping,
    NoticeCode,
    Occupancy,
    ReleaseParty,
    SessionEvent,
    SessionKind,
    TrafficDimension,
    TrafficMetric,
)
from pegcount_client.errors import PegcountError, RecordsRejectedError, Violation
from pegcount_client.filters import DecimalFilter, IntegerFilter, TextFilter
from pegcount_client.queries import (
    ActiveSessionsQuery,
    AsrUsageQuery,
    FeedHealthQuery,
    FolderStatsQuery,
    OriginationQualityQuery,
    TrafficQuery,
    TrafficWatchQuery,
)
from pegcount_client.record import Record
from pegcount_client.record_writer import RecordWriter
from pegcount_client.reports import (
    ActiveSessionRow,
    ActiveSessions,
    AsrUsage,
    AsrUsageBin,
    AsrUsageTotals,
    Feed,
    FeedHealth,
    FeedRejections,
    FolderAgentRow,
    FolderStats,
    FolderStatsRow,
    FolderStatsTotals,
    Notice,
    OriginationQuality,
    OriginationQualityBin,
    OriginationQualityTotals,
    ReportRange,
    Traffic,
    TrafficComparison,
    TrafficFigures,
    TrafficMetricColumn,
    TrafficRow,
)
from pegcount_client.retry import RetryPolicy
from pegcount_client.rows import Rows
from pegcount_client.times import UnknownZoneError
from pegcount_client.traffic_query import GroupBy, Metric, OpenHours, Top, Where
from pegcount_client.traffic_watch import TrafficWatch, WatchState
from pegcount_client.write_summary import Rejection, WriteSummary

__version__ = version("pegcount-client")

__all__ = [
    "ActiveSessionRow",
    "ActiveSessions",
    "ActiveSessionsQuery",
    "Additivity",
    "AlertComparison",
    "AlertRule",
    "AlertState",
    "AsrUsage",
    "AsrUsageBin",
    "AsrUsageQuery",
    "AsrUsageTotals",
    "AsyncClient",
    "AsyncRecordWriter",
    "AsyncTrafficWatch",
    "Attempts",
    "BusyHour",
    "Client",
    "Comparison",
    "DecimalFilter",
    "Feed",
    "FeedFinding",
    "FeedHealth",
    "FeedHealthQuery",
    "FeedRejections",
    "FolderAgentRow",
    "FolderStats",
    "FolderStatsQuery",
    "FolderStatsRow",
    "FolderStatsTotals",
    "Granularity",
    "GroupBy",
    "Grouping",
    "IntegerFilter",
    "Metric",
    "Notice",
    "NoticeCode",
    "Occupancy",
    "OpenHours",
    "OriginationQuality",
    "OriginationQualityBin",
    "OriginationQualityQuery",
    "OriginationQualityTotals",
    "PeakHour",
    "PegcountError",
    "QuarterHour",
    "Record",
    "RecordWriter",
    "RecordsRejectedError",
    "Rejection",
    "ReleaseParty",
    "ReportRange",
    "RetryPolicy",
    "Rows",
    "SessionEvent",
    "SessionKind",
    "TextFilter",
    "Tls",
    "Top",
    "Traffic",
    "TrafficAlert",
    "TrafficComparison",
    "TrafficDimension",
    "TrafficFigures",
    "TrafficMetric",
    "TrafficMetricColumn",
    "TrafficQuery",
    "TrafficRow",
    "TrafficWatch",
    "TrafficWatchQuery",
    "UnknownZoneError",
    "Violation",
    "WatchState",
    "Where",
    "WriteSummary",
    "busy_hour",
    "busy_hours",
]
