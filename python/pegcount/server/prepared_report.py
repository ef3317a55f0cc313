"""A report between its validation and its answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pegcount import core
from pegcount.model import Scan
from pegcount.server.call_clock import CallClock
from pegcount.server.unseen_values import UnseenSearch
from pegcount.server.visible_records import VisibleRecords


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a report."""

    data: bytes
    """The serialized response."""
    search: UnseenSearch | None = None
    """Finds the notices about filter values that no record carries; None if the answer counts something."""


@dataclass(frozen=True, slots=True)
class PreparedReport:
    """A valid report that has not been answered yet."""

    scan: Scan
    answer: Callable[[core.CancelToken, CallClock], Answer]
    """Scans the store and returns the answer; the clock enters the phase FINISH after the scan.

    Raises the errors of `Store.partials`, `Store.first_day` and of the core's response functions, and
    NotFoundError. No frame of it holds the partials, which a traceback would keep in memory.
    """
    searches: tuple[Scan, ...] = ()
    """What `answer` also searches for single records."""
    pass_count: int = 1
    """How often `answer` goes through all groups, or through all rows and bins."""

    @property
    def bin_count(self) -> int:
        """Bins of the scan, those that only warm up an average included."""
        edge_us = self.scan.edge_us
        return 1 if edge_us is None else max(0, len(edge_us) - 1)


class Prepare(Protocol):
    """Prepares a report."""

    def __call__(
        self,
        data: bytes,
        records: VisibleRecords,
        cancel_token: core.CancelToken,
        quick_bin_count_max: int | None = None,
    ) -> PreparedReport:
        """Validates a serialized request, makes its bins, and says what to scan of the records.

        With `quick_bin_count_max`, a report of about more bins raises ManyBinsError before it makes them.
        Raises OutsideScopeError, RequestTooLargeError, MalformedMessageError or InvalidRequestError, and
        CancelledError or DeadlineError on behalf of the token.
        """
