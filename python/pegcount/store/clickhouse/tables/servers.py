"""What a server of the cluster must have before Pegcount uses it: a version, settings, and a clock."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import (
    DataDamagedError,
    DeadlineError,
    PegcountError,
    ShardFaultError,
    StoreOpenError,
    StoreUnavailableError,
    WriteFateUnknownError,
)
from pegcount.store.clickhouse.tables.ledger_table import SETTING_NAMES
from pegcount.store.clickhouse.wire.failures import NOT_LET_IN, UNKNOWN_SETTING
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard

OLDEST_VERSION: Final = (25, 8)
"""The oldest version of ClickHouse whose behaviour the store relies on."""
CLOCK_SECONDS_WARNED: Final = 2.0
CLOCK_SECONDS_MAX: Final = 60.0
"""By how much the clock of a server may differ from that of this host. Days are retained, and sessions
abandoned, by the clocks of the Pegcount servers: one that is far from all others is likely to be wrong, and
would drop days that the others keep."""
_LOG = logging.getLogger(__name__)

ANYWHERE: Final = {"database": "system"}
"""Settings of a statement that must not need the database of the cluster."""
_ASKED_SETTINGS: Final = (
    "cancel_http_readonly_queries_on_client_close",
    "http_write_exception_in_output_format",
    "insert_deduplication_token",
    "low_cardinality_allow_in_native_format",
)
"""Settings of requests that the store relies on, and that not all versions have."""


def _texts(values: Sequence[str]) -> str:
    return "[" + ",".join(f"'{value}'" for value in values) + "]"


_FACTS: Final = Query(
    "SELECT version(), toUnixTimestamp64Micro(now64(6)),"
    " arrayStringConcat(arrayConcat(arrayFilter(name -> name NOT IN (SELECT name FROM"
    " system.merge_tree_settings), {of_tables:Array(String)}), arrayFilter(name -> name NOT IN"
    " (SELECT name FROM system.settings), {of_requests:Array(String)})), ' ')",
    {"of_tables": _texts(SETTING_NAMES), "of_requests": _texts(_ASKED_SETTINGS)},
    ANYWHERE,
)
_NOT_ALLOWED: Final = frozenset({164, 497})
"""Errors of ClickHouse about what a user may do."""
_NO_DDL: Final = 392
"""Code of the error of a server that lets nobody with the profile of a user change tables."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says about itself."""

    version: str
    clock_offset_seconds: float
    """By how much its clock is ahead of that of this host."""
    missing_settings: tuple[str, ...] = ()
    """Settings that the store needs and the server does not know."""


def facts_of(server: Shard, cancel_token: CancelToken, clock: Callable[[], float] = time.time) -> ServerFacts:
    """Asks a server about itself; raises StoreOpenError as `opening`."""
    begin_s = clock()
    with opening(server):
        ((version, now_us, missing),) = server.rows(_FACTS, cancel_token)
    # The server read its clock while the question was on its way, most likely about in the middle.
    middle_s = (begin_s + clock()) / 2
    return ServerFacts(version, int(now_us) / 1_000_000 - middle_s, tuple(missing.split()))


def require_usable_server(server: Shard, facts: ServerFacts) -> None:
    """Raises StoreOpenError if a server is too old, or if its clock is not that of this host."""
    if _numbers(facts.version) < OLDEST_VERSION or facts.missing_settings:
        oldest = ".".join(map(str, OLDEST_VERSION))
        lacks = ", ".join(facts.missing_settings)
        raise StoreOpenError(
            f"{server.place} runs ClickHouse {facts.version}{f', which lacks {lacks}' if lacks else ''};"
            f" Pegcount needs {oldest} or newer: upgrade this server"
        )
    offset = facts.clock_offset_seconds
    side = "ahead of" if offset > 0 else "behind"
    text = f"the clock of {server.place} is {abs(offset):,.1f} s {side} that of this host"
    if abs(offset) > CLOCK_SECONDS_MAX:
        raise StoreOpenError(
            f"{text}; {CLOCK_SECONDS_MAX:g} s are allowed, as days are retained by the clock: set both by"
            " NTP, and start again"
        )
    if abs(offset) > CLOCK_SECONDS_WARNED:
        _LOG.warning("%s: set both by NTP", text)


@contextmanager
def opening(server: Shard) -> Iterator[None]:
    """Raises StoreOpenError with the next step in place of the error of a server that cannot be used."""
    try:
        yield
    except (DataDamagedError, DeadlineError, ShardFaultError, StoreUnavailableError) as error:
        is_caused = isinstance(error.__cause__, ShardFaultError) or isinstance(error, WriteFateUnknownError)
        cause = error.__cause__ if is_caused else error
        if isinstance(cause, ShardFaultError):
            raise StoreOpenError(_advice(server, cause)) from error
        if isinstance(cause, DataDamagedError):
            raise StoreOpenError(_located(server, cause)) from error
        raise StoreOpenError(
            f"{_located(server, error)}; see that ClickHouse runs there and that this host"
            " reaches its HTTP port (8123, with TLS 8443, unless it is set otherwise)"
        ) from error


def _located(server: Shard, error: PegcountError) -> str:
    """Returns the text of an error of a server, with the host of the server in it."""
    name, text = f"{server.name} ", str(error)
    own = text.removeprefix(name)
    return f"{server.place} {own}" if text.startswith(name) else f"{server.place} cannot be used: {text}"


def _advice(server: Shard, error: ShardFaultError) -> str:
    if error.code in NOT_LET_IN:
        return f"{server.place} does not accept the user and the password: check both, also for typing errors"
    if error.code in _NOT_ALLOWED:
        return f"{server.place} does not allow its user what Pegcount needs; docs/clickhouse.md lists it"
    if error.code == _NO_DDL:
        return f"{server.place} lets its user make and change no tables: set allow_ddl to 1 in its profile"
    if error.code == UNKNOWN_SETTING:
        # To the first request; later, its version would tell.
        oldest = ".".join(map(str, OLDEST_VERSION))
        return f"{server.place} is too old; Pegcount needs ClickHouse {oldest} or newer: upgrade this server"
    return _located(server, error)


def _numbers(version: str) -> tuple[int, ...]:
    """Returns the year and the month of a version such as `25.8.1.5`; none of any other text."""
    parts = version.split(".")[: len(OLDEST_VERSION)]
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()
