"""Watches of both clients: the whole present answer, alerts, lost connections and the end."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pegcount.auth import Scope
from pegcount.config import Config
from pegcount.v1.traffic_pb2 import QueryTrafficRequest
from pegcount_client import AlertRule, AsyncClient, Client, GroupBy, PegcountError, RetryPolicy
from pegcount_client.requests import traffic_watch_request
from server_tests.keys import guarded
from server_tests.watching import BY_VENDOR, NOW_S, call, plain, question, rule
from service import Service
from waiting import wait_until

SECOND_US = 1_000_000
ASK: dict[str, Any] = {
    "metrics": ["CALLS", "ASR"],
    "granularity": "MINUTE",
    "last_bins": 3,
    "interval_ms": 1_000,
    "group_by": ["TERM_ACCOUNTS_ID"],
    "attempts": "ALL",
}
LOW_ASR = AlertRule(metric=1, comparison="BELOW", threshold=40, least_denominator=2)
SOON = RetryPolicy(seconds_max=0.3)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as running:
        running.write(*(call(f"a{i}", NOW_S - 30 * i - 10, answered=False) for i in range(6)))
        yield running


def test_the_request_of_a_query() -> None:
    rules = [rule(1, "BELOW", 40.0, least_denominator=2, bins=1)]
    expected = question(**BY_VENDOR, rules=rules)
    query: Any = {**ASK, "rules": [LOW_ASR]}
    assert traffic_watch_request(query) == expected


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"rules": [3]}, "rules has rules, such as AlertRule"),
        ({"rules": [AlertRule(comparison="UNDER", threshold=3)]}, "comparison"),
        ({"rules": [AlertRule(comparison="BELOW", threshold="3")]}, "threshold is a number"),  # type: ignore[arg-type]
        ({"from_time": "2026-03-01"}, "unknown keyword"),
        ({"last_bins": 3.5}, "last_bins is a whole number"),
    ],
)
def test_what_would_be_misread_is_refused(given: dict[str, Any], text: str, service: Service) -> None:
    with Client(service.address) as client, pytest.raises((TypeError, ValueError), match=text):
        client.watch_traffic(**{**ASK, **given})


def check(service: Service, state: Any, **more: Any) -> None:
    """Asserts that a watch has what the query answers at present; `more` is of the query."""
    answer = state.response
    query: Any = {**ASK, **more}
    asked = QueryTrafficRequest()
    asked.CopyFrom(traffic_watch_request(query).query)
    asked.from_time = answer.range.from_time
    assert plain(answer) == plain(service.traffic.QueryTraffic(asked, timeout=20))


def test_a_watch_has_the_whole_present_answer(service: Service) -> None:
    with Client(service.address) as client, client.watch_traffic(**ASK, rules=[LOW_ASR]) as watch:
        next(watch)
        check(service, watch)
        (alert,) = watch.alerts
        assert (alert.rule, alert.state, alert.keys, alert.value) == (
            0,
            "FIRING",
            {"term_accounts_id": 1},
            0.0,
        )
        assert watch.firing == watch.alerts
        service.write(call("b", NOW_S - 5, vendor=2), *(call(f"c{i}", NOW_S - 50 + i) for i in range(9)))
        service.now_us += SECOND_US
        while watch.as_of_text != "2026-03-30T12:00:01Z":
            next(watch)
        check(service, watch)
        assert [(each.state, each.denominator) for each in watch.alerts] == [("RESOLVED", 11)]
        assert watch.firing == ()
        assert [group.keys["term_accounts_id"] for group in watch.traffic.groups] == [1, 2]


@pytest.mark.parametrize("time_zone", ["UTC", "Africa/Abidjan", "Europe/Kyiv", "America/St_Johns"])
def test_the_range_of_an_update_is_in_the_zone_of_the_request(time_zone: str, service: Service) -> None:
    with Client(service.address) as client, client.watch_traffic(**ASK, time_zone=time_zone) as watch:
        next(watch)
        start = watch.response.range.from_time
        service.now_us += 60 * SECOND_US
        while watch.response.range.from_time == start:
            next(watch)
        check(service, watch, time_zone=time_zone)


def test_a_watch_of_asyncio(service: Service) -> None:
    async def watched() -> None:
        async with AsyncClient(service.address) as client, client.watch_traffic(**ASK) as watch:
            await anext(watch)
            assert watch.revision == 1
            await asyncio.to_thread(check, service, watch)
            service.write(call("b", NOW_S))
            service.now_us += SECOND_US
            async for state in watch:
                if state.as_of_text == "2026-03-30T12:00:01Z":
                    break
            await asyncio.to_thread(check, service, watch)
            asyncio.get_running_loop().call_later(0.2, lambda: asyncio.ensure_future(watch.close()))
            async for _ in watch:
                pass

    asyncio.run(watched())
    wait_until(lambda: service.state().watches.streams == 0)


@pytest.fixture
def logged_interruptions(caplog: pytest.LogCaptureFixture) -> Callable[[], list[int]]:
    """Returns the levels at which interruptions of a watch were logged."""
    caplog.set_level(logging.INFO, "pegcount_client")

    def levels() -> list[int]:
        found = [record for record in caplog.records if "the watch is interrupted" in record.getMessage()]
        return [record.levelno for record in found]

    return levels


def test_a_watch_survives_a_restart_of_its_server(
    service: Service, logged_interruptions: Callable[[], list[int]]
) -> None:
    with Client(service.address) as client, client.watch_traffic(**ASK, retry=SOON) as watch:
        next(watch)
        again = restarted(service)
        with again:
            again.write(call("b", NOW_S))
            again.now_us += SECOND_US
            while watch.stream_count < 2 or watch.as_of_text != "2026-03-30T12:00:01Z":
                next(watch)
            check(again, watch)
    first, *others = logged_interruptions()
    assert (first, set(others) - {logging.WARNING}) == (logging.INFO, set())


def restarted(service: Service) -> Service:
    """Closes a service, and returns one at the same address and over the same directory."""
    address = service.address
    service.stop()
    service.store.close()
    return Service(service.directory, Config(), listen=address)


def test_a_watch_of_asyncio_survives_a_restart_of_its_server(
    service: Service, logged_interruptions: Callable[[], list[int]]
) -> None:
    async def watched() -> None:
        client = AsyncClient(service.address)
        async with client, client.watch_traffic(**ASK, retry=SOON) as watch:
            await anext(watch)
            with await asyncio.to_thread(restarted, service) as again:
                again.now_us += SECOND_US
                while watch.stream_count < 2 or watch.as_of_text != "2026-03-30T12:00:01Z":
                    await anext(watch)
                await asyncio.to_thread(check, again, watch)

    asyncio.run(watched())
    assert logged_interruptions()


def test_a_watch_outlives_its_connection(tmp_path: Path) -> None:
    with Service(tmp_path, Config(connection_age_seconds_max=1.5)) as service:
        with Client(service.address) as client, client.watch_traffic(**ASK, retry=SOON) as watch:
            while watch.stream_count < 3:
                next(watch)
        check(service, watch)


def test_a_request_that_is_wrong_is_not_tried_again(service: Service) -> None:
    with Client(service.address) as client:
        watch = client.watch_traffic(**{**ASK, "last_bins": 0, "group_by": [GroupBy("DST_PREFIX")]})
        with watch, pytest.raises(PegcountError) as raised:
            next(watch)
    assert raised.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [each.field for each in raised.value.violations] == ["last_bins", "query.group_by[0].digits"]
    assert watch.stream_count == 1


def test_without_retries_a_lost_stream_ends_the_watch(service: Service) -> None:
    with Client(service.address, retry=False) as client, client.watch_traffic(**ASK) as watch:
        next(watch)
        service.stop()
        with pytest.raises(PegcountError) as raised:
            for _ in watch:
                pass
        # The end of the connection may overtake the reason, SERVER_STOPPING.
        assert raised.value.code is grpc.StatusCode.UNAVAILABLE


def test_another_thread_may_end_a_watch(service: Service) -> None:
    with Client(service.address) as client, client.watch_traffic(**ASK) as watch:
        next(watch)
        threading.Timer(0.3, watch.close).start()
        assert list(watch) == []
    wait_until(lambda: service.state().watches.streams == 0)


def test_a_closed_client_ends_its_watches(service: Service) -> None:
    with Client(service.address) as client:
        watch = client.watch_traffic(**ASK)
        next(watch)
        threading.Timer(0.3, client.close).start()
        with pytest.raises(PegcountError, match="this client is closed"):
            list(watch)
        with pytest.raises(PegcountError, match="this client is closed"):
            client.watch_traffic(**ASK)


def test_a_watch_carries_the_credential_of_its_client(tmp_path: Path) -> None:
    with guarded(tmp_path) as held:
        key = held.issued[Scope.READ_REPORTS].key.text
        with Client(held.service.address, api_key=key) as client, client.watch_traffic(**ASK) as watch:
            next(watch)

        async def watched() -> None:
            client = AsyncClient(held.service.address, api_key=key)
            async with client, client.watch_traffic(**ASK) as watch:
                await anext(watch)

        asyncio.run(watched())
        with Client(held.service.address) as client, client.watch_traffic(**ASK) as watch:
            with pytest.raises(PegcountError) as raised:
                next(watch)
            assert raised.value.reason == "CREDENTIAL_REFUSED"
