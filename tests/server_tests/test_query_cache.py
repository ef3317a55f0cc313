"""The query cache of the reports."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pegcount import core, request
from pegcount.config import Config, Tuning
from pegcount.errors import InvalidRequestError
from pegcount.model import Between
from pegcount.server.query_cache import QueryCache
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_DAY
from service import NOW_US
from store_reports import StoreReports

from server_tests.example_requests import ASK_ACTIVE, ASK_FOLDER, ASK_QUALITY, ASK_USAGE, changed

ASKED: dict[str, Any] = {
    "QueryAsrUsage": ASK_USAGE,
    "QueryActiveSessions": ASK_ACTIVE,
    "QueryFolderStats": ASK_FOLDER,
    "QueryOriginationQuality": ASK_QUALITY,
}


class Asked:
    """The reports of an empty store whose clock stands still until a test moves it."""

    def __init__(self, directory: Path, config: Config) -> None:
        self.now_us = NOW_US
        self.store = EmbeddedStore(
            directory,
            config,
            create=True,
            clock=lambda: self.now_us,
            monotonic=lambda: self.now_us / 1_000_000,
        )
        self._service = StoreReports(config, self.store, lambda: self.now_us)

    def scan(self, method: str, message: Any) -> Any:
        return self._service.prepare(method, message.SerializeToString(), core.CancelToken(None)).scan


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    asked = Asked(tmp_path, Config())
    yield asked
    asked.store.close()


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collects the messages of the requests that are parsed."""
    found: list[Any] = []
    parse: Callable[..., Any] = request.parse

    def parse_and_collect(*arguments: Any) -> Any:
        found.append(parse(*arguments))
        return found[-1]

    monkeypatch.setattr(request, "parse", parse_and_collect)
    return found


@pytest.mark.parametrize("method", ASKED)
def test_a_repeated_request_is_parsed_once(method: str, asked: Asked, parsed: list[Any]) -> None:
    scans = [asked.scan(method, ASKED[method]) for _ in range(2)]
    assert scans[0].predicates == scans[1].predicates
    assert parsed == [ASKED[method]]
    other = changed(ASKED[method], time_zone="Europe/Berlin")
    asked.scan(method, other)
    assert parsed == [ASKED[method], other]


@pytest.mark.parametrize("method", ASKED)
def test_a_long_request_is_parsed_each_time(method: str, tmp_path: Path, parsed: list[Any]) -> None:
    asked = Asked(tmp_path, Config(tuning=Tuning(cached_request_bytes_max=1)))
    for _ in range(2):
        asked.scan(method, ASKED[method])
    assert len(parsed) == 2
    asked.store.close()


@pytest.mark.parametrize("method", ASKED)
def test_a_refused_request_is_refused_again(method: str, asked: Asked, parsed: list[Any]) -> None:
    wrong = changed(ASKED[method], time_zone="Mars")
    for _ in range(2):
        with pytest.raises(InvalidRequestError, match="time_zone: 'Mars'"):
            asked.scan(method, wrong)
    assert len(parsed) == 2


def test_cached_active_sessions_are_abandoned_as_time_passes(asked: Asked) -> None:
    def oldest_us() -> int:
        (recent,) = (
            predicate
            for predicate in asked.scan("QueryActiveSessions", ASK_ACTIVE).predicates
            if isinstance(predicate, Between)
        )
        return recent.low

    first_us = oldest_us()
    asked.now_us += 5_000_000
    assert oldest_us() - first_us == 5_000_000


def test_a_cached_folder_report_of_today_moves_on_at_midnight(asked: Asked) -> None:
    today = reports_pb2.QueryFolderStatsRequest(company="acme", organization="north")
    first = asked.scan("QueryFolderStats", today).edge_us
    asked.now_us += US_PER_DAY
    assert (asked.scan("QueryFolderStats", today).edge_us - first == US_PER_DAY).all()


def test_queries_of_short_requests_are_cached(asked: Asked) -> None:
    def predicates(app_ids: Iterable[int]) -> object:
        return asked.scan("QueryAsrUsage", changed(ASK_USAGE, app_ids=app_ids)).predicates

    assert predicates([1]) is predicates([1])
    assert predicates([1]) != predicates([2])
    assert predicates(range(5_000)) == predicates(range(5_000))
    assert predicates(range(5_000)) is not predicates(range(5_000))


def test_each_method_has_entries_of_its_own() -> None:
    read: list[tuple[str, bytes]] = []

    def reader(method: str) -> Callable[[bytes, request.Check], str]:
        return lambda data, _: read.append((method, data)) or f"{method} {data!r}"  # type: ignore[func-returns-value]

    tuning = replace(Tuning(), query_cache_entry_count=2)
    cache = QueryCache({name: reader(name) for name in "ab"}, tuning)
    for method, data in [("a", b"1"), ("a", b"2"), ("b", b"1"), ("a", b"1"), ("a", b"3"), ("a", b"2")]:
        assert cache.query(method, data, request.never_ends) == f"{method} {data!r}"
    # The third request of "a" displaced the one that was not used for longest, b"2".
    assert read == [("a", b"1"), ("a", b"2"), ("b", b"1"), ("a", b"3"), ("a", b"2")]
