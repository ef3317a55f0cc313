"""What an answer to a batch says, for a caller in Python."""

from pegcount.model import RejectedRecord, WriteOutcome
from pegcount.v1.records_pb2 import WriteRecordsResponse


def write_outcome(answer: WriteRecordsResponse) -> WriteOutcome:
    """Returns the outcome that a server or a store answered with."""
    return WriteOutcome(
        answer.accepted,
        answer.replaced,
        answer.duplicates,
        tuple(RejectedRecord(record.index, record.reason, record.description) for record in answer.rejected),
        answer.batch_id if answer.HasField("batch_id") else None,
        answer.outranked,
        answer.suspected_reuse,
        answer.dropped_alert_times,
    )
