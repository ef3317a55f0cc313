"""Stops the work of a report at its deadline, or when its caller cancels the call."""

from typing import Self

import grpc

from pegcount import core
from pegcount.config import Config
from pegcount.errors import DeadlineError, QueryTimeLimitError


class QueryDeadline:
    """Limits the scans in its block to the caller's deadline and to `query_seconds_max` of the server.

    `cancel_token` stops a scan at the earlier of the two limits, with DeadlineError, or when the call
    ends, with CancelledError. If the server's limit is the earlier one, the block raises
    QueryTimeLimitError in place of DeadlineError.
    """

    def __init__(self, context: grpc.ServicerContext, config: Config) -> None:
        self._limit_s = config.query_seconds_max
        self._remaining_s = context.time_remaining()
        limits_s = [self._limit_s] if self._remaining_s is None else [self._limit_s, self._remaining_s]
        self.cancel_token = core.CancelToken(min(limits_s))
        # The callback is not registered if the call has already ended.
        if not context.add_callback(self.cancel_token.cancel):
            self.cancel_token.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: object, __: object) -> None:
        is_server_limit = self._remaining_s is None or self._remaining_s > self._limit_s
        if isinstance(error, DeadlineError) and is_server_limit:
            raise QueryTimeLimitError(
                f"the query ran longer than {self._limit_s:g} s", limit_seconds=self._limit_s
            ) from error
