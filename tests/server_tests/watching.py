"""Watches of traffic: what they ask for, the calls that they count, and what their messages come to."""

from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import traffic_pb2
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.v1.traffic_pb2 import (
    QueryTrafficRequest,
    QueryTrafficResponse,
    WatchTrafficRequest,
    WatchTrafficResponse,
)
from pegcount_client.watched_answer import WatchedAnswer
from service import NOW_US, Service

from server_tests.example_requests import call_record

NOW_S = NOW_US // 1_000_000
SECONDS = 120
BY_VENDOR: dict[str, Any] = {
    "group_by": [{"dimension": "TRAFFIC_DIMENSION_TERM_ACCOUNTS_ID"}],
    "attempts": "ATTEMPTS_ALL",
}


def call(session_id: str, setup_s: int, vendor: int | None = 1, answered: bool = True) -> SessionRecord:
    """Builds a call of 5 s, set up at Unix seconds."""
    return call_record(
        session_id,
        setup_time=Timestamp(seconds=setup_s),
        answer_time=Timestamp(seconds=setup_s + 1) if answered else None,
        end_time=Timestamp(seconds=setup_s + 5),
        term_accounts_id=vendor,
    )


def question(
    *metrics: str, last_bins: int = 3, rules: Sequence[Any] = (), **more: Any
) -> WatchTrafficRequest:
    """Builds a request over minutes, with an interval of a second; `more` is of the query."""
    query = {
        "metrics": [{"metric": f"TRAFFIC_METRIC_{name}"} for name in metrics or ("CALLS", "ASR")],
        "granularity": "GRANULARITY_MINUTE",
        **more,
    }
    given = {"query": query, "last_bins": last_bins, "interval_ms": 1_000, "rules": list(rules)}
    return json_format.ParseDict(given, WatchTrafficRequest())


class Watching:
    """One open stream, whose messages are applied one after the other."""

    def __init__(self, service: Service, request: WatchTrafficRequest, stub: Any = None, **more: Any) -> None:
        """`stub` is of another channel than that of the service; `more` are arguments of the call."""
        self._service = service
        self._request = request
        self.call = (stub or service.traffic).WatchTraffic(request, timeout=SECONDS, **more)
        self.answer = WatchedAnswer()
        self.revisions: list[int] = []

    def next(self) -> WatchTrafficResponse:
        """Waits for the next message and applies it."""
        message: WatchTrafficResponse = next(self.call)
        self.revisions.append(message.revision)
        self.answer.take(message)
        return message

    def next_with(self, now_us: int) -> WatchTrafficResponse:
        """Waits for the first message of a state at or after an instant of the clock of the service."""
        while True:
            message = self.next()
            if microseconds(message.as_of) >= now_us:
                return message

    def asked_anew(self) -> QueryTrafficResponse:
        """Returns what the query answers at present, over the bins of the watch."""
        asked = QueryTrafficRequest()
        asked.CopyFrom(self._request.query)
        asked.from_time = self.answer.response().range.from_time
        found: QueryTrafficResponse = self._service.traffic.QueryTraffic(asked, timeout=SECONDS)
        return found

    def check(self) -> None:
        """Asserts that what the messages came to is what the query answers at present."""
        assert plain(self.answer.response()) == plain(self.asked_anew())


def microseconds(text: str) -> int:
    """Returns the microseconds of a time in RFC 3339."""
    stamp = Timestamp()
    stamp.FromJsonString(text)
    return stamp.ToMicroseconds()


def plain(answer: QueryTrafficResponse) -> dict[str, Any]:
    """Returns an answer for a comparison."""
    return json_format.MessageToDict(answer)


def rule(metric: int, comparison: str, threshold: float, **more: Any) -> dict[str, Any]:
    """Builds a rule."""
    return {"metric": metric, "comparison": f"ALERT_COMPARISON_{comparison}", "threshold": threshold, **more}


def states(alerts: Sequence[traffic_pb2.Alert]) -> list[tuple[int, int | None, str]]:
    """Returns rule, vendor and state of alerts."""
    return [
        (
            each.rule,
            each.group.keys[0].integer if each.group.keys else None,
            traffic_pb2.AlertState.Name(each.state).removeprefix("ALERT_STATE_"),
        )
        for each in alerts
    ]
