"""Time to compute the edges of calendar bins in Europe/Berlin, with warm caches; asserts the bin counts.

benches/calendar_edges.py
"""

import statistics
import time
from dataclasses import dataclass

from pegcount import calendar
from pegcount.model import Granularity
from pegcount.time_text import read_date
from pegcount.zone import Zone

ZONE = "Europe/Berlin"
REPEATS = 101


@dataclass(frozen=True)
class Range:
    """A range of local dates, the second exclusive, with its expected number of bins."""

    name: str
    granularity: Granularity
    from_date: str
    to_date: str
    bin_count: int


# The clock skips an hour in March and repeats one in October, so a year has 365 * 24 hours in total.
RANGES = (
    Range("a year of five minutes", Granularity.FIVE_MINUTES, "2026-01-01", "2027-01-01", 365 * 288),
    Range("March in minutes", Granularity.MINUTE, "2026-03-01", "2026-04-01", (31 * 24 - 1) * 60),
    Range("October in minutes", Granularity.MINUTE, "2026-10-01", "2026-11-01", (31 * 24 + 1) * 60),
    Range("30 days", Granularity.DAY, "2026-03-10", "2026-04-09", 30),
)


def main() -> None:
    """Prints a table of the times."""
    start_time = time.perf_counter()
    zone = calendar.zone(ZONE)
    assert zone is not None
    print(f"the rules of {ZONE} read in {(time.perf_counter() - start_time) * 1_000:.0f} ms\n")
    print(f"{'edges':<24}{'bins':>9}{'median µs':>12}{'min µs':>10}{'median ns/bin':>15}")
    for date_range in RANGES:
        times_us = _times_us(zone, date_range)
        median_us = statistics.median(times_us)
        each_ns = median_us * 1_000 / date_range.bin_count
        print(
            f"{date_range.name:<24}{date_range.bin_count:>9,}{median_us:>12,.1f}{min(times_us):>10,.1f}{each_ns:>15,.1f}"
        )


def _times_us(zone: Zone, date_range: Range) -> list[float]:
    from_us, to_us = _start_us(zone, date_range.from_date), _start_us(zone, date_range.to_date)
    times_us = []
    for _ in range(REPEATS):
        start_time = time.perf_counter()
        edge_us = calendar.edges(zone, date_range.granularity, from_us, to_us)
        times_us.append((time.perf_counter() - start_time) * 1_000_000)
        assert len(edge_us) == date_range.bin_count + 1, date_range.name
        assert (edge_us[0], edge_us[-1]) == (from_us, to_us), date_range.name
    return times_us


def _start_us(zone: Zone, date: str) -> int:
    return zone.day_start_us(read_date(date))


if __name__ == "__main__":
    main()
