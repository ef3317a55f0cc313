"""A client of Pegcount, a service for telephone-traffic reports from call records."""

from importlib.metadata import version

from pegcount_client.async_client import AsyncClient
from pegcount_client.async_record_writer import AsyncRecordWriter
from pegcount_client.channel import Tls
from pegcount_client.client import Client
from pegcount_client.enums import Granularity, Grouping, NoticeCode, SessionEvent, SessionKind
from pegcount_client.errors import PegcountError, RecordsRejectedError, Violation
from pegcount_client.filters import DecimalFilter, IntegerFilter, TextFilter
from pegcount_client.queries import (
    ActiveSessionsQuery,
    AsrUsageQuery,
    FolderStatsQuery,
    OriginationQualityQuery,
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
)
from pegcount_client.retry import RetryPolicy
from pegcount_client.rows import Rows
from pegcount_client.times import UnknownZoneError
from pegcount_client.write_summary import Rejection, WriteSummary

__version__ = version("pegcount-client")

__all__ = [
    "ActiveSessionRow",
    "ActiveSessions",
    "ActiveSessionsQuery",
    "AsrUsage",
    "AsrUsageBin",
    "AsrUsageQuery",
    "AsrUsageTotals",
    "AsyncClient",
    "AsyncRecordWriter",
    "Client",
    "DecimalFilter",
    "FolderAgentRow",
    "FolderStats",
    "FolderStatsQuery",
    "FolderStatsRow",
    "FolderStatsTotals",
    "Granularity",
    "Grouping",
    "IntegerFilter",
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
    "ReportRange",
    "RetryPolicy",
    "Rows",
    "SessionEvent",
    "SessionKind",
    "TextFilter",
    "Tls",
    "UnknownZoneError",
    "Violation",
    "WriteSummary",
]
