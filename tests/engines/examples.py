"""Hand-made records, loaded into the service and both engines."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from oracle import calendar
from oracle.strategies import DECKS
from pegcount.config import Config
from pegcount.v1.records_pb2 import SessionRecord
from properties.served import Refusal, Write, shared_service

from . import export
from .clickhouse_engine import ClickHouse
from .duckdb_engine import DuckDb
from .engine import Engine

NOW_US = calendar.parse_time("2190-01-01", "UTC")
"""Later than all examples, so that every bin is complete."""


@cache
def duckdb() -> DuckDb:
    return DuckDb()


@cache
def clickhouse() -> ClickHouse:
    return ClickHouse()


def engines() -> tuple[Engine, ...]:
    return duckdb(), clickhouse()


def stamp(text: str, zone: str = "UTC") -> Timestamp:
    seconds, fraction_us = divmod(calendar.parse_time(text, zone), calendar.MICROSECONDS)
    return Timestamp(seconds=seconds, nanos=fraction_us * 1000)


def call(setup: str, answer: str | None = None, end: str | None = None, **dimensions: Any) -> SessionRecord:
    """Builds a call whose id is its setup time; without an end, it ends at its setup."""
    return SessionRecord(
        session_id=setup,
        setup_time=stamp(setup),
        answer_time=None if answer is None else stamp(answer),
        end_time=stamp(end or setup),
        **dimensions,
    )


def load_everywhere(records: Sequence[SessionRecord], now_us: int = NOW_US) -> None:
    """Loads the records into the service and both engines."""
    load_service(records, now_us)
    tables = export.sessions(records), export.code_decks(DECKS)
    for engine in engines():
        engine.load(*tables)


def load_service(records: Sequence[SessionRecord], now_us: int) -> None:
    outcomes = shared_service(Config()).load([Write(list(records), now_us)], now_us, DECKS.items())
    assert [outcome.accepted for outcome in outcomes] == [len(records)]


def ask(request: Any) -> Any:
    """Returns the answer of the service, or its refusal."""
    return shared_service(Config()).ask(request)


def ask_ok(request: Any) -> Any:
    """Returns the answer of the service, which must be OK."""
    response = ask(request)
    assert not isinstance(response, Refusal), response
    return response
