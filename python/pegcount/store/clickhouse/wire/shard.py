"""A shard of the cluster, asked over HTTP."""

import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import ShardFaultError
from pegcount.store.clickhouse.wire.address import ClusterAddress, HostPort
from pegcount.store.clickhouse.wire.connections import Connections
from pegcount.store.clickhouse.wire.exchange import Exchange, Request
from pegcount.store.clickhouse.wire.failures import UNKNOWN_SETTING
from pegcount.store.clickhouse.wire.form import Query, form_of
from pegcount.store.clickhouse.wire.probe import Probe
from pegcount.store.clickhouse.wire.shard_log import ShardLog
from pegcount.store.clickhouse.wire.shard_request import ShardRequest, wait_for_all
from pegcount.store.clickhouse.wire.tab_separated import rows_of
from pegcount.store.clickhouse.wire.workers import Workers

_GRACE_SECONDS: Final = 1.0
"""Seconds by which a server gives a query up later than its caller does: only for callers that vanish."""

_THROWN: Final = {
    **{
        f"{limit}_overflow_mode": "throw"
        for limit in ("timeout", "read", "result", "group_by", "sort", "distinct", "set", "join", "transfer")
    },
    "timeout_overflow_mode_leaf": "throw",
    "read_overflow_mode_leaf": "throw",
}
"""A profile of its user may make a server answer with a part of the rows when a limit is reached."""

_OF_SELECTS: Final[Mapping[str, str | int]] = {
    **_THROWN,
    "readonly": 2,
    "cancel_http_readonly_queries_on_client_close": 1,
    # The status of the answer tells of any error then, as it follows the last row.
    "wait_end_of_query": 1,
    "http_write_exception_in_output_format": 0,
    # How an answer is written.
    "low_cardinality_allow_in_native_format": 0,
    "output_format_native_encode_types_in_binary_format": 0,
    "output_format_tsv_crlf_end_of_line": 0,
    # Settings of a profile that would change which rows there are, or what a sum of none is.
    "additional_result_filter": "",
    "additional_table_filters": "{}",
    "aggregate_functions_null_for_empty": 0,
    "empty_result_for_aggregation_by_empty_set": 0,
    "extremes": 0,
    "limit": 0,
    "offset": 0,
    # An answer of before is not that of now; nor is that of a replica which lags behind.
    "use_query_cache": 0,
    "enable_parallel_replicas": 0,
    # Not every query has an index or a projection that answers it.
    "force_index_by_date": 0,
    "force_optimize_projection": 0,
    "force_primary_key": 0,
}
_OF_WRITES: Final[Mapping[str, str | int]] = {
    **_THROWN,
    "wait_end_of_query": 1,
    "http_write_exception_in_output_format": 0,
    # It is 1 by default, and inserts that were acknowledged could be lost.
    "async_insert": 0,
    # A column that the table does not have is an error.
    "input_format_skip_unknown_fields": 0,
    "input_format_native_decode_types_in_binary_format": 0,
}
_OF_TOKENS: Final[tuple[tuple[str, str | int], ...]] = (
    # Where it is 1, the rows of one insert may become several parts, of which a crash leaves some.
    ("use_strict_insert_block_limits", 0),
    # Where it is "disable", rows whose token the server has had are taken, whatever insert_deduplicate says.
    ("deduplicate_insert", "enable"),
)
"""Settings of inserts with a token that not all versions have, the older ones first."""


