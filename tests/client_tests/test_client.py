"""The methods of both clients: keywords, signatures, and the answers of the service."""

import inspect
from typing import Any

import pytest
from pegcount_client import (
    ActiveSessionsQuery,
    AsrUsageQuery,
    AsyncClient,
    Client,
    FeedHealthQuery,
    FolderStatsQuery,
    OriginationQualityQuery,
    TrafficQuery,
)
from pegcount_client.reports import (
    ActiveSessions,
    AsrUsage,
    FeedHealth,
    FolderStats,
    OriginationQuality,
    Traffic,
)
from pegcount_client.requests import (
    active_sessions_request,
    asr_usage_request,
    feed_health_request,
    folder_stats_request,
    origination_quality_request,
    traffic_request,
)
from service import Service

from client_tests.report_records import ACTIVE_FIELDS
from client_tests.twins import CLIENTS, ClientOf

USAGE: AsrUsageQuery = {
    "from_time": "2026-03-28",
    "to_time": "2026-03-30",
    "granularity": "DAY",
    "kind": "CALL",
    "time_zone": "Europe/Berlin",
}
ACTIVE: ActiveSessionsQuery = {"return_fields": ACTIVE_FIELDS}
FOLDERS: FolderStatsQuery = {"company": "acme", "organization": "north", "from_date": "2026-03-29"}
QUALITY: OriginationQualityQuery = {
    "account_id": "1001",
    "from_time": "2026-03-28",
    "to_time": "2026-03-30",
    "sampling": "HOUR",
}
TRAFFIC: TrafficQuery = {
    "from_time": "2026-03-28",
    "to_time": "2026-03-30",
    "metrics": ["CALLS", "ASR"],
    "group_by": ["ACCOUNT_ID"],
    "granularity": "DAY",
    "top": 1,
}
QUERIES = {
    "asr_usage": (AsrUsageQuery, USAGE),
    "active_sessions": (ActiveSessionsQuery, ACTIVE),
    "folder_stats": (FolderStatsQuery, FOLDERS),
    "origination_quality": (OriginationQualityQuery, QUALITY),
    "traffic": (TrafficQuery, TRAFFIC),
    "feed_health": (FeedHealthQuery, {"rejected_days": 3}),
}


@pytest.fixture(params=CLIENTS)
def client_of(request: pytest.FixtureRequest) -> ClientOf:
    """Returns what makes a client of either kind."""
    kind: ClientOf = request.param
    return kind


def test_a_method_returns_the_answer_of_the_service(records_service: Service, client_of: ClientOf) -> None:
    reports = records_service.reports
    with client_of(records_service.address) as client:
        usage = client.asr_usage(**USAGE)
        assert usage == AsrUsage.from_response(reports.QueryAsrUsage(asr_usage_request(USAGE)))
        assert usage.totals.session_count > 0
        active = client.active_sessions(**ACTIVE)
        answer = reports.QueryActiveSessions(active_sessions_request(ACTIVE))
        assert active == ActiveSessions.from_response(answer, ACTIVE_FIELDS)
        assert len(active.rows) > 0
        folders = client.folder_stats(**FOLDERS)
        assert folders == FolderStats.from_response(reports.QueryFolderStats(folder_stats_request(FOLDERS)))
        assert len(folders.rows) > 0
        quality = client.origination_quality(**QUALITY, timeout=10.0)
        request = origination_quality_request(QUALITY)
        assert quality == OriginationQuality.from_response(reports.QueryOriginationQuality(request))
        assert quality.totals.total_calls > 0
        traffic = client.traffic(**TRAFFIC)
        question = traffic_request(TRAFFIC)
        answer = records_service.traffic.QueryTraffic(question)
        assert traffic == Traffic.from_response(answer, question)
        assert traffic.groups[0].figures["calls"] == quality.totals.total_calls
        feeds = client.feed_health(sources=["", "nobody"])
        answer = records_service.traffic.QueryFeedHealth(feed_health_request({"sources": ["", "nobody"]}))
        assert feeds == FeedHealth.from_response(answer)
        assert [feed.source for feed in feeds.rows] == ["", "nobody"]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("method", QUERIES)
def test_a_signature_shows_each_keyword(method: str, kind: type) -> None:
    query_type: Any = QUERIES[method][0]
    shown = inspect.signature(getattr(kind, method)).parameters
    assert list(shown) == ["self", *query_type.__annotations__, "timeout"]
    required = {name for name, each in shown.items() if each.default is inspect.Parameter.empty} - {"self"}
    assert required == query_type.__required_keys__
    assert "Required[" not in str(inspect.signature(getattr(kind, method)))


def method_of(kind: type, name: str) -> Any:
    return getattr(kind, name)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_the_help_of_a_method_tells_what_each_keyword_means(kind: type) -> None:
    shown = inspect.getdoc(method_of(kind, "origination_quality")) or ""
    assert "Returns calls, ACD, ASR and CPS" in shown
    assert "    to_time: End of the range, exclusive, at most now. Absent: now.\n" in shown
    assert "calls with this value count too." in shown
    shown = inspect.getdoc(method_of(kind, "folder_stats")) or ""
    assert "    company\n    organization: Organization of the company.\n" in shown


@pytest.mark.parametrize("method", QUERIES)
def test_an_unknown_keyword_is_refused(method: str, client_of: ClientOf) -> None:
    query: dict[str, Any] = {**QUERIES[method][1], "time_zoen": "UTC"}
    with client_of("127.0.0.1:1") as client, pytest.raises(TypeError) as raised:
        getattr(client, method)(**query)
    assert str(raised.value).startswith(
        f'{method}(): unknown keyword "time_zoen"; did you mean "time_zone"? Allowed: '
    )


@pytest.mark.parametrize("method", QUERIES)
def test_a_missing_keyword_is_refused(method: str, client_of: ClientOf) -> None:
    query_type: Any = QUERIES[method][0]
    missing = [name for name in query_type.__annotations__ if name in query_type.__required_keys__]
    with client_of("127.0.0.1:1") as client:
        if missing:
            with pytest.raises(TypeError) as raised:
                getattr(client, method)()
            assert str(raised.value) == f"{method}() needs {' and '.join(missing)}"
        with pytest.raises(TypeError, match="takes keywords only"):
            getattr(client, method)("2026-03-29")
