"""The table of `pegcount feeds`."""

from collections.abc import Iterator
from typing import Final

from pegcount.cli.report.report_table import Column, Kind, Range, Remark, ReportTable, Row, Value
from pegcount.v1.feed_health_pb2 import FeedFinding, FeedHealth, QueryFeedHealthResponse
from pegcount.v1.records_pb2 import RejectReason

_COLUMNS: Final = (
    Column("source", "source", Kind.TEXT),
    Column("last_received_time", "last received", Kind.TIME),
    Column("latest_setup_time", "latest setup", Kind.TIME),
    Column("calls_per_minute", "calls per minute", Kind.MEAN),
    Column("usual_calls_per_minute", "usual", Kind.MEAN),
    Column("calls", "calls 24 h", Kind.COUNT),
    Column("unanswered_share", "failed", Kind.PERCENT),
    Column("cause_share", "with cause", Kind.PERCENT),
    Column("alert_share", "with ringing", Kind.PERCENT),
    Column("price_share", "with price", Kind.PERCENT),
    Column("median_delay_seconds", "delay seconds", Kind.SECONDS),
    Column("p95_delay_seconds", "95 % of delays seconds", Kind.SECONDS),
)
_REJECTED: Final = Column("rejected", "rejected", Kind.COUNT)
_FINDINGS: Final = Column("findings", "findings", Kind.TEXT)
_FINDING_PREFIX: Final = "FEED_FINDING_"


def feeds_table(answer: QueryFeedHealthResponse) -> ReportTable:
    """Returns the answer as a table: a row for each source, and below it what to do."""
    now = answer.as_of
    return ReportTable(
        report="feeds",
        subject="Sources of records",
        range=Range(now, now, answer.time_zone, None, now),
        columns=(*_COLUMNS, _REJECTED, _FINDINGS),
        key_count=1,
        rows=tuple(map(_row, answer.feeds)),
        subtotals=(),
        total_row=None,
        totals={},
        remarks=tuple(remark for feed in answer.feeds for remark in _remarks(feed)),
        notices=(),
    )


def _row(feed: FeedHealth) -> Row:
    values: list[Value] = [
        getattr(feed, column.name) if feed.HasField(column.name) else None for column in _COLUMNS
    ]
    rejected = sum(each.count for each in feed.rejections)
    return Row((*values, rejected, ", ".join(map(_finding_name, feed.findings)) or None))


def _remarks(feed: FeedHealth) -> Iterator[Remark]:
    name = feed.source or "records without a source"
    for sentence in feed.advice:
        yield (f"{name}: {sentence}{'' if sentence.endswith('?') else '.'}",)
    if feed.rejections:
        # The reasons are of no use in one column.
        listed = ", ".join(f"{each.date} {_reason(each.reason)} {each.count:,}" for each in feed.rejections)
        yield (f"{name}: rejected {listed}.",)


def _finding_name(number: int) -> str:
    found = FeedFinding.DESCRIPTOR.values_by_number.get(number)
    name = str(number) if found is None else found.name
    return name.removeprefix(_FINDING_PREFIX).replace("_", " ").lower()


def _reason(number: int) -> str:
    found = RejectReason.DESCRIPTOR.values_by_number.get(number)
    return str(number) if found is None else found.name.removeprefix("REJECT_REASON_")
