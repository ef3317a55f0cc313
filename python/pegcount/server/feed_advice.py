"""What the findings of the report on feeds mean, as sentences for a person that name the next step."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from pegcount.errors import quoted
from pegcount.feeds import LOOK_BACK_DAYS, Feed, Finding
from pegcount.suggestion import did_you_mean
from pegcount.v1.records_pb2 import RejectReason
from pegcount.zone import US_PER_SECOND

_REASON_PREFIX: Final = "REJECT_REASON_"
_US_PER_MINUTE: Final = 60 * US_PER_SECOND


def advice(finding: Finding, feed: Feed, now_us: int, known_sources: Iterable[str] = ()) -> str:
    """Returns the sentence of a finding; `known_sources` are those that a mistyped name may mean."""
    if finding is Finding.NO_RECORDS:
        return _no_records(feed, known_sources)
    return _silent(feed, now_us) if finding is Finding.SILENT else _TEXTS[finding](feed)


def _no_records(feed: Feed, known_sources: Iterable[str]) -> str:
    name = quoted(feed.source) if feed.source else "without a source"
    found = f"no record of the last {LOOK_BACK_DAYS} days is {'of ' * bool(feed.source)}{name}"
    hint = did_you_mean(feed.source, known_sources)
    return found + (hint or ": see whether records have this name in `source`, and whether they are taken")


def _silent(feed: Feed, now_us: int) -> str:
    minutes = (now_us - (feed.last_received_us or now_us)) // _US_PER_MINUTE
    hours, days = minutes // 60, minutes // (24 * 60)
    length = f"{days:,} days" if days > 1 else f"{hours:,} hours" if hours > 1 else f"{minutes:,} minutes"
    expected = 0.0 if feed.usual is None else feed.usual.while_silent
    usual = f", in which {expected:,.0f} calls are usual" if expected else ""
    return (
        f"no record came for {length}{usual}: see whether the source and the sender of its records run, and"
        " whether the log of the sender has errors of this server"
    )


def _fewer(feed: Feed) -> str:
    return f"{_compared(feed)}: see whether the source still sends all calls, and whether its trunks work"


def _more(feed: Feed) -> str:
    return f"{_compared(feed)}: see whether calls are sent twice under other ids, and whether they are wanted"


def _compared(feed: Feed) -> str:
    usual = 0.0 if feed.usual is None else feed.usual.last_hour
    return f"{feed.last_hour:,} calls in the last 60 minutes, where {usual:,.0f} are usual"


def _no_failed_calls(feed: Feed) -> str:
    return (
        f"all {feed.counts.calls:,} calls were answered: most likely the source sends no failed calls, so"
        " that ASR and NER are too high; have it send them. Asterisk: `unanswered=yes` in cdr.conf;"
        " FreeSWITCH, Kamailio, Yeti and others: no filter for answered calls where call records are written"
        " or exported"
    )


def _no_causes(_: Feed) -> str:
    return (
        "no call carries a release cause, so that NER has no value: have the source send it as"
        " `disconnect_cause`; switches call it hangup cause or Q.850 cause"
    )


def _no_alert_times(_: Feed) -> str:
    return (
        "no call carries the time of ringing, so that the post-dial delay includes it: have the source send"
        " the time of the first 180 or 183 as `alert_time`"
    )


def _no_prices(_: Feed) -> str:
    return (
        "no answered call carries a price, so that revenue and margin have no value: have the source send"
        " `customer_price`, or send the calls again once they are rated"
    )


def _clock_ahead(feed: Feed) -> str:
    ahead_seconds = -(feed.counts.delay_ms(50) or 0) / 1_000
    return (
        f"half of the calls come {ahead_seconds:,.1f} s or more before the end that they carry: the clock of"
        " the source is ahead; synchronize it (NTP), and see whether its times are in the zone they claim"
    )


def _rejected(feed: Feed) -> str:
    share = 100 * feed.recent_rejected / (feed.recent_rejected + feed.recent_records)
    totals: dict[int, int] = {}
    for each in feed.rejections:
        totals[each.reason] = totals.get(each.reason, 0) + each.count
    reason = max(totals, key=lambda number: (totals[number], -number), default=0)
    return (
        f"{feed.recent_rejected:,} records were rejected since yesterday, {share:.3g} % of all, most of them"
        f" as {_reason_name(reason)}: the answer to each batch says which and why; send them corrected"
    )


def _reason_name(number: int) -> str:
    found = RejectReason.DESCRIPTOR.values_by_number.get(number)
    return str(number) if found is None else found.name.removeprefix(_REASON_PREFIX)


_TEXTS: Final[Mapping[Finding, Callable[[Feed], str]]] = {
    Finding.FEWER_THAN_USUAL: _fewer,
    Finding.MORE_THAN_USUAL: _more,
    Finding.NO_FAILED_CALLS: _no_failed_calls,
    Finding.NO_CAUSES: _no_causes,
    Finding.NO_ALERT_TIMES: _no_alert_times,
    Finding.NO_PRICES: _no_prices,
    Finding.CLOCK_AHEAD: _clock_ahead,
    Finding.REJECTED: _rejected,
}
