"""Notices of reports: what explains a valid answer that may surprise."""

from pegcount import core
from pegcount.model import Bins
from pegcount.store import Store
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_DAY

Notices = list[reports_pb2.NoticeCode]


def range_notices(bins: Bins, now_us: int, store: Store, cancel_token: core.CancelToken) -> Notices:
    """Returns the notices of a range of times; raises the errors of `Store.first_day`."""
    if bins.from_us >= now_us:
        return [reports_pb2.NOTICE_CODE_FROM_IN_FUTURE]
    return _old_data_notices(bins, store, cancel_token)


def date_notices(bins: Bins, is_reversed: bool, store: Store, cancel_token: core.CancelToken) -> Notices:
    """Returns the notices of a range of dates; raises the errors of `Store.first_day`."""
    if is_reversed:
        return [reports_pb2.NOTICE_CODE_RANGE_REVERSED]
    return _old_data_notices(bins, store, cancel_token)


def _old_data_notices(bins: Bins, store: Store, cancel_token: core.CancelToken) -> Notices:
    first_day = store.first_day(cancel_token)
    if first_day is None or bins.is_empty or bins.edge_us[0] >= first_day * US_PER_DAY:
        return []
    return [reports_pb2.NOTICE_CODE_BEFORE_RETENTION]
