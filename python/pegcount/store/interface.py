"""What the service asks of a store, whichever it is."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from pegcount.core import CancelToken, Partials
from pegcount.model import CodeDeckEntry, Predicate, Retention, Scan, StoreInfo, WriteOutcome


class PendingWrite(Protocol):
    """A batch on its way to the disk."""

    def wait(self) -> WriteOutcome:
        """Returns once the batch survives a power cut and every report shows it.

        Raises StoreReadOnlyError where it could not be made durable; it may be sent again.
        """


class Store(Protocol):
    """Keeps records and answers scans with integer sums. Safe to use from many threads."""

    def submit(self, batch: bytes) -> PendingWrite:
        """Takes a `WriteRecordsRequest` in wire form on its way to the disk.

        Batches submitted by many threads, or by one before it waits, share one flush. Raises
        MalformedMessageError where the bytes are no valid message, BatchLimitError for more
        records than a batch may have, OverloadedError where too many records wait to be
        sealed.
        """

    def write(self, batch: bytes) -> WriteOutcome:
        """Takes in a `WriteRecordsRequest` in wire form.

        The same as `submit` and `wait`.
        """

    def partials(self, scan: Scan, cell_count_max: int, cancel_token: CancelToken) -> Partials:
        """Sums per bin and group, of which at most `cell_count_max` may be reached.

        Raises CellLimitError, CancelledError, DeadlineError, or NotFoundError for a code
        deck that does not exist.
        """

    def any_match(self, predicates: Sequence[Predicate], cancel_token: CancelToken) -> bool:
        """Whether any record held meets all predicates."""

    def first_day(self) -> int | None:
        """First UTC day that has a record, in days since 1970-01-01, None without records."""

    def put_code_deck(self, deck_id: int, entries: Sequence[CodeDeckEntry]) -> None:
        """Puts a code deck in place of any other of the same id, durably."""

    def code_decks(self) -> Mapping[int, int]:
        """Number of entries of each code deck, by id."""

    def retention(self) -> Retention:
        """How long records are kept."""

    def set_retention(self, retention: Retention) -> None:
        """Sets how long records are kept, durably; what is older goes soon after."""

    def info(self) -> StoreInfo:
        """What the store holds."""

    @property
    def write_fault(self) -> str | None:
        """Why batches cannot be made durable now, None where they can."""

    def close(self) -> None:
        """Lets go of everything the store holds open."""
