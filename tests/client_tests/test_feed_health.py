"""An answer about feeds as typed rows, and as frames."""

import datetime

from pegcount.v1 import feed_health_pb2
from pegcount.v1.records_pb2 import REJECT_REASON_MISSING_SETUP_TIME
from pegcount_client import FeedFinding, FeedHealth, FeedRejections

ANSWER = feed_health_pb2.QueryFeedHealthResponse(
    as_of="2026-03-30T14:00:00+02:00",
    time_zone="Europe/Berlin",
    feeds=[
        feed_health_pb2.FeedHealth(source="", calls_per_minute=0, calls=0),
        feed_health_pb2.FeedHealth(
            source="pbx, north",
            last_received_time="2026-03-30T13:59:00+02:00",
            latest_setup_time="2026-03-30T13:58:00+02:00",
            calls_per_minute=1.5,
            usual_calls_per_minute=2,
            calls=100,
            unanswered_share=0,
            cause_share=50,
            alert_share=25,
            price_share=12.5,
            median_delay_seconds=-1.5,
            p95_delay_seconds=3,
            rejections=[
                feed_health_pb2.FeedRejections(
                    date="2026-03-30", reason=REJECT_REASON_MISSING_SETUP_TIME, count=3
                ),
                feed_health_pb2.FeedRejections(date="2026-03-29", reason=9_999, count=4),  # type: ignore[arg-type]
            ],
            findings=["FEED_FINDING_CLOCK_AHEAD", "FEED_FINDING_NO_FAILED_CALLS"],
            advice=["one", "two"],
        ),
    ],
)


def test_an_answer_has_typed_rows() -> None:
    health = FeedHealth.from_response(ANSWER)
    empty, feed = health.rows
    assert (empty.source, empty.last_received_time, empty.unanswered_share, empty.findings) == (
        "",
        None,
        None,
        (),
    )
    assert (empty.advice, empty.rejections, empty.usual_calls_per_minute) == ((), (), None)
    assert feed.source == "pbx, north"
    assert feed.last_received_time == datetime.datetime(2026, 3, 30, 11, 59, tzinfo=datetime.UTC)
    assert (feed.unanswered_share, feed.price_share, feed.median_delay_seconds) == (0, 12.5, -1.5)
    assert feed.findings == (FeedFinding.CLOCK_AHEAD, FeedFinding.NO_FAILED_CALLS)
    assert feed.advice == ("one", "two")
    assert feed.rejected == 7
    assert feed.rejections == (
        FeedRejections(datetime.date(2026, 3, 30), "MISSING_SETUP_TIME", 3),
        FeedRejections(datetime.date(2026, 3, 29), "9999", 4),
    )
    assert health.as_of.hour == 14
    assert repr(health) == "<FeedHealth 2026-03-30T14:00:00+02:00 Europe/Berlin: 2 sources, 1 with findings>"


def test_frames_have_a_row_for_each_source() -> None:
    frame = FeedHealth.from_response(ANSWER).to_pandas()
    assert list(frame["source"]) == ["", "pbx, north"]
    assert list(frame["findings"]) == ["", "CLOCK_AHEAD, NO_FAILED_CALLS"]
    assert list(frame["rejected"]) == [0, 7]
