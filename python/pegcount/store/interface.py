"""The interface of a store, as the service uses it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from pegcount.core import CancelToken, CodeDeck, Partials
from pegcount.model import Predicate, RefusedClock, Retention, Scan, StoreInfo, WriteOutcome


class PendingWrite(Protocol):
    """A batch that was submitted and may not be durable yet."""

    def wait(self) -> WriteOutcome:
        """Returns the outcome once the batch is durable and visible to every report.

        Raises StoreReadOnlyError if the batch could not be made durable; it may be sent again.
        """

    def wait_for_response(self) -> bytes:
        """Returns the serialized `WriteRecordsResponse`, when `wait` would return; raises as `wait` does."""

    @property
    def rejected_bytes(self) -> int:
        """Bytes that the rejected records take in the response, and in memory until then."""


class Store(Protocol):
    """Stores records and answers scans with integer sums. Thread-safe."""

    def submit(self, batch: bytes, cancel_token: CancelToken) -> PendingWrite:
        """Enqueues a serialized `WriteRecordsRequest` for the next group commit.

        `PendingWrite.wait` gives up soon after the token has ended.

        Batches of many threads, or of one that submits several before it waits, share one
        `fdatasync`. Raises MalformedMessageError if the bytes are not a valid message,
        BatchLimitError if the batch has more than `batch_row_count_max` records,
        BatchIdTooLongError if its id has more than `batch_id_bytes_max` bytes, and
        OverloadedError if memory has more than `unsealed_row_count_max` finished records, or
        StoreReadOnlyError if these cannot be flushed.
        """

    def write(self, batch: bytes) -> WriteOutcome:
        """Writes a serialized `WriteRecordsRequest` durably: `submit`, then `wait`."""

    def partials(self, scan: Scan, cell_count_max: int, cancel_token: CancelToken) -> Partials:
        """Returns the sums per bin and group of all records that satisfy the predicates of the scan.

        Raises CellLimitError if the result has more than `cell_count_max` cells,
        MemoryLimitError if it needs more memory than a report or all reports may use,
        CancelledError or DeadlineError on behalf of the token, NotFoundError if the code deck
        does not exist, and DataDamagedError if a file that the scan needs is damaged.
        """

    def estimate(self, scan: Scan) -> int | None:
        """Returns about how many rows `partials` would read.

        None if unknown: the store is busy or has no cheap way to tell. Takes microseconds; never waits.
        """

    def any_match(self, predicates: Sequence[Predicate], cancel_token: CancelToken) -> bool:
        """Returns whether any record satisfies all predicates.

        Raises CancelledError, DeadlineError or DataDamagedError, as `partials` does.
        """

    def first_day(self) -> int | None:
        """Returns the first UTC day that has a record, in days since 1970-01-01, None without records."""

    def put_code_deck(self, deck_id: int, deck: CodeDeck) -> None:
        """Stores a code deck durably, or replaces the one with this id."""

    def code_decks(self) -> Mapping[int, int]:
        """Returns the number of entries of each code deck by its id."""

    def retention(self) -> Retention:
        """Returns the limits of retention."""

    def set_retention(self, retention: Retention) -> None:
        """Sets the limits of retention durably; days outside them are dropped soon after."""

    def accept_clock(self) -> None:
        """Believes the present time of the clock at once, durably, and drops the days that are too old by it.

        Without it, a store that deletes by age must not follow a clock that jumped by more than
        `clock_deviation_seconds_max` before that has agreed with the monotonic clock for
        `clock_agreement_seconds`.
        """

    def refused_clock(self) -> RefusedClock | None:
        """Returns what a clock that jumped holds up, None while the store believes the clock."""

    @property
    def session_now_us(self) -> int:
        """The present time by which active sessions are abandoned, in microseconds UTC.

        A session is abandoned if its `received_time` is `active_ttl_seconds` before it, or more. It may be
        behind the clock, so that a clock that jumps forward abandons no session early. A store that takes
        no precautions returns the time of its clock.
        """

    def info(self) -> StoreInfo:
        """Returns counts of records and segments, and the range of setup times."""

    @property
    def write_fault(self) -> str | None:
        """Why batches cannot be made durable now, None if they can."""

    def close(self) -> None:
        """Releases all resources of the store."""
