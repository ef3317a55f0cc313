"""Errors about the time of a call, the load of the server, and streams that it ends."""

from typing import Final

from pegcount.errors.base import PegcountError


class DeadlineError(PegcountError):
    """The deadline passed before the work was done."""

    reason = "DEADLINE_PASSED"


class QueryTimeLimitError(PegcountError):
    """The query ran longer than `query_seconds_max`."""

    reason = "QUERY_TIME_LIMIT_PASSED"


class RequestReadError(PegcountError):
    """The request message did not arrive in full within `request_read_seconds`."""

    reason = "REQUEST_READ_TIMEOUT"


class CancelledError(PegcountError):
    """The caller cancelled the call or disconnected."""


class OverloadedError(PegcountError):
    """The server or the store is overloaded; the caller may retry after `retry_seconds`."""

    reason = "OVERLOADED"

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class CredentialLimitReachedError(PegcountError):
    """A credential asks for more than its limits allow; it may retry after `retry_seconds`."""

    reason = "CREDENTIAL_LIMIT_REACHED"

    def __init__(self, limit: str, allowed: int, retry_seconds: float) -> None:
        """`limit` is the field of `CredentialLimits`."""
        super().__init__(
            f"the credential has reached its limit of {_limited(limit, allowed)} ({limit}); try again in"
            f" {retry_seconds:g} s",
            limit=limit,
            allowed=allowed,
        )
        self.limit = limit
        self.allowed = allowed
        self.retry_seconds = retry_seconds


_LIMITED: Final = {
    "calls_per_second": ("call per second", "calls per second"),
    "calls_in_progress": ("call in progress", "calls in progress"),
    "write_streams": ("write stream", "write streams"),
    "work_ms_per_second": ("ms of work per second", "ms of work per second"),
}
"""What each limit counts, of one and of several."""


def _limited(limit: str, allowed: int) -> str:
    one, several = _LIMITED[limit]
    return f"{allowed} {one if allowed == 1 else several}"


class StreamEndedError(PegcountError):
    """Base of the errors with which the server ends a call by itself; the caller may call again at once."""


class ServerStartingError(PegcountError):
    """The store of the server is not open yet; the caller may call again after `retry_seconds`."""

    reason = "SERVER_STARTING"

    def __init__(self, retry_seconds: float) -> None:
        super().__init__("the server is starting, and still opens its store; try again soon")
        self.retry_seconds = retry_seconds


class ServerStoppingError(StreamEndedError):
    """The server is stopping; the caller may send unanswered batches to its successor."""

    reason = "SERVER_STOPPING"


class StreamIdleError(StreamEndedError):
    """A stream waited for its client for longer than the server allows."""

    reason = "STREAM_IDLE"


class StreamDisplacedError(StreamEndedError):
    """A stream that waited for its client gave its place to a new stream."""

    reason = "STREAM_DISPLACED"


class ConnectionAgeError(StreamEndedError):
    """The connection of a stream reached its maximum age."""

    reason = "CONNECTION_AGE"
