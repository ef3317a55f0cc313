"""One call in progress: who makes it, what it reads and writes, and how the server ends it."""

import asyncio
from collections.abc import Callable

from pegcount.auth import Caller
from pegcount.errors import PegcountError
from pegcount.server.call_clock import CallClock
from pegcount.server.connections import Connection, turn_of
from pegcount.server.credential_limits import AdmittedCall
from pegcount.server.observed_call import ObservedCall
from pegcount.server.unread_answers import UnreadAnswers
from pegcount.server.unread_calls import Context, whole_read

_ABANDONED_SECONDS_MAX = 1.0
"""Age in seconds from which the end of a call does not count as abandoned."""


class Call:
    """One call in progress."""

    def __init__(
        self,
        context: Context,
        connection: Connection,
        caller: Caller | None,
        unread_answers: UnreadAnswers,
        observed: ObservedCall,
        authenticate: Callable[[], Caller | None],
    ) -> None:
        self.connection = connection
        self.caller = caller
        """Who calls; None if the method is open, or the server runs without authentication."""
        self.turn = turn_of(connection, caller)
        """Whose turn the call takes where calls wait."""
        self.admitted: AdmittedCall | None = None
        """Its part in the limits of its credential, once that was let in."""
        self.observed = observed
        """What metrics, log and traces learn of the call."""
        self.request_id = observed.request_id
        """Names the call in its trailing metadata and in the log."""
        self.clock = CallClock()
        """Measures the phases of the call."""
        observed.clock = self.clock
        self.is_stream = observed.is_stream
        self.is_unread = not observed.is_stream
        """Whether the one message of the call has yet to come."""
        self.is_stoppable = False
        """Whether the end of the call stops its work before it changes anything."""
        self._unread_answers = unread_answers
        self._unread_bytes = 0
        self.error: PegcountError | None = None
        """Why the server ends the call; None while it does not."""
        self._context = context
        self._authenticate = authenticate
        self._task = asyncio.current_task()
        self._begin_s = asyncio.get_running_loop().time()
        self._is_answered = False
        self._owed_count = 0
        self._is_read_whole = False
        self._writing: asyncio.Future[None] | None = None
        self._is_waiting_for_client = False
        self._on_end: Callable[[], None] | None = None

    def authenticate(self) -> None:
        """Sets `caller`; raises the errors of `Access.caller`. May be called on any thread.

        Work that waited calls it again right before it begins: its credential may have ended meanwhile, and
        nothing may begin for a credential once the call that revoked it was answered.
        """
        self.caller = self._authenticate()

    def time_remaining(self) -> float | None:
        """Returns the seconds until the client's deadline; None without a deadline."""
        return self._context.time_remaining()

    async def read(self) -> bytes | None:
        """Returns the next message of a stream; None after the last one."""
        message = await whole_read(self._context)
        if not isinstance(message, bytes):
            self._is_read_whole = True
            return None
        self._owed_count += 1
        self.note_read(len(message))
        return message

    def note_read(self, byte_count: int) -> None:
        """Accounts for a message that was read."""
        self.connection.message_bytes += byte_count
        self.observed.request_bytes += byte_count

    async def write(self, message: bytes) -> None:
        """Sends a message of a stream; waits while the client reads none."""
        self.hold_answer(message)
        # It goes on if the call is ended meanwhile: gRPC sends no status before the message.
        writing = self._writing = asyncio.ensure_future(self._send(message))
        writing.add_done_callback(_look_at)
        await asyncio.shield(writing)

    async def wait_until_sent(self, seconds_max: float) -> None:
        """Waits until gRPC has sent the last message of a stream, at most for some seconds.

        Until then gRPC takes no status, and without one, a client that reads again would wait for ever.
        """
        if self._writing is None or self._writing.done():
            return
        self._is_waiting_for_client = True
        try:
            await asyncio.wait([self._writing], timeout=seconds_max)
        except asyncio.CancelledError:
            if self._is_waiting_for_client:
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]

    def stop_waiting(self) -> None:
        """Ends `wait_until_sent`."""
        if self._is_waiting_for_client:
            self._is_waiting_for_client = False
            self._cancel()

    def hold_answer(self, answer: bytes) -> None:
        """Counts an answer as unread, until `release_answer`."""
        if answer:
            self._unread_bytes = len(answer)
            self._unread_answers.add(self.connection, self.turn, self._unread_bytes)

    def release_answer(self) -> None:
        """Notes that gRPC no longer holds the answer."""
        if self._unread_bytes:
            self._unread_answers.remove(self.connection, self.turn, self._unread_bytes)
            self._unread_bytes = 0

    def on_end(self, callback: Callable[[], None]) -> None:
        """Makes `end` call a function, which ends the call in its own time, instead of cancelling it."""
        self._on_end = callback

    def end(self, error: PegcountError) -> None:
        """Ends the call with the status of an error; only the first call has an effect."""
        if self.error is None:
            self.error = error
            (self._on_end or self._cancel)()

    def abort(self, error: PegcountError) -> None:
        """Ends the call at once, whatever it still does."""
        self.error = self.error or error
        self._cancel()

    def is_abandoned(self) -> bool:
        """Whether the client cancelled the call at once, without an answer, and not for its deadline."""
        if self._is_answered:
            return False
        age_s = asyncio.get_running_loop().time() - self._begin_s
        remaining_s = self.time_remaining()
        return age_s < _ABANDONED_SECONDS_MAX and (remaining_s is None or remaining_s > age_s)

    def is_settled(self) -> bool:
        """Whether the client of a stream has sent its last message, and each one was answered.

        Such a client has all that it asked for. It may leave before the status reaches it.
        """
        return self._is_read_whole and self._owed_count == 0

    async def _send(self, message: bytes) -> None:
        try:
            await self._context.write(message)
        finally:
            self.release_answer()
        # At once: a client that has the message may cancel before anything else runs.
        self.observed.response_bytes += len(message)
        self._is_answered = True
        self._owed_count -= 1

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _look_at(writing: "asyncio.Future[None]") -> None:
    """Looks at the error of a write, as nobody else does once its call was ended."""
    if not writing.cancelled():
        writing.exception()
