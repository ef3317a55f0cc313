"""The health of feeds over gRPC: rejected records, what a data scope shows, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.config import Config
from pegcount.data_scope import DataScope, Metric
from pegcount.errors import OutsideScopeError
from pegcount.server.call_clock import CallClock
from pegcount.server.feed_health import FeedHealthService
from pegcount.server.visible_records import VisibleRecords
from pegcount.v1.feed_health_pb2 import (
    FeedFinding,
    FeedHealth,
    QueryFeedHealthRequest,
    QueryFeedHealthResponse,
)
from pegcount.v1.records_pb2 import (
    REJECT_REASON_MISSING_SESSION_ID,
    REJECT_REASON_MISSING_SETUP_TIME,
    SessionRecord,
)
from service import NOW_US, Service

from server_tests.refusal import refusal

NOW_S = NOW_US // 1_000_000
DAY_US = 86_400_000_000
NO_SETUP, NO_ID = REJECT_REASON_MISSING_SETUP_TIME, REJECT_REASON_MISSING_SESSION_ID


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as running:
        yield running


def call(name: str, source: str, **more: Any) -> SessionRecord:
    setup_s = NOW_S - 120
    given: dict[str, Any] = {
        "answer_time": Timestamp(seconds=setup_s + 10),
        "end_time": Timestamp(seconds=setup_s + 60),
        "alert_time": Timestamp(seconds=setup_s + 1),
        "disconnect_cause": 16,
        **more,
    }
    return SessionRecord(session_id=name, source=source, setup_time=Timestamp(seconds=setup_s), **given)


def reject(service: Service, source: str, count: int) -> None:
    outcome = service.write_all(SessionRecord(session_id="x", source=source) for _ in range(count))
    assert len(outcome.rejected) == count


def feeds(service: Service, *sources: str, **more: Any) -> dict[str, FeedHealth]:
    answer = service.traffic.QueryFeedHealth(QueryFeedHealthRequest(sources=sources, **more), timeout=30)
    return {feed.source: feed for feed in answer.feeds}


def found(feed: FeedHealth) -> list[str]:
    return [FeedFinding.Name(each).removeprefix("FEED_FINDING_") for each in feed.findings]


def rejections(feed: FeedHealth) -> list[tuple[str, int, int]]:
    return [(each.date, each.reason, each.count) for each in feed.rejections]


def test_rejected_records_are_told_by_date_and_reason(service: Service) -> None:
    service.now_us = NOW_US - 8 * DAY_US
    reject(service, "a", 1)
    assert len(feeds(service)["a"].rejections) == 1
    service.now_us = NOW_US - DAY_US
    reject(service, "a", 2)
    assert len(feeds(service, rejected_days=8)["a"].rejections) == 2
    service.now_us = NOW_US
    service.write(SessionRecord(source="a"))
    reject(service, "a", 4)
    (feed,) = feeds(service).values()
    days = [("2026-03-30", NO_ID, 1), ("2026-03-30", NO_SETUP, 4), ("2026-03-29", NO_SETUP, 2)]
    assert rejections(feed) == days
    assert rejections(feeds(service, rejected_days=1)["a"]) == days[:2]
    assert rejections(feeds(service, rejected_days=9)["a"]) == [*days, ("2026-03-22", NO_SETUP, 1)]
    # All of its records were rejected, but too few for a finding.
    assert found(feed) == ["NO_RECORDS"]


def test_a_source_of_old_rejections_alone_is_not_there(service: Service) -> None:
    service.now_us = NOW_US - 8 * DAY_US
    reject(service, "a", 50)
    assert list(feeds(service)) == ["a"]
    service.now_us = NOW_US
    assert feeds(service) == {}
    assert found(feeds(service, rejected_days=31)["a"]) == ["NO_RECORDS"]


@pytest.mark.parametrize(("rejected", "is_told"), [(9, False), (10, True)])
def test_many_rejected_records_are_a_finding(service: Service, rejected: int, is_told: bool) -> None:
    service.write(*(call(f"{i}", "a", answer_time=None) for i in range(900)))
    reject(service, "a", rejected)
    (feed,) = feeds(service).values()
    assert found(feed) == (["REJECTED"] if is_told else [])
    if is_told:
        assert feed.advice[0].startswith("10 records were rejected since yesterday, 1.1 % of all, ")
        assert "as MISSING_SETUP_TIME: " in feed.advice[0]
        service.write(*(call(f"more {i}", "a", answer_time=None) for i in range(100)))
        # 10 of 1,010 are less than 1 percent.
        assert found(feeds(service)["a"]) == []


def seen(service: Service, scope: DataScope, *sources: str) -> dict[str, FeedHealth]:
    """Returns what a caller with a data scope sees."""
    prepare = FeedHealthService(service.config, lambda: service.now_us).feed_health
    token, records = core.CancelToken(None), VisibleRecords(service.store, scope)
    report = prepare(QueryFeedHealthRequest(sources=sources).SerializeToString(), records, token)
    answer = QueryFeedHealthResponse.FromString(report.answer(token, CallClock()).data)
    return {feed.source: feed for feed in answer.feeds}


@pytest.fixture
def scoped(service: Service) -> Service:
    priced = [call(f"{i}", "a", account_id="1", customer_price="0.1") for i in range(20)]
    service.write(*priced, call("b", "b", account_id="2"), call("c", "c", account_id="1", tenant_id=7))
    for source in ("a", "b", "z"):
        reject(service, source, 11)
    return service


def test_a_data_scope_shows_its_records_alone(scoped: Service) -> None:
    by_account = seen(scoped, DataScope(account_id=("1",)))
    assert {name: feed.calls for name, feed in by_account.items()} == {"a": 20, "c": 1}
    assert all(not feed.rejections and not feed.findings for feed in by_account.values())
    by_source = seen(scoped, DataScope(source=("a", "z")))
    assert {name: feed.calls for name, feed in by_source.items()} == {"a": 20, "z": 0}
    assert rejections(by_source["a"]) == [("2026-03-30", NO_SETUP, 11)]
    assert found(by_source["a"]) == ["REJECTED"]
    both = seen(scoped, DataScope(source=("a",), account_id=("1",)))
    assert {name: list(feed.rejections) for name, feed in both.items()} == {"a": []}
    everything = seen(scoped, DataScope(hidden_metrics=(Metric.PRICE,)))
    assert set(everything) == {"a", "b", "c", "z"}


def test_whether_others_have_a_source_is_not_told(scoped: Service) -> None:
    """The answers for a source of others, and for none, differ in nothing but the name."""
    scope = DataScope(account_id=("1",))
    of_others, of_nobody = (seen(scoped, scope, name)[name] for name in ("b", "nobody"))
    of_others.source = of_nobody.source
    assert [each.replace("'b'", "'nobody'") for each in of_others.advice] == list(of_nobody.advice)
    del of_others.advice[:], of_nobody.advice[:]
    assert of_others == of_nobody
    assert found(of_others) == ["NO_RECORDS"]
    with pytest.raises(OutsideScopeError) as refused:
        seen(scoped, DataScope(source=("a",)), "a", "b")
    assert refused.value.metadata["field"] == "sources[1]"


def test_a_scope_that_hides_sources_is_refused(scoped: Service) -> None:
    with pytest.raises(OutsideScopeError) as refused:
        seen(scoped, DataScope(account_id=("1",), hidden_fields=("source",)))
    assert refused.value.metadata["field"] == "sources"


@pytest.mark.parametrize(
    ("scope", "hidden"),
    [
        (DataScope(hidden_metrics=(Metric.ASR,)), {"unanswered_share", "cause_share", "price_share"}),
        (DataScope(hidden_metrics=(Metric.PRICE,)), {"price_share"}),
        (DataScope(hidden_fields=("disconnect_cause",)), {"cause_share"}),
        (DataScope(account_id=("1",)), set()),
    ],
)
def test_hidden_figures_are_absent(scoped: Service, scope: DataScope, hidden: set[str]) -> None:
    feed = seen(scoped, scope)["a"]
    shares = {"unanswered_share", "cause_share", "alert_share", "price_share"}
    assert {name for name in shares if not feed.HasField(name)} == hidden


def test_findings_that_tell_hidden_figures_are_absent(service: Service) -> None:
    service.write(*(call(f"{i}", "a", disconnect_cause=None) for i in range(100)))
    assert found(feeds(service)["a"]) == ["NO_FAILED_CALLS", "NO_CAUSES", "NO_PRICES"]
    assert found(seen(service, DataScope(hidden_metrics=(Metric.ASR,)))["a"]) == []
    assert found(seen(service, DataScope(hidden_metrics=(Metric.PRICE,)))["a"]) == [
        "NO_FAILED_CALLS",
        "NO_CAUSES",
    ]


def test_more_feeds_than_allowed_are_refused(tmp_path: Path) -> None:
    with Service(tmp_path, Config(feed_count_max=2)) as service:
        service.write(*(call(name, name) for name in "ab"))
        assert list(feeds(service)) == ["a", "b"]
        service.write(call("c", "c"))
        refused = refusal(lambda: feeds(service))
        assert list(feeds(service, "a", "c")) == ["a", "c"]
    assert (refused.code, refused.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CELL_LIMIT_EXCEEDED")
    assert "3 sources; 2 are allowed (feed_count_max): name some of them" in refused.message


@pytest.mark.parametrize(
    ("more", "field", "reason"),
    [
        ({"rejected_days": 0}, "rejected_days", "VALUE_OUT_OF_RANGE"),
        ({"rejected_days": 32}, "rejected_days", "VALUE_OUT_OF_RANGE"),
        ({"time_zone": "Europe/Berln"}, "time_zone", "UNKNOWN_TIME_ZONE"),
        ({"sources": ["a", "b", "a"]}, "sources[2]", "REPEATED_NAME"),
        ({"sources": ["a" * 257]}, "sources[0]", "TEXT_TOO_LONG"),
        ({"sources": [str(i) for i in range(101)]}, "sources", "LIST_LIMIT_EXCEEDED"),
    ],
)
def test_an_invalid_request_is_refused(
    service: Service, more: dict[str, Any], field: str, reason: str
) -> None:
    request = QueryFeedHealthRequest(**more)
    refused = refusal(lambda: service.traffic.QueryFeedHealth(request, timeout=30))
    assert [each[:2] for each in refused.violations] == [(field, reason)]
