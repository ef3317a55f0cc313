"""The answers of the reports: typed rows and totals, and frames of the rows.

Times are in the zone of the report. Python subtracts and compares two times of one zone by what the local
clock shows: convert them by `astimezone(datetime.UTC)` before, where a day may have 23 or 25 hours.
"""

from pegcount_client.reports.active_sessions import ActiveSessionRow, ActiveSessions
from pegcount_client.reports.answer import Notice, ReportRange
from pegcount_client.reports.asr_usage import AsrUsage, AsrUsageBin, AsrUsageTotals
from pegcount_client.reports.feed_health import Feed, FeedHealth, FeedRejections
from pegcount_client.reports.folder_stats import (
    FolderAgentRow,
    FolderStats,
    FolderStatsRow,
    FolderStatsTotals,
)
from pegcount_client.reports.origination_quality import (
    OriginationQuality,
    OriginationQualityBin,
    OriginationQualityTotals,
)
from pegcount_client.reports.traffic import (
    Traffic,
    TrafficComparison,
    TrafficFigures,
    TrafficMetricColumn,
    TrafficRow,
)

__all__ = [
    "ActiveSessionRow",
    "ActiveSessions",
    "AsrUsage",
    "AsrUsageBin",
    "AsrUsageTotals",
    "Feed",
    "FeedHealth",
    "FeedRejections",
    "FolderAgentRow",
    "FolderStats",
    "FolderStatsRow",
    "FolderStatsTotals",
    "Notice",
    "OriginationQuality",
    "OriginationQualityBin",
    "OriginationQualityTotals",
    "ReportRange",
    "Traffic",
    "TrafficComparison",
    "TrafficFigures",
    "TrafficMetricColumn",
    "TrafficRow",
]
