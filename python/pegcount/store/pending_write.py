"""A batch on its way into a store."""

from abc import abstractmethod
from typing import Protocol

from pegcount.model import WriteOutcome
from pegcount.v1.records_pb2 import WriteRecordsResponse
from pegcount.write_outcome import write_outcome


class PendingWrite(Protocol):
    """A batch that was submitted and may not be durable yet."""

    def wait(self) -> WriteOutcome:
        """Returns the outcome once the batch is durable and visible to every report.

        Each record of the batch is one of four, in the order of the batch, as if records were written one
        by one: *rejected*; *accepted*, if there is one session more; *duplicate*, if it changed nothing;
        otherwise *replaced*. A record changes something if it supplies a field that none of higher rank
        has, or if it is set up on a day before or after those of all versions of the session.

        Raises StoreReadOnlyError if the batch could not be made durable; it may be sent again. Raises
        CancelledError or DeadlineError within 50 ms after the token given to `submit` ended, unless the
        batch is durable by then: such a batch may become durable later or not, and sending it again is
        harmless. May be called again after it returned, and returns the same.
        """
        return write_outcome(WriteRecordsResponse.FromString(self.wait_for_response()))

    @abstractmethod
    def wait_for_response(self) -> bytes:
        """Returns the serialized `WriteRecordsResponse`, when `wait` returns; raises as `wait` does.

        It has the counts of `WriteOutcome`, also those of 0, the `batch_id` of the request if there was one,
        and the rejected records by ascending index.
        """

    @property
    @abstractmethod
    def rejected_bytes(self) -> int:
        """Bytes that the rejected records take in the response, and in memory until then.

        It never changes: corrections that the store rejects later, when they become durable, are left out.
        """