class Shard:
    """One server of the cluster. Thread-safe.

    Each call waits for the server, and raises CancelledError or DeadlineError within 50 ms after its token
    ended, StoreUnavailableError if the server cannot be reached or does not answer a ping within 2 s, and
    otherwise what `failures` makes of an error of the server: OverloadedError, MemoryLimitError,
    DataDamagedError, DeadlineError, StoreUnavailableError or, if the cause lasts, ShardFaultError. The
    result of a call is whole; an answer that breaks off is an error.

    A call that writes raises WriteFateUnknownError if the write may be stored or not. After CancelledError
    and DeadlineError it may be as well; after all other errors it is not.
    """

    def __init__(
        self, name: str, server: HostPort, address: ClusterAddress, query_seconds_max: float
    ) -> None:
        """`name` stands in messages to callers, as "shard 1"; `query_seconds_max` is that of `Config`."""
        self.name = name
        self.place = f"{name} ({server})"
        self._database = address.database
        self._headers = address.headers()
        self._query_seconds_max = query_seconds_max
        self._connections = Connections(server.host, server.port, address.tls_context())
        self._workers = Workers()
        self._log = ShardLog(self.place)
        self._of_tokens = _OF_TOKENS
        """Without those that the server has said it does not have."""
        self._probe = Probe(self._connections, self._workers, self._log)

    def select(self, query: Query, cancel_token: CancelToken) -> bytes:
        """Returns the rows of a SELECT as Native blocks; of no rows, no bytes."""
        return wait_for_all([self.select_request(query)], cancel_token)[0]

    def rows(self, query: Query, cancel_token: CancelToken) -> list[list[str]]:
        """Returns the rows of a SELECT as texts, for small answers; `\\N` is NULL."""
        request = self.select_request(query, "TabSeparated")
        return rows_of(wait_for_all([request], cancel_token)[0])

    def insert(
        self,
        table: str,
        block: bytes,
        cancel_token: CancelToken,
        *,
        token: str | None = None,
        row_format: str = "Native",
        settings: Mapping[str, str | int] | None = None,
    ) -> None:
        """Inserts rows, which are stored as a whole or not at all if they are one block.

        With a `token`, the server ignores the rows if it has already taken some with the same token.
        """
        given: dict[str, str | int] = {**_OF_WRITES, **(settings or {})}
        if token is None:
            self._insert(table, block, row_format, given, cancel_token)
            return
        given |= {"insert_deduplicate": 1, "insert_deduplication_token": token}
        while True:
            known = self._of_tokens
            try:
                self._insert(table, block, row_format, {**given, **dict(known)}, cancel_token)
            except ShardFaultError as error:
                if error.code != UNKNOWN_SETTING or not known:
                    raise
                self._of_tokens = known[:-1]
            else:
                return

    def run(
        self, statement: str, cancel_token: CancelToken, settings: Mapping[str, str | int] | None = None
    ) -> None:
        """Runs a statement that changes the server, such as DDL."""
        form = form_of(Query(statement))
        request = self._request({**_OF_WRITES, **(settings or {})}, form.body, form.content_type, False)
        wait_for_all([self._shard_request(request, None)], cancel_token)

    def select_request(self, query: Query, row_format: str = "Native") -> ShardRequest:
        """Returns a SELECT that `wait_for_all` sends."""
        form = form_of(query)
        seconds = self._query_seconds_max + _GRACE_SECONDS
        settings = {"max_execution_time": seconds, **query.settings, **_OF_SELECTS, **form.settings}
        request = self._request(
            {**settings, "default_format": row_format}, form.body, form.content_type, True
        )
        return self._shard_request(request, row_format)

    def close(self) -> None:
        """Closes the connections and ends the threads that no call uses, and the others after their calls."""
        self._connections.close()
        self._workers.close()

    def _insert(
        self,
        table: str,
        block: bytes,
        row_format: str,
        settings: Mapping[str, str | int],
        cancel_token: CancelToken,
    ) -> None:
        statement = f"INSERT INTO {table} FORMAT {row_format}"
        request = self._request({**settings, "query": statement}, block, "application/octet-stream", False)
        wait_for_all([self._shard_request(request, None)], cancel_token)

    def _shard_request(self, request: Request, row_format: str | None) -> ShardRequest:
        exchange = Exchange(self._connections, self._workers, request)
        return ShardRequest(self.name, self._log, exchange, self._probe, row_format)

    def _request(
        self, settings: Mapping[str, object], body: bytes, content_type: str, is_repeatable: bool
    ) -> Request:
        query_id = f"pegcount-{uuid.uuid4().hex}"
        given = {"database": self._database, "query_id": query_id, **settings}
        headers = {**self._headers, "Content-Type": content_type}
        return Request(f"/?{urllib.parse.urlencode(given)}", body, headers, is_repeatable)
