"""A client of Pegcount, a service for telephone-traffic reports from call records."""

from importlib.metadata import version

from pegcount_client.async_client import AsyncClient
from pegcount_client.async_record_writer import AsyncRecordWriter
from pegcount_client.channel import Tls
from pegcount_client.client import Client
from pegcount_client.enums import (
    Additivity,
    Attempts,
    Granularity,
    Grouping,
    NoticeCode,
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
    FolderStatsQuery,
    OriginationQualityQuery,
    TrafficQuery,
)
from pegcount_client.record import Record
from pegcount_client.record_writer import RecordWriter
from pegcount_client.reports import (
    ActiveSessionRow,
    ActiveSessions,
    AsrUsage,
    AsrUsageBin,
    AsrUsageTotals,
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
    TrafficFigures,
    TrafficMetricColumn,
    TrafficRow,
)
from pegcount_client.retry import RetryPolicy
from pegcount_client.rows import Rows
from pegcount_client.times import UnknownZoneError
from pegcount_client.traffic_query import GroupBy, Metric, Top, Where
from pegcount_client.write_summary import Rejection, WriteSummary

__version__ = version("pegcount-client")

__all__ = [
    "ActiveSessionRow",
    "ActiveSessions",
    "ActiveSessionsQuery",
    "Additivity",
    "AsrUsage",
    "AsrUsageBin",
    "AsrUsageQuery",
    "AsrUsageTotals",
    "AsyncClient",
    "AsyncRecordWriter",
    "Attempts",
    "Client",
    "DecimalFilter",
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
    "OriginationQuality",
    "OriginationQualityBin",
    "OriginationQualityQuery",
    "OriginationQualityTotals",
    "PegcountError",
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
    "TrafficDimension",
    "TrafficFigures",
    "TrafficMetric",
    "TrafficMetricColumn",
    "TrafficQuery",
    "TrafficRow",
    "UnknownZoneError",
    "Violation",
    "Where",
    "WriteSummary",
]
