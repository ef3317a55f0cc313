"""Time zones, calendar bins and the times that requests write: the only place that reads zone rules."""

from pegcount.calendar.bins import bin_count, clip, day_edges, edges, edges_with_days_before
from pegcount.calendar.ranges import folder_bins, quality_bins, usage_bins
from pegcount.calendar.text import ParsedTime, format_date, parse_date, parse_time
from pegcount.calendar.zones import tzdata_version, zone

__all__ = [
    "ParsedTime",
    "bin_count",
    "clip",
    "day_edges",
    "edges",
    "edges_with_days_before",
    "folder_bins",
    "format_date",
    "parse_date",
    "parse_time",
    "quality_bins",
    "tzdata_version",
    "usage_bins",
    "zone",
]
