"""What the core has counted by source, as `StoreCounters` has it."""

from collections.abc import Iterable, Mapping

from pegcount import core
from pegcount.counters import SourceCounters
from pegcount.v1.records_pb2 import RejectReason

_REASON_PREFIX = "REJECT_REASON_"


def counts_by_source(found: Iterable[core.SourceRecordCounters]) -> Mapping[str, SourceCounters]:
    """Returns the counters of each source by its name."""
    return {
        each.source: SourceCounters(
            each.accepted,
            each.replaced,
            each.duplicates,
            {_reason_name(number): count for number, count in each.rejected.items()},
            each.last_write_us,
            each.last_setup_us,
            each.dropped_alert_times,
        )
        for each in found
    }


def _reason_name(number: int) -> str:
    return RejectReason.Name(RejectReason.ValueType(number)).removeprefix(_REASON_PREFIX)
