"""Turns the serialized requests of reports into queries, of which it keeps those of short requests."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pegcount import core, request
from pegcount.config import Config
from pegcount.server.query_cache import QueryCache
from pegcount.server.scope_check import require_visible
from pegcount.server.visible_records import VisibleRecords


class ReportQueries:
    """The queries of some methods. Thread-safe."""

    def __init__(self, config: Config, made_of: Mapping[str, tuple[Any, Callable[..., Any]]]) -> None:
        """`made_of` has the message of a request, and the function that makes its query, by method."""
        self._config = config
        self._made_of = made_of
        readers = {method: partial(self._read, *each) for method, each in made_of.items()}
        self._queries = QueryCache(readers, config.tuning)

    def query(self, method: str, data: bytes, records: VisibleRecords, check: request.Check) -> Any:
        """Returns the query of a request, once nothing that it names is outside the data scope.

        What is refused is refused before the kept queries are looked at: the time of the refusal would tell
        whether another caller had sent the same request.
        """
        if records.data_scope is not None:
            message_class, _ = self._made_of[method]
            require_visible(self.parse(message_class, data, check), records.data_scope)
        return self._queries.query(method, data, check)

    def parse(self, message_class: Any, data: bytes, check: request.Check) -> Any:
        """Parses a request; calls `check` before and after, and counts the lists of a long one first."""
        check()
        request.check_size(data, self._config.report_request_bytes_max)
        if len(data) > self._config.tuning.uncounted_request_bytes_max:
            lists = request.list_fields(message_class)
            counts, field_count = core.count_lists(data, lists)
            request.check_counts(lists, counts, self._config)
            request.check_field_count(field_count, self._config)
        message = request.parse(message_class, data, self._config.report_request_bytes_max)
        check()
        return message

    def _read(
        self, message_class: Any, make_query: Callable[..., Any], data: bytes, check: request.Check
    ) -> Any:
        """Parses and validates a request; callers with different data scopes share the query."""
        return make_query(self.parse(message_class, data, check), self._config, check)
