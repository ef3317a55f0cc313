"""The health of feeds over every store: figures and findings of records that came at known times."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1.feed_health_pb2 import FeedFinding, FeedHealth, QueryFeedHealthRequest
from pegcount.v1.records_pb2 import SESSION_KIND_ASR, SessionRecord
from service import NOW_US, Service

from conformance.stores import StoreFactory

NOW_S = NOW_US // 1_000_000
"""2026-03-30T12:00:00Z; in Berlin, the clock went forward on the day before."""
HOUR_S = 3_600
DAY_S = 86_400
US = 1_000_000


@pytest.fixture
def service(tmp_path: Path, stores: StoreFactory) -> Iterator[Service]:
    with Service(tmp_path / "store", stores=stores) as running:
        yield running


def call(
    name: str, setup_s: int, *, source: str = "pbx", answered: bool = True, **more: Any
) -> SessionRecord:
    """Builds a call that rings for 10 s, and was answered then; it ends after 60 s."""
    given: dict[str, Any] = {
        "setup_time": Timestamp(seconds=setup_s),
        "answer_time": Timestamp(seconds=setup_s + 10) if answered else None,
        "end_time": Timestamp(seconds=setup_s + 60),
        **more,
    }
    return SessionRecord(session_id=name, source=source, **given)


def receive(service: Service, now_us: int, *records: SessionRecord) -> None:
    """Writes records at a time of the clock, which then is the present one again."""
    service.now_us = now_us
    service.write(*records)
    service.now_us = NOW_US


def feeds(service: Service, *sources: str, **more: Any) -> dict[str, FeedHealth]:
    answer = service.traffic.QueryFeedHealth(QueryFeedHealthRequest(sources=sources, **more), timeout=30)
    assert [feed.source for feed in answer.feeds] == sorted(feed.source for feed in answer.feeds)
    assert all(len(feed.findings) == len(feed.advice) for feed in answer.feeds)
    return {feed.source: feed for feed in answer.feeds}


def found(feed: FeedHealth) -> list[str]:
    return [FeedFinding.Name(each).removeprefix("FEED_FINDING_") for each in feed.findings]


def test_an_empty_store_has_no_feeds(service: Service) -> None:
    answer = service.traffic.QueryFeedHealth(QueryFeedHealthRequest(time_zone="Europe/Berlin"), timeout=30)
    assert (answer.as_of, answer.time_zone) == ("2026-03-30T14:00:00+02:00", "Europe/Berlin")
    assert not answer.feeds
    (feed,) = feeds(service, "pbx").values()
    assert found(feed) == ["NO_RECORDS"]
    assert not feed.HasField("last_received_time")
    assert not feed.HasField("unanswered_share")
    assert (feed.calls, feed.calls_per_minute) == (0, 0)


def test_figures_of_the_last_day(service: Service) -> None:
    end_us = NOW_US - 1_000 * US
    receive(
        service,
        end_us + 250_000,
        call(
            "a",
            NOW_S - 1_060,
            disconnect_cause=16,
            customer_price="0.1",
            alert_time=Timestamp(seconds=NOW_S - 1_055),
        ),
        call("b", NOW_S - 1_060, disconnect_cause=16),
        call("c", NOW_S - 1_060, answered=False, disconnect_cause=34),
        call("d", NOW_S - 1_060, answered=False, is_last_attempt=False),
    )
    receive(
        service,
        NOW_US - 5 * US - 1,
        call("old", NOW_S - DAY_S - 1, disconnect_cause=16),
        call("other", NOW_S - 1_060, kind=SESSION_KIND_ASR),
        call("active", NOW_S - 30, end_time=None),
    )
    (feed,) = feeds(service).values()
    assert feed.last_received_time == "2026-03-30T11:59:54Z"
    assert feed.latest_setup_time == "2026-03-30T11:59:30Z"
    assert (feed.calls, feed.calls_per_minute) == (4, 5 / 60)
    assert (feed.unanswered_share, feed.cause_share, feed.alert_share, feed.price_share) == (50, 75, 25, 50)
    assert (feed.median_delay_seconds, feed.p95_delay_seconds) == (0.2, 0.2)
    assert feed.usual_calls_per_minute == 1 / 60
    assert found(feed) == []


def test_a_record_that_changes_is_received_again(service: Service) -> None:
    receive(service, NOW_US - 100 * US, call("a", NOW_S - 200, end_time=None))
    receive(service, NOW_US - 40 * US, call("a", NOW_S - 200))
    receive(service, NOW_US - 10 * US, call("a", NOW_S - 200))
    (feed,) = feeds(service).values()
    assert feed.last_received_time == "2026-03-30T11:59:20Z"
    # From 11:57:40.
    assert feed.median_delay_seconds == 100


def test_sources_are_told_apart_by_any_text(service: Service) -> None:
    names = ["", 'O\'Neill "x"\\', "Zürich 🐘", "a\tb"]
    receive(service, NOW_US, *(call(f"s{i}", NOW_S - 90, source=name) for i, name in enumerate(names)))
    assert [feed.calls for feed in feeds(service).values()] == [1, 1, 1, 1]
    assert list(feeds(service, *names)) == sorted(names)
    assert list(feeds(service, "")) == [""]
    assert feeds(service, 'O\'Neill "x"\\')['O\'Neill "x"\\'].last_received_time == "2026-03-30T12:00:00Z"
    unknown = feeds(service, "zurich 🐘", "Zürich 🐘")
    assert found(unknown["zurich 🐘"]) == ["NO_RECORDS"]
    assert unknown["zurich 🐘"].advice[0].endswith('; did you mean "Zürich 🐘"?')
    assert found(unknown["Zürich 🐘"]) == []


def test_what_a_feed_lacks(service: Service) -> None:
    answered = [call(f"a{i}", NOW_S - 120) for i in range(100)]
    receive(service, NOW_US - 59 * US, *answered)
    (feed,) = feeds(service).values()
    assert found(feed) == ["NO_FAILED_CALLS", "NO_CAUSES", "NO_ALERT_TIMES", "NO_PRICES"]
    assert "unanswered=yes" in feed.advice[0]
    receive(service, NOW_US, call("f", NOW_S - 120, answered=False, disconnect_cause=17, customer_price="0"))
    (feed,) = feeds(service).values()
    assert found(feed) == ["NO_ALERT_TIMES", "NO_PRICES"]
    assert feed.unanswered_share == 100 / 101


@pytest.mark.parametrize(("ahead_ms", "is_told"), [(300_000, True), (1_000, True), (900, False)])
def test_a_clock_that_is_ahead(service: Service, ahead_ms: int, is_told: bool) -> None:
    receive(service, (NOW_S - 60) * US - ahead_ms * 1_000, *(call(f"a{i}", NOW_S - 120) for i in range(20)))
    (feed,) = feeds(service).values()
    assert feed.median_delay_seconds == -ahead_ms / 1_000
    assert ("CLOCK_AHEAD" in found(feed)) == is_told


def history(service: Service, per_hour: int, last_us: int, *, shift_s: int = 0) -> None:
    """Writes calls of the last hour until a time, evenly, which end then, and of this hour on 7 days."""
    step_s = HOUR_S // per_hour
    old = [
        call(f"{day} {i}", NOW_S - day * DAY_S - HOUR_S + i * step_s + shift_s, answered=i % 2 == 0)
        for day in range(1, 8)
        for i in range(per_hour)
    ]
    receive(service, NOW_US - DAY_S * US + 60 * US, *old)
    setups = range(NOW_S - HOUR_S, last_us // US - 59, step_s)
    end = Timestamp(seconds=last_us // US)
    last = [call(f"now {each}", each, answered=each % 2 == 0, end_time=end) for each in setups]
    receive(service, last_us, *last)


@pytest.mark.parametrize(
    ("per_hour", "minutes", "findings"),
    [(120, 5, []), (120, 12, ["SILENT"]), (60, 15, []), (60, 35, ["SILENT"]), (10, 55, [])],
)
def test_silence_is_held_against_the_usual_rate(
    service: Service, per_hour: int, minutes: int, findings: list[str]
) -> None:
    history(service, per_hour, NOW_US - minutes * 60 * US)
    (feed,) = feeds(service).values()
    assert feed.usual_calls_per_minute == per_hour / 60
    assert [each for each in found(feed) if each in ("SILENT", "FEWER_THAN_USUAL")] == findings
    if findings:
        assert f"no record came for {minutes} minutes" in feed.advice[0]


def test_a_source_that_ended_days_ago(service: Service) -> None:
    receive(service, NOW_US - 9 * DAY_S * US, call("a", NOW_S - 9 * DAY_S - 60))
    (feed,) = feeds(service).values()
    assert found(feed) == ["SILENT"]
    assert feed.advice[0].startswith("no record came for 9 days: ")
    assert not feed.HasField("usual_calls_per_minute")


def test_a_source_without_records_in_the_last_31_days(service: Service) -> None:
    receive(service, NOW_US - 32 * DAY_S * US, call("a", NOW_S - 32 * DAY_S - 60))
    assert feeds(service) == {}
    assert found(feeds(service, "pbx")["pbx"]) == ["NO_RECORDS"]


def test_fewer_and_more_calls_than_usual(service: Service) -> None:
    history(service, 100, NOW_US - HOUR_S * US)
    few = [call(f"few {i}", NOW_S - 90, answered=i % 2 == 0) for i in range(49)]
    receive(service, NOW_US, *few)
    assert "FEWER_THAN_USUAL" in found(feeds(service)["pbx"])
    receive(service, NOW_US, call("few 50", NOW_S - 90, answered=False))
    assert "FEWER_THAN_USUAL" not in found(feeds(service)["pbx"])
    many = [call(f"many {i}", NOW_S - 90, answered=i % 2 == 0) for i in range(150)]
    receive(service, NOW_US, *many)
    assert feeds(service)["pbx"].calls_per_minute == 200 / 60
    assert "MORE_THAN_USUAL" not in found(feeds(service)["pbx"])
    receive(service, NOW_US, call("many 150", NOW_S - 90))
    assert "MORE_THAN_USUAL" in found(feeds(service)["pbx"])


def test_the_usual_hour_is_that_of_the_local_clock(service: Service) -> None:
    """Until the day before, 14:00 in Berlin was 13:00 UTC."""
    history(service, 60, NOW_US, shift_s=HOUR_S)
    local, utc = (feeds(service, time_zone=zone)["pbx"] for zone in ("Europe/Berlin", "UTC"))
    # Of the seven days, the one before now has the present offset.
    assert (local.usual_calls_per_minute, utc.usual_calls_per_minute) == (1, 0)
    assert local.calls_per_minute == 1
