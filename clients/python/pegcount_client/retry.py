"""Which failures of a stream of batches a writer survives, and how long it waits after each."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import grpc

from pegcount_client.errors import PegcountError

_CORRECTION_IN_PROGRESS: Final = "CORRECTION_IN_PROGRESS"
_LIMIT_REACHED: Final = "CREDENTIAL_LIMIT_REACHED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When a writer sends unanswered batches again. The default tries for about five minutes.

    An answer to any batch begins the count anew.
    """

    count_max: int = 44
    """Retries in a row, after which the last error is raised."""
    seconds_min: float = 0.2
    """Seconds before the first retry. The wait doubles with each further one."""
    seconds_max: float = 10.0
    """Longest wait in seconds. One that the server asks for is added to it."""

    def __post_init__(self) -> None:
        if self.count_max < 0 or not 0 <= self.seconds_min <= self.seconds_max:
            raise ValueError(
                f"{self} cannot be: count_max must be at least 0, and 0 <= seconds_min <= seconds_max"
            )


class Retries:
    """The failures in a row of one writer.

    With `renews_credential`, a later stream may carry another token than one whose token has expired.
    """

    def __init__(self, policy: RetryPolicy, *, renews_credential: bool = False) -> None:
        self._policy = policy
        self._renews_credential = renews_credential
        self._was_refused = False
        self._failure_count = 0
        self._has_lost_stream = False

    @property
    def failure_count(self) -> int:
        """Failures in a row."""
        return self._failure_count

    def answered(self) -> None:
        """Begins the count anew, as the server has answered a batch."""
        self._failure_count = 0
        self._was_refused = False

    def wait_seconds(self, error: PegcountError) -> float:
        """Returns the seconds to wait before the next try; raises the error if a try would be useless."""
        server_seconds = _server_seconds(error)
        if self._renews_credential and error.code is grpc.StatusCode.UNAUTHENTICATED:
            # Once: a server that refuses the next token as well will not accept further ones.
            server_seconds, self._was_refused = None if self._was_refused else 0.0, True
        if self._has_lost_stream and error.reason == _CORRECTION_IN_PROGRESS:
            # The stream that corrects these records may be the one that this writer has lost.
            server_seconds = 0.0
        self._has_lost_stream |= server_seconds is not None
        if server_seconds is None or self._failure_count >= self._policy.count_max:
            raise error
        # Beyond 2**30 a power only costs time; long before, the wait has reached its limit.
        exponential_seconds = self._policy.seconds_min * 2.0 ** min(self._failure_count, 30)
        backoff_seconds = min(exponential_seconds, self._policy.seconds_max)
        self._failure_count += 1
        # Jitter: clients that were refused at the same time retry at different times.
        return server_seconds + backoff_seconds * random.uniform(0.5, 1.0)


class LimitRetries:
    """The tries of one call that a limit of its credential refuses, within the time of the call.

    Such a call has done nothing, and the server says after which time it will be let in.
    """

    def __init__(
        self, timeout: float | None, *, retry: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`timeout` and `clock` are in seconds; without a timeout, the tries never end."""
        self._retry = retry
        self._clock = clock
        self._deadline_s = None if timeout is None else clock() + timeout

    def remaining_seconds(self) -> float | None:
        """Returns the seconds that are left; None without a timeout."""
        return None if self._deadline_s is None else max(0.0, self._deadline_s - self._clock())

    def wait_seconds(self, error: PegcountError) -> float:
        """Returns the seconds to wait before the next try; raises the error if there will be none."""
        remaining = self.remaining_seconds()
        seconds = error.retry_seconds
        if not self._retry or error.reason != _LIMIT_REACHED or seconds is None:
            raise error
        if remaining is not None and remaining <= seconds:
            raise error
        return seconds


def _server_seconds(error: PegcountError) -> float | None:
    """Returns the seconds that the server asks to wait before a retry, None if a retry is useless."""
    if error.code is grpc.StatusCode.UNAVAILABLE:
        return error.retry_seconds or 0.0
    return error.retry_seconds
