"""From the core's bytes to response messages: adds what the request came to mean."""

from collections.abc import Iterable

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


def usage(
    body: bytes, bins: Bins, granularity: Granularity, zone: Zone, now_us: int, notices: Notices
) -> reports_pb2.QueryAsrUsageResponse:
    """The answer to `QueryAsrUsage`."""
    response = reports_pb2.QueryAsrUsageResponse.FromString(body)
    response.range.CopyFrom(_range(bins.from_us, bins.to_us, zone, now_us, granularity))
    response.notices.extend(_notices(notices))
    return response


def active(body: bytes, zone: Zone, now_us: int) -> reports_pb2.QueryActiveSessionsResponse:
    """The answer to `QueryActiveSessions`."""
    response = reports_pb2.QueryActiveSessionsResponse.FromString(body)
    response.range.CopyFrom(_range(now_us, now_us, zone, now_us, None))
    response.as_of = _time(now_us, zone)
    return response


def folder(
    body: bytes, bins: Bins, zone: Zone, now_us: int, notices: Notices
) -> reports_pb2.QueryFolderStatsResponse:
    """The answer to `QueryFolderStats`."""
    response = reports_pb2.QueryFolderStatsResponse.FromString(body)
    response.range.CopyFrom(_range(bins.from_us, bins.to_us, zone, now_us, Granularity.DAY))
    response.notices.extend(_notices(notices))
    return response


def quality(
    body: bytes, bins: Bins, granularity: Granularity, zone: Zone, now_us: int, notices: Notices
) -> reports_pb2.QueryOriginationQualityResponse:
    """The answer to `QueryOriginationQuality`."""
    response = reports_pb2.QueryOriginationQualityResponse.FromString(body)
    response.range.CopyFrom(_range(bins.from_us, bins.to_us, zone, now_us, granularity))
    response.notices.extend(_notices(notices))
    return response


def retention(kept: Retention) -> admin_pb2.Retention:
    """How long records are kept, as a message."""
    return admin_pb2.Retention(days=kept.days, bytes=kept.bytes)


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


def _range(
    from_us: int, to_us: int, zone: Zone, now_us: int, granularity: Granularity | None
) -> reports_pb2.ResolvedRange:
    return reports_pb2.ResolvedRange(
        from_time=_time(from_us, zone),
        to_time=_time(to_us, zone),
        time_zone=zone.name,
        granularity=None if granularity is None else reports_pb2.Granularity.Name(granularity),
        generated_at=_time(now_us, zone),
    )


def _notices(codes: Notices) -> list[reports_pb2.Notice]:
    return [reports_pb2.Notice(code=code, text=_NOTICE_TEXTS[code]) for code in codes]


def _time(us: int, zone: Zone) -> str:
    return core.format_time(us, zone.change_us, zone.offset_s)
