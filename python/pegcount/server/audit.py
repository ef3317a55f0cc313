"""The audit log: who changed what through `AdminService`, or tried to."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypeVar

from pegcount.auth import Caller
from pegcount.config import Config
from pegcount.errors import AccessDeniedError, PegcountError
from pegcount.privacy import AuditEntry
from pegcount.server import status
from pegcount.server.audited_requests import CHANGING, AdminRequest, changes_something, request_text
from pegcount.store import Store

_UNREAD: Final = "{}"
"""Request of a call whose message was not read, or is not a valid one."""
_OK: Final = "OK"
_MINUTE_S: Final = 60.0
_REFUSED_CREDENTIAL_COUNT: Final = 10
"""Credentials whose refused calls are noted in one minute, if each calls as often as is noted."""

_LOG = logging.getLogger(__name__)
_Request = TypeVar("_Request", bound=AdminRequest)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a call, and the id of the call."""

    caller_id: str | None = None
    caller_name: str | None = None
    request_id: str | None = None


def author_of(caller: Caller | None, request_id: str) -> Author:
    """Returns the author of a call to a server; `caller` is None where nobody is authenticated."""
    if caller is None:
        return Author(request_id=request_id)
    return Author(caller.id, caller.name, request_id)


class MinuteBudget:
    """Refused calls that may be noted in a minute: of each credential some, and as much from all.

    They must not make the older entries go. Thread-safe.
    """

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        self._count_max = config.audit_denied_calls_per_minute_max
        self._begin_s = clock()
        self._counts = Counter[str | None]()
        self._lock = Lock()

    def takes(self, caller_id: str | None) -> bool:
        """Returns whether a call may be noted, and accounts for it."""
        now_s = self._clock()
        with self._lock:
            if now_s - self._begin_s >= _MINUTE_S:
                self._begin_s, self._counts = now_s, Counter()
            is_minute_full = self._counts.total() >= self._count_max * _REFUSED_CREDENTIAL_COUNT
            if is_minute_full or self._counts[caller_id] >= self._count_max:
                return False
            self._counts[caller_id] += 1
            return True


class AuditLog:
    """Notes calls in the store. Thread-safe."""

    def __init__(self, config: Config, store: Store, clock: Callable[[], int]) -> None:
        """`clock` returns the present time in microseconds UTC."""
        self._store = store
        self._clock = clock
        self._length_max = config.audit_request_length_max
        self._unreadable = MinuteBudget(config)

    def carry_out(
        self,
        method: str,
        author: Author,
        read: Callable[[], _Request],
        act: Callable[[_Request], _Answer],
    ) -> _Answer:
        """Reads the request of a call, acts on it and returns the answer.

        A call that changes something is noted durably before `act`, and its outcome afterwards, together with
        what the answer tells of it, such as the number of an erasure; one that cannot be read, within
        `MinuteBudget`. What `read` and `act` raise is raised. Raises StoreReadOnlyError, and does not act, if
        the call cannot be noted.
        """
        try:
            request = read()
        except PegcountError as error:
            if method in CHANGING and self._unreadable.takes(author.caller_id):
                self.note(method, author, status.outcome_of(error))
            raise
        if not changes_something(method, request):
            return act(request)
        entry_id = self._append(method, author, request_text(request, self._length_max))
        try:
            answer = act(request)
        except BaseException as error:
            self._set_outcome(entry_id, status.outcome_of(error))
            raise
        self._set_outcome(entry_id, _OK, request_text(request, self._length_max, answer))
        return answer

    def note(self, method: str, author: Author, outcome: str) -> None:
        """Notes a call whose request was not read; raises StoreReadOnlyError."""
        self._append(method, author, _UNREAD, outcome)

    def _append(self, method: str, author: Author, request: str, outcome: str | None = None) -> int:
        return self._store.append_audit(
            AuditEntry(
                time_us=self._clock(),
                method=method,
                caller_id=author.caller_id,
                caller_name=author.caller_name,
                request=request,
                outcome=outcome,
                request_id=author.request_id,
            )
        )

    def _set_outcome(self, entry_id: int, outcome: str, request: str | None = None) -> None:
        try:
            self._store.set_audit_outcome(entry_id, outcome, request)
        except PegcountError as error:
            # The work is done, or refused, and the caller must learn which.
            _LOG.warning("audit entry %d stays without its outcome, %s: %s", entry_id, outcome, error)


class DeniedCalls:
    """Notes calls that were denied to credentials which lack the scope; used on the event loop only.

    Of each credential some in a minute; see `MinuteBudget`.
    """

    def __init__(self, config: Config, audit: AuditLog, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._audit = audit
        self._budget = MinuteBudget(config, clock)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")

    def add(self, method: str, caller: Caller, request_id: str) -> None:
        """Notes a call, soon and on another thread."""
        if not self._budget.takes(caller.id):
            return
        self._thread.submit(self._note, method, author_of(caller, request_id))

    def close(self) -> None:
        """Waits until all calls are noted."""
        self._thread.shutdown()

    def _note(self, method: str, author: Author) -> None:
        try:
            self._audit.note(method, author, AccessDeniedError.reason)
        except PegcountError as error:
            _LOG.warning("a denied call of %s was not noted: %s", method, error)
