"""The bytes of answers: what the request came to mean, and after it what the core made.

Protobuf messages merge: the bytes of one after the bytes of another are a message with the fields of
both. So what the core made is neither parsed nor written again, however long it is.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from google.protobuf.message import Message

from pegcount import core
from pegcount.model import Bins, Granularity, Retention, StoreInfo
from pegcount.v1 import admin_pb2, reports_pb2
from pegcount.zone import Zone

_NOTICE_TEXTS = {
    reports_pb2.NOTICE_CODE_FROM_IN_FUTURE: "from_time is not before now, so there are no bins",
    reports_pb2.NOTICE_CODE_BEFORE_RETENTION: "the range begins before the day of the oldest record held",
    reports_pb2.NOTICE_CODE_RANGE_REVERSED: "from_date is after to_date, so there are no rows",
}

Notices = Iterable[reports_pb2.NoticeCode]
_HEAD_CACHE_SIZE: Final = 256
"""Heads of answers that are cached, some 150 bytes each: the same are asked for again and again."""


def usage(
    body: bytes, bins: Bins, granularity: Granularity, zone: Zone, now_us: int, notices: Notices
) -> bytes:
    """The answer to `QueryAsrUsage`."""
    return _head(reports_pb2.QueryAsrUsageResponse, bins, granularity, zone, now_us, notices) + body


def active(body: bytes, zone: Zone, now_us: int) -> bytes:
    """The answer to `QueryActiveSessions`."""
    now = _time(now_us, zone)
    resolved = reports_pb2.ResolvedRange(from_time=now, to_time=now, time_zone=zone.name, generated_at=now)
    return reports_pb2.QueryActiveSessionsResponse(range=resolved, as_of=now).SerializeToString() + body


def folder(body: bytes, bins: Bins, zone: Zone, now_us: int, notices: Notices) -> bytes:
    """The answer to `QueryFolderStats`."""
    return _head(reports_pb2.QueryFolderStatsResponse, bins, Granularity.DAY, zone, now_us, notices) + body


def quality(
    body: bytes, bins: Bins, granularity: Granularity, zone: Zone, now_us: int, notices: Notices
) -> bytes:
    """The answer to `QueryOriginationQuality`."""
    head = _head(reports_pb2.QueryOriginationQualityResponse, bins, granularity, zone, now_us, notices)
    return head + body


def retention(limits: Retention) -> admin_pb2.Retention:
    """How long records are kept, as a message."""
    return admin_pb2.Retention(days=limits.days, bytes=limits.bytes)


def store_info(info: StoreInfo, utc: Zone, server: str, tzdata: str) -> admin_pb2.GetStoreInfoResponse:
    """The answer to `GetStoreInfo`."""
    return admin_pb2.GetStoreInfoResponse(
        server_version=server,
        tzdata_version=tzdata,
        records=info.records,
        unsealed_records=info.unsealed_records,
        active_records=info.active_records,
        segments=info.segments,
        segment_bytes=info.segment_bytes,
        first_setup_time=None if info.first_setup_us is None else _time(info.first_setup_us, utc),
        last_setup_time=None if info.last_setup_us is None else _time(info.last_setup_us, utc),
    )


def _head(
    answer: Callable[..., Message],
    bins: Bins,
    granularity: Granularity,
    zone: Zone,
    now_us: int,
    notices: Notices,
) -> bytes:
    """The fields that the answers of all reports with bins have."""
    generated = answer(range=reports_pb2.ResolvedRange(generated_at=_time(now_us, zone)))
    head = _cached_head(answer, bins.from_us, bins.to_us, granularity, zone, tuple(notices))
    return head + generated.SerializeToString()


@lru_cache(_HEAD_CACHE_SIZE)
def _cached_head(
    answer: Callable[..., Message],
    from_us: int,
    to_us: int,
    granularity: Granularity,
    zone: Zone,
    notices: tuple[reports_pb2.NoticeCode, ...],
) -> bytes:
    """Of these what is the same whenever it is asked."""
    resolved = reports_pb2.ResolvedRange(
        from_time=_time(from_us, zone),
        to_time=_time(to_us, zone),
        time_zone=zone.name,
        granularity=reports_pb2.Granularity.Name(granularity),
    )
    messages = [reports_pb2.Notice(code=code, text=_NOTICE_TEXTS[code]) for code in notices]
    return answer(range=resolved, notices=messages).SerializeToString()


def _time(us: int, zone: Zone) -> str:
    return core.format_time(us, zone)
