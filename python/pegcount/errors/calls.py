"""Errors about the time of a call, the load of the server, and streams that it ends."""

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


class StreamEndedError(PegcountError):
    """Base of the errors with which the server ends a call by itself; the caller may call again at once."""


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
