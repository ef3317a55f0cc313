"""How well each source feeds the service: typed rows, and frames of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, Final

from pegcount.v1 import feed_health_pb2, records_pb2

from pegcount_client.columns import Column, Kind
from pegcount_client.enums import FeedFinding, member_of_number
from pegcount_client.reports.answer import ratios, values_or_none
from pegcount_client.rows import Convertible, Rows
from pegcount_client.times import instant_us, time_in_zone


@dataclass(frozen=True, slots=True)
class FeedRejections:
    """Rejected records of a source."""

    date: date
    """The UTC date on which they came."""
    reason: str
    """Why, the name of a `RejectReason`; a number as text if only a newer client knows its name."""
    count: int


@dataclass(frozen=True, slots=True)
class Feed:
    """One source. Shares are None without calls, and where the credential does not show them."""

    source: str
    """Its name; empty is the unnamed feed."""
    last_received_time: datetime | None
    """When a record of it last changed something; None if none of the last 31 days did."""
    latest_setup_time: datetime | None
    calls_per_minute: float
    """Over the last 60 minutes."""
    usual_calls_per_minute: float | None
    """The median of the same on the seven days before, at the same local time."""
    calls: int
    """Finished calls of the last 24 hours, which the shares below are percent of."""
    unanswered_share: float | None
    cause_share: float | None
    alert_share: float | None
    price_share: float | None
    """Percent of the answered calls."""
    median_delay_seconds: float | None
    """Seconds from the end of these calls until the server received them; negative: the clock is ahead."""
    p95_delay_seconds: float | None
    rejected: int
    """Records that were rejected in `rejected_days`."""
    findings: tuple[FeedFinding | str, ...]
    """What is wrong, the most serious first. A number as text if only a newer client knows its name."""
    advice: tuple[str, ...]
    """The same for a person: one sentence for each, with what to do."""
    rejections: tuple[FeedRejections, ...]
    """Rejected records by date and reason, the newest date first."""


@dataclass(frozen=True, repr=False)
class FeedHealth(Convertible):
    """How well each source feeds the service; frames have a row for each."""

    as_of_text: str
    """The instant of the answer, RFC 3339."""
    time_zone: str
    """IANA name of the zone."""
    rows: Rows[Feed]
    """The sources by their names."""

    @classmethod
    def from_response(cls, response: feed_health_pb2.QueryFeedHealthResponse) -> "FeedHealth":
        """Returns an answer of the service as typed values."""
        return cls(response.as_of, response.time_zone, _rows(response.feeds, response.time_zone))

    @property
    def as_of(self) -> datetime:
        """The instant of the answer, in its zone. Raises UnknownZoneError."""
        return time_in_zone(self.as_of_text, self.time_zone)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the rows; findings and advice are joined to one text."""
        return self.rows.columns

    def __repr__(self) -> str:
        wrong = sum(bool(feed.findings) for feed in self.rows)
        sources = f"{len(self.rows):,} sources, {wrong:,} with findings"
        return f"<FeedHealth {self.as_of_text} {self.time_zone}: {sources}>"


_ADVICE_SEPARATOR: Final = "\n"
_FINDING_SEPARATOR: Final = ", "
_RATIOS: Final = (
    *("unanswered_share", "cause_share", "alert_share", "price_share"),
    *("median_delay_seconds", "p95_delay_seconds"),
)
_REASON_PREFIX: Final = "REJECT_REASON_"


def _rows(feeds: Sequence[feed_health_pb2.FeedHealth], zone: str) -> Rows[Feed]:
    rejections = {feed.source: tuple(map(_rejections, feed.rejections)) for feed in feeds}
    columns = [
        Column("source", Kind.TEXT, tuple(feed.source for feed in feeds)),
        _times(feeds, "last_received_time", zone),
        _times(feeds, "latest_setup_time", zone),
        Column("calls_per_minute", Kind.RATIO, tuple(feed.calls_per_minute for feed in feeds)),
        Column("usual_calls_per_minute", Kind.RATIO, ratios(feeds, "usual_calls_per_minute")),
        Column("calls", Kind.COUNT, tuple(feed.calls for feed in feeds)),
        *(Column(name, Kind.RATIO, ratios(feeds, name)) for name in _RATIOS),
        Column("rejected", Kind.COUNT, tuple(sum(each.count for each in feed.rejections) for feed in feeds)),
        Column("findings", Kind.TEXT, tuple(_FINDING_SEPARATOR.join(_findings(feed)) for feed in feeds)),
        Column("advice", Kind.TEXT, tuple(_ADVICE_SEPARATOR.join(feed.advice) for feed in feeds)),
    ]
    return Rows(partial(_feed, rejections), columns)


def _feed(rejections: Mapping[str, tuple[FeedRejections, ...]], *values: Any) -> Feed:
    *figures, findings, advice = values
    names = findings.split(_FINDING_SEPARATOR) if findings else []
    members = tuple(FeedFinding.__members__.get(name, name) for name in names)
    lines = tuple(advice.split(_ADVICE_SEPARATOR)) if advice else ()
    of_all: list[Any] = [*figures, members, lines, rejections[figures[0]]]
    return Feed(*of_all)


def _times(feeds: Sequence[feed_health_pb2.FeedHealth], name: str, zone: str) -> Column:
    texts = values_or_none(feeds, name)
    return Column(name, Kind.TIME, tuple(None if text is None else instant_us(text) for text in texts), zone)


def _findings(feed: feed_health_pb2.FeedHealth) -> Iterable[str]:
    return (str(member_of_number(FeedFinding, number)) for number in feed.findings)


def _rejections(message: feed_health_pb2.FeedRejections) -> FeedRejections:
    return FeedRejections(date.fromisoformat(message.date), _reason_name(message.reason), message.count)


def _reason_name(number: int) -> str:
    found = records_pb2.RejectReason.DESCRIPTOR.values_by_number.get(number)
    return str(number) if found is None else found.name.removeprefix(_REASON_PREFIX)
