"""Which values the fields of Config and Tuning may have.

A field has the range of its unit, which its name ends in or contains; `_EXCEPTIONS` has the others.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest value."""

    least: float
    greatest: float

    def has(self, value: float) -> bool:
        """Returns whether a value is in the range; one that is not a number is in none."""
        return self.least <= value <= self.greatest

    def __str__(self) -> str:
        return f"{_plain(self.least)} to {_plain(self.greatest)}"


_SECONDS_MAX: Final = 3_153_600_000
"""100 years."""
_COUNT_MAX: Final = 2**40
_INT_MAX: Final = 2**31 - 1
"""The greatest number that gRPC takes for an option."""
_THREADS: Final = Range(1, 256)
_OF_GRPC: Final = Range(1, _INT_MAX)
_MESSAGE_OF_GRPC: Final = Range(1_024, _INT_MAX)
"""Bytes; with fewer, a call without any option would be refused."""
_MS_OF_GRPC: Final = Range(0.001, 1_000_000)
"""Seconds of which sums, in milliseconds, are still an int of gRPC."""
_MS_OF_GRPC_OR_NEVER: Final = Range(0, 1_000_000)
_FROM_0: Final = Range(0, _COUNT_MAX)
_SECONDS_FROM_0: Final = Range(0, _SECONDS_MAX)
_FACTOR: Final = Range(1, 2**16)
"""What the core multiplies counts of rows with."""

_EXCEPTIONS: Final[Mapping[str, Range]] = {
    # Numbers that gRPC takes as an int, or as milliseconds in an int.
    "request_bytes_max": _MESSAGE_OF_GRPC,
    "answer_bytes_max": _MESSAGE_OF_GRPC,
    "metadata_bytes_max": _MESSAGE_OF_GRPC,
    "calls_per_connection_max": _OF_GRPC,
    "request_read_seconds": _MS_OF_GRPC,
    "keepalive_seconds": _MS_OF_GRPC,
    "keepalive_timeout_seconds": _MS_OF_GRPC,
    "client_ping_seconds_min": _MS_OF_GRPC_OR_NEVER,
    "connection_age_seconds_max": _MS_OF_GRPC_OR_NEVER,
    "connection_age_grace_seconds": _MS_OF_GRPC_OR_NEVER,
    "connection_idle_seconds_max": _MS_OF_GRPC_OR_NEVER,
    "client_reconnect_ms_max": _OF_GRPC,
    # Threads and processes of work.
    "notice_worker_count": _THREADS,
    "small_worker_count": _THREADS,
    "worker_count": _THREADS,
    "admin_call_count_max": _THREADS,
    "helper_thread_count": Range(0, 256),
    # 0 is without limit, or means something of its own.
    "credential_calls_per_second": _FROM_0,
    "credential_calls_in_progress": _FROM_0,
    "credential_work_ms_per_second": _FROM_0,
    "credential_refusals_per_second": _FROM_0,
    "credential_wait_seconds_max": _SECONDS_FROM_0,
    "credential_notice_seconds": _SECONDS_FROM_0,
    "write_stream_idle_seconds": _SECONDS_FROM_0,
    "stream_yield_seconds": _SECONDS_FROM_0,
    "watch_stream_idle_seconds": _SECONDS_FROM_0,
    "watch_retry_seconds_max": _SECONDS_FROM_0,
    "correction_wait_seconds": _SECONDS_FROM_0,
    "notice_seconds_max": _SECONDS_FROM_0,
    "stop_grace_seconds": _SECONDS_FROM_0,
    "lock_wait_seconds_max": _SECONDS_FROM_0,
    "retry_seconds_min": _SECONDS_FROM_0,
    "retry_count_max": _FROM_0,
    "certificate_warning_days": Range(0, 36_500),
    "free_file_count_min": _FROM_0,
    "active_copy_row_count": _FROM_0,
    "audit_denied_calls_per_minute_max": _FROM_0,
    "cached_request_bytes_max": _FROM_0,
    "watched_directory_count_max": _FROM_0,
    "pooled_id_table_count_max": _FROM_0,
    "inline_cost_us_max": _FROM_0,
    "small_cost_us_max": _FROM_0,
    "waiting_notice_count_max": _FROM_0,
    "waiting_small_report_count_max": _FROM_0,
    "waiting_call_count_max": _FROM_0,
    "waiting_admin_call_count_max": _FROM_0,
    # Rates, factors and shares.
    "abandoned_calls_per_second_max": Range(0.001, _COUNT_MAX),
    "mask_rows_per_selected_max": _FACTOR,
    "direct_id_slots_per_row_max": _FACTOR,
    "rollup_rows_per_row_min": _FACTOR,
    "compaction_segment_count_min": Range(2, 2**16),
    "compaction_size_ratio_max": Range(1, 1_000),
    "compaction_tombstone_percent_max": Range(0, 100),
}


def range_of(name: str, kind: type) -> Range:
    """Returns the range of a field of Config or Tuning, by its name and type."""
    if name in _EXCEPTIONS:
        return _EXCEPTIONS[name]
    if name.endswith("_niceness"):
        return Range(0, 19)
    if "_seconds" in name:
        return Range(0.001 if kind is float else 1, _SECONDS_MAX)
    return Range(1, _COUNT_MAX)


def unit_of(name: str) -> str:
    """Returns the unit of a field, by its name: "s", "bytes", …; "count" of one that counts things."""
    words = name.split("_")
    if "per" in words:
        return _unit_of_rate(words)
    found = [unit for word, unit in _UNITS.items() if word in words]
    return found[0] if found else "count"


def _unit_of_rate(words: list[str]) -> str:
    place = words.index("per")
    of = words[place + 1]
    if of not in _TIMES:
        return "bytes" if "bytes" in words else "count"
    counted = words[place - 1]
    return f"{_UNITS.get(counted, counted)} per {of}"


_TIMES: Final = ("second", "minute")
_UNITS: Final[Mapping[str, str]] = {
    "seconds": "s",
    "ms": "ms",
    "us": "µs",
    "ns": "ns",
    "bytes": "bytes",
    "chars": "characters",
    "length": "characters",
    "days": "days",
    "percent": "%",
    "ratio": "factor",
    "niceness": "niceness",
}


def _plain(value: float) -> str:
    return f"{int(value):,}" if math.isfinite(value) and value == int(value) else f"{value:g}"
