"""What a report costs, estimated before it runs, and where it runs accordingly."""

from enum import Enum
from math import inf

from pegcount.config import Tuning
from pegcount.server.prepared_report import PreparedReport
from pegcount.server.visible_records import VisibleRecords


class Lane(Enum):
    """Where reports run. Reports of one lane wait for each other, never for those of another lane."""

    INLINE = "reports"
    """On the event loop: to pass such a report to a thread would cost more than to run it."""
    SMALL = "small reports"
    LARGE = "large reports"
    SEARCH = "searches for notices"
    """Has no reports, but what follows an answer that counts nothing."""


def lane_of(report: PreparedReport, cost_us: float, tuning: Tuning) -> Lane:
    """Returns the lane of a report with an estimated cost in microseconds."""
    # The estimate knows nothing of a code deck, which costs time by its size.
    is_known = not report.searches and report.scan.code_deck is None
    if cost_us <= tuning.inline_cost_us_max and is_known:
        return Lane.INLINE
    return Lane.SMALL if cost_us <= tuning.small_cost_us_max else Lane.LARGE


def estimated_cost_us(report: PreparedReport, records: VisibleRecords, tuning: Tuning) -> float:
    """Returns about how many microseconds one core takes; infinite if the store does not know."""
    scan = report.scan
    row_count = records.estimate(scan)
    searched_counts = [records.estimate(search) for search in report.searches]
    known_counts = [count for count in searched_counts if count is not None]
    if row_count is None or len(known_counts) < len(searched_counts):
        return inf
    bin_count = 1 if scan.edge_us is None else len(scan.edge_us)
    # Each row may be a group of its own, which costs more than to add it up.
    row_ns = tuning.grouped_row_cost_ns if scan.keys else tuning.row_cost_ns
    # Each subtotal level goes through all groups again, and each scan of an answer through all rows.
    pass_ns = row_count * row_ns + bin_count * tuning.bin_cost_ns
    return (pass_ns * report.pass_count + sum(known_counts) * tuning.row_cost_ns) / 1_000
