"""Notices of reports: what explains a valid answer that may surprise."""

from pegcount import core, response
from pegcount.model import Bins, Scan
from pegcount.server.visible_records import VisibleRecords
from pegcount.v1 import reports_pb2

Notices = list[reports_pb2.NoticeCode]


def range_notices(
    bins: Bins, now_us: int, records: VisibleRecords, cancel_token: core.CancelToken
) -> Notices:
    """Returns the notices of a range of times; raises the errors of `VisibleRecords.are_all_after`."""
    if bins.from_us >= now_us:
        return [reports_pb2.NOTICE_CODE_FROM_IN_FUTURE]
    return _old_data_notices(bins, records, cancel_token)


def date_notices(
    bins: Bins, is_reversed: bool, records: VisibleRecords, cancel_token: core.CancelToken
) -> Notices:
    """Returns the notices of a range of dates; raises the errors of `VisibleRecords.are_all_after`."""
    if is_reversed:
        return [reports_pb2.NOTICE_CODE_RANGE_REVERSED]
    return _old_data_notices(bins, records, cancel_token)


def notice_scans(bins: Bins, records: VisibleRecords, look_back_us: int = 0) -> tuple[Scan, ...]:
    """Returns scans that read as many rows as to find the notices of a range, and of calls before it."""
    if bins.is_empty:
        return ()
    first_us = int(bins.edge_us[0])
    looked_at_us = {first_us, first_us - look_back_us}
    return tuple(scan for us in sorted(looked_at_us) for scan in records.are_all_after_scans(us))


def look_back_notices(
    codes: Notices, bins: Bins, look_back_us: int, records: VisibleRecords, cancel_token: core.CancelToken
) -> list[reports_pb2.Notice]:
    """Returns the notice about calls that began before the first record held, and would reach into a range.

    They are at most `look_back_us` long. `codes` are those of `range_notices`, of which one may say more.
    Raises the errors of `VisibleRecords.are_all_after`.
    """
    if codes or bins.is_empty or not look_back_us:
        return []
    is_short = records.are_all_after(int(bins.edge_us[0]) - look_back_us, cancel_token)
    return [response.look_back_notice()] if is_short else []


def _old_data_notices(bins: Bins, records: VisibleRecords, cancel_token: core.CancelToken) -> Notices:
    if bins.is_empty or not records.are_all_after(int(bins.edge_us[0]), cancel_token):
        return []
    return [reports_pb2.NOTICE_CODE_BEFORE_RETENTION]
