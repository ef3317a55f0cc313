"""Time zones and bin edges: the only package that reads time zone rules."""

from pegcount.calendar.bin_edges import bin_count, clip, day_edges, edges
from pegcount.calendar.days_before import DaysBefore, days_before
from pegcount.calendar.earlier_ranges import earlier_range
from pegcount.calendar.last_bins import last_edges
from pegcount.calendar.local_times import offsets_within
from pegcount.calendar.moving_average import edges_with_days_before
from pegcount.calendar.open_windows import open_bins, scan_bins
from pegcount.calendar.report_bins import folder_bins, quality_bins, traffic_bins, usage_bins
from pegcount.calendar.zone_suggestions import near_zone, preload, zone_hint, zones_with_offsets
from pegcount.calendar.zones import tzdata_version, zone

__all__ = [
    "DaysBefore",
    "bin_count",
    "clip",
    "day_edges",
    "days_before",
    "earlier_range",
    "edges",
    "edges_with_days_before",
    "folder_bins",
    "last_edges",
    "near_zone",
    "offsets_within",
    "open_bins",
    "preload",
    "quality_bins",
    "scan_bins",
    "traffic_bins",
    "tzdata_version",
    "usage_bins",
    "zone",
    "zone_hint",
    "zones_with_offsets",
]
