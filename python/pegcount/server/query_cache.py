"""The queries of short requests, which dashboards repeat."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from pegcount.config import Tuning
from pegcount.request import Check, never_ends

ReadQuery: TypeAlias = Callable[[bytes, Check], Any]
"""Parses and validates a serialized request into a query that depends on the request alone.

What depends on the clock, too, such as an absent end, is a part of the query that the report completes.
"""


class QueryCache:
    """Stands in front of the validation of all reports. Thread-safe.

    The key of a query is its method and the bytes of the request. Each method has
    `query_cache_entry_count` entries of its own, of which the one that was not used for longest gives way.
    Errors are not cached.
    """

    def __init__(self, readers: Mapping[str, ReadQuery], tuning: Tuning) -> None:
        """`readers` has the function that reads the requests of a method, by its name."""
        self._readers = readers
        self._request_bytes_max = tuning.cached_request_bytes_max
        self._cached = {
            method: lru_cache(tuning.query_cache_entry_count)(_unchecked(read))
            for method, read in readers.items()
        }

    def query(self, method: str, data: bytes, check: Check) -> Any:
        """Returns the query of a serialized request; raises the errors of its reader and of `check`."""
        check()
        if len(data) > self._request_bytes_max:
            return self._readers[method](data, check)
        return self._cached[method](data)


def _unchecked(read: ReadQuery) -> Callable[[bytes], Any]:
    """A short request is not worth cancelling, so that nothing of the call gets into the cache."""
    return lambda data: read(data, never_ends)
