"""Stops the work of a report at its deadline, or when its caller cancels the call."""

from typing import Self

from pegcount import core
from pegcount.config import Config
from pegcount.errors import DeadlineError, QueryTimeLimitError


class QueryDeadline:
    """Limits the scans in its block to the caller's deadline and to `query_seconds_max` of the server.

    `cancel_token` stops a scan at the earlier of the two limits, with DeadlineError. If the server's limit
    is the earlier one, the block raises QueryTimeLimitError in place of DeadlineError.
    """

    def __init__(self, remaining_seconds: float | None, config: Config) -> None:
        """`remaining_seconds` is the time until the caller's deadline, None without one."""
        self._limit_s = config.query_seconds_max
        self._remaining_s = remaining_seconds
        limits_s = [self._limit_s] if remaining_seconds is None else [self._limit_s, remaining_seconds]
        self.cancel_token = core.CancelToken(min(limits_s))

    def check(self) -> None:
        """Raises DeadlineError if the caller's deadline had passed before the work began."""
        if self._remaining_s is not None and self._remaining_s <= 0:
            raise DeadlineError("the deadline passed while the call waited")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: object, __: object) -> None:
        is_server_limit = self._remaining_s is None or self._remaining_s > self._limit_s
        if isinstance(error, DeadlineError) and is_server_limit:
            raise QueryTimeLimitError(
                f"the query ran longer than {self._limit_s:g} s", limit_seconds=self._limit_s
            ) from error
