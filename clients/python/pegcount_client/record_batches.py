"""Collects records into batches, limited by their number and their bytes."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest

from pegcount_client.arguments import flag, whole_number
from pegcount_client.record import Record

BATCH_BYTES_MAX: Final = 1024 * 1024
"""Bytes of a batch of several records; a larger record goes alone."""
BATCH_RECORD_MAX: Final = 100_000
"""What the server takes in one batch."""


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records that are sent as one message."""

    data: bytes
    """The serialized WriteRecordsRequest."""
    records: tuple[Record | SessionRecord, ...]
    first_number: int
    """Number of the first record, from 0, in the order of all that were written."""
    batch_id: str
    """What the answer must echo, so that no answer is taken for that of another batch."""


class RecordBatches:
    """Collects records; `sealed` has the batches that are complete, oldest first."""

    def __init__(self, record_max: int, *, correct: bool) -> None:
        record_max = whole_number("batch_record_max", record_max)
        if not 1 <= record_max <= BATCH_RECORD_MAX:
            raise ValueError(f"batch_record_max={record_max!r} must be from 1 to {BATCH_RECORD_MAX:,}")
        self.sealed: deque[RecordBatch] = deque()
        self.record_count = 0
        """Records that were added."""
        self._record_max = record_max
        self._correct = flag("correct", correct)
        self._parts: list[bytes] = []
        self._records: list[Record | SessionRecord] = []
        self._bytes = 0

    def add(self, record: Record | SessionRecord) -> None:
        """Adds a record as it is now; raises TypeError for anything else."""
        given = record.to_message() if isinstance(record, Record) else record
        if not isinstance(given, SessionRecord):
            raise TypeError(f"a Record or a SessionRecord is needed, not {type(record).__name__}")
        # Concatenated messages are one message with the records of all, so each is serialized only once.
        request = WriteRecordsRequest(records=[given])
        part = request.SerializeToString()
        if self._bytes + len(part) > BATCH_BYTES_MAX:
            self.seal()
        self._parts.append(part)
        # Messages can change later, the copy in the request cannot.
        self._records.append(record if isinstance(record, Record) else request.records[0])
        self._bytes += len(part)
        self.record_count += 1
        if len(self._records) == self._record_max:
            self.seal()

    def seal(self) -> None:
        """Completes the present batch; does nothing without records."""
        if not self._records:
            return
        first_number = self.record_count - len(self._records)
        batch_id = str(first_number)
        header = WriteRecordsRequest(batch_id=batch_id, correct=self._correct).SerializeToString()
        data = b"".join([header, *self._parts])
        self.sealed.append(RecordBatch(data, tuple(self._records), first_number, batch_id))
        self._parts, self._records, self._bytes = [], [], 0
