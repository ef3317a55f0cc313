"""`QueryFeedHealth`: prepared and answered as the reports of `reports` are.

Its scans are one after the other, so that each may see later records than the one before.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Final, cast

from pegcount import core, request
from pegcount.auth import hidden_fields
from pegcount.config import Config
from pegcount.counters import Rejections
from pegcount.data_scope import DataScope, Metric
from pegcount.feeds import Feed, FeedQuery, Finding, Rejected, findings
from pegcount.model import Measure, Scan
from pegcount.server.call_clock import CallClock, Phase
from pegcount.server.feed_advice import advice
from pegcount.server.feed_scans import SCAN_COUNT, FeedScans, look_back_us
from pegcount.server.prepared_report import Answer, Prepare, PreparedReport
from pegcount.server.report_queries import ReportQueries
from pegcount.server.visible_records import VisibleRecords
from pegcount.v1 import feed_health_pb2, records_pb2
from pegcount.zone import US_PER_DAY, Zone

_METHOD: Final = "QueryFeedHealth"
_EPOCH: Final = date(1970, 1, 1)
_RECENT_DAYS: Final = 2
"""UTC days, today included, whose rejected records are held against the others."""
_SHARES: Final = {
    "unanswered_share": Finding.NO_FAILED_CALLS,
    "cause_share": Finding.NO_CAUSES,
    "price_share": Finding.NO_PRICES,
}
"""Fields that a data scope may hide, and the findings that tell the same."""


class FeedHealthService:
    """Prepares the answers to questions about feeds."""

    def __init__(self, config: Config, clock: Callable[[], int]) -> None:
        """`clock` returns the current time in microseconds UTC."""
        self._config = config
        self._clock = clock
        made_of = {_METHOD: (feed_health_pb2.QueryFeedHealthRequest, request.feed_query)}
        self._queries = ReportQueries(config, made_of)

    def reports(self) -> dict[str, Prepare]:
        """Returns the function that prepares the report, by the name of the method."""
        return {_METHOD: self.feed_health}

    def feed_health(
        self,
        data: bytes,
        records: VisibleRecords,
        cancel_token: core.CancelToken,
        quick_bin_count_max: int | None = None,
    ) -> PreparedReport:
        """Prepares an answer."""
        query: FeedQuery = self._queries.query(_METHOD, data, records, cancel_token.check)
        now_us = self._clock()

        def finish(cancel_token: core.CancelToken, clock: CallClock) -> Answer:
            scans = FeedScans(query, records, now_us, self._config, cancel_token)
            held = scans.feeds()
            feeds = _with_rejections(query, held, records.rejections(), now_us)
            is_name_unknown = any(source not in held for source in query.sources)
            known_sources = scans.known_sources() if is_name_unknown else []
            clock.enter(Phase.FINISH)
            hidden = _hidden_shares(records.data_scope)
            messages = (_message(feed, query.zone, now_us, hidden, known_sources) for feed in feeds)
            response = feed_health_pb2.QueryFeedHealthResponse(
                as_of=core.format_time(now_us, query.zone), time_zone=query.zone.name, feeds=messages
            )
            return Answer(response.SerializeToString())

        scan = Scan(look_back_us(now_us), (), ("source",), Measure("calls"))
        # Counts of rejected records may wait for a disk: with something to search, never on the event loop.
        return PreparedReport(scan, finish, (scan,), SCAN_COUNT)


def _with_rejections(
    query: FeedQuery, held: dict[str, Feed], rejections: Rejections, now_us: int
) -> list[Feed]:
    """Returns the feeds by name: those that were asked for, or all with records or rejected ones."""
    today = now_us // US_PER_DAY
    rejected = {name: _rejected(days, today, query.rejected_days) for name, days in rejections.items()}
    recent = {name: _rejected(days, today, _RECENT_DAYS) for name, days in rejections.items()}
    names: Iterable[str] = query.sources or {*held, *(name for name, each in rejected.items() if each)}
    return [
        replace(
            held.get(name) or Feed(name),
            recent_rejected=sum(each.count for each in recent.get(name, ())),
            rejections=rejected.get(name, ()),
        )
        for name in sorted(names)
    ]


def _rejected(by_day: Mapping[int, Mapping[int, int]], today: int, day_count: int) -> tuple[Rejected, ...]:
    """Returns the rejected records of the last days, the newest day first, then by reason."""
    days = sorted((day for day in by_day if today - day_count < day <= today), reverse=True)
    return tuple(
        Rejected(day, reason, count) for day in days for reason, count in sorted(by_day[day].items())
    )


def _hidden_shares(scope: DataScope | None) -> frozenset[str]:
    """Returns the shares that a data scope hides: who may not see what they are of could compute it."""
    if scope is None:
        return frozenset()
    fields, hides_answers = hidden_fields(scope), Metric.ASR in scope.hidden_metrics
    hidden = {
        "unanswered_share": hides_answers,
        "cause_share": "disconnect_cause" in fields,
        "price_share": "customer_price" in fields or hides_answers,
    }
    return frozenset(name for name, is_hidden in hidden.items() if is_hidden)


def _message(
    feed: Feed, zone: Zone, now_us: int, hidden: Collection[str], known_sources: Iterable[str]
) -> feed_health_pb2.FeedHealth:
    hidden_findings = {_SHARES[name] for name in hidden}
    found = [each for each in findings(feed, now_us) if each not in hidden_findings]
    counts = feed.counts
    message = feed_health_pb2.FeedHealth(
        source=feed.source,
        last_received_time=_time(feed.last_received_us, zone),
        latest_setup_time=_time(feed.latest_setup_us, zone),
        calls_per_minute=feed.last_hour / 60,
        usual_calls_per_minute=None if feed.usual is None else feed.usual.last_hour / 60,
        calls=counts.calls,
        unanswered_share=_percent(counts.calls - counts.answered, counts.calls),
        cause_share=_percent(counts.with_cause, counts.calls),
        alert_share=_percent(counts.alerted, counts.calls),
        price_share=_percent(counts.priced, counts.answered),
        median_delay_seconds=_seconds(counts.delay_ms(50)),
        p95_delay_seconds=_seconds(counts.delay_ms(95)),
        rejections=map(_rejections, feed.rejections),
        findings=[feed_health_pb2.FeedFinding.Name(each) for each in found],
        advice=[advice(each, feed, now_us, known_sources) for each in found],
    )
    for name in hidden:
        message.ClearField(name)
    return message


def _rejections(rejected: Rejected) -> feed_health_pb2.FeedRejections:
    return feed_health_pb2.FeedRejections(
        date=(_EPOCH + timedelta(days=rejected.day)).isoformat(),
        reason=cast("records_pb2.RejectReason", rejected.reason),
        count=rejected.count,
    )


def _time(us: int | None, zone: Zone) -> str | None:
    return None if us is None else core.format_time(us, zone)


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1_000
