"""Serialized answers, and the headers of reports, which the core completes.

A header has the fields `range`, `notices` and `as_of`. The core appends the bytes of the other fields, which
may be long. Each field is in one of the two parts: not all parsers merge a message that occurs twice.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Final

from pegcount import core
from pegcount.errors import shortened
from pegcount.model import (
    Bins,
    CredentialRow,
    DeletionRule,
    FollowerInfo,
    Granularity,
    RefusedClock,
    Retention,
    StoreInfo,
)
from pegcount.privacy import AuditEntry, Erasure, Masking
from pegcount.v1 import admin_pb2, reports_pb2, traffic_pb2
from pegcount.zone import US_PER_SECOND, Zone

_NOTICE_TEXTS = {
    reports_pb2.NOTICE_CODE_FROM_IN_FUTURE: "from_time is not before now, so there are no bins",
    reports_pb2.NOTICE_CODE_BEFORE_RETENTION: "the range begins before the day of the oldest record held",
    reports_pb2.NOTICE_CODE_RANGE_REVERSED: "from_date is after to_date, so there are no rows",
}

Notices = Iterable[reports_pb2.NoticeCode]
_NOTICE_VALUE_COUNT_MAX: Final = 10
"""Values that the metadata of a notice has, as the contract says."""
_NOTICE_TEXT_CHARS_MAX: Final = 120
"""Characters of values from which the text of a notice only counts the further ones."""
_HEADER_CACHE_SIZE: Final = 256
"""Headers in the cache. Dashboards repeat their requests."""


def usage_header(bins: Bins, granularity: Granularity, zone: Zone, now_us: int, notices: Notices) -> bytes:
    """Returns the serialized range and notices of a `QueryAsrUsageResponse`."""
    return _header(reports_pb2.QueryAsrUsageResponse, bins, granularity, zone, now_us, notices)


def active_header(zone: Zone, now_us: int) -> bytes:
    """Returns the serialized range and time of a `QueryActiveSessionsResponse`."""
    now = _time(now_us, zone)
    resolved = reports_pb2.ResolvedRange(from_time=now, to_time=now, time_zone=zone.name, generated_at=now)
    return reports_pb2.QueryActiveSessionsResponse(range=resolved, as_of=now).SerializeToString()


def folder_header(
    bins: Bins, zone: Zone, now_us: int, notices: Notices, hidden: tuple[str, ...] = ()
) -> bytes:
    """Returns the serialized range and notices of a `QueryFolderStatsResponse`.

    `hidden` has the names of the figures that it will lack.
    """
    return _header(reports_pb2.QueryFolderStatsResponse, bins, Granularity.DAY, zone, now_us, notices, hidden)


def quality_header(
    bins: Bins,
    granularity: Granularity,
    zone: Zone,
    now_us: int,
    notices: Notices,
    hidden: tuple[str, ...] = (),
) -> bytes:
    """Returns the serialized range and notices of a `QueryOriginationQualityResponse`.

    `hidden` has the names of the figures that it will lack.
    """
    message_class = reports_pb2.QueryOriginationQualityResponse
    return _header(message_class, bins, granularity, zone, now_us, notices, hidden)


def traffic_header(
    bins: Bins,
    granularity: Granularity | None,
    zone: Zone,
    now_us: int,
    notices: Notices,
    missing: Iterable[reports_pb2.Notice],
    latest_setup_us: int | None,
) -> bytes:
    """Returns the serialized range, notices and latest setup time of a `QueryTrafficResponse`.

    `missing` are the notices about what calls lack.
    """
    header = _header(traffic_pb2.QueryTrafficResponse, bins, granularity, zone, now_us, notices)
    more = traffic_pb2.QueryTrafficResponse(
        notices=missing, latest_setup_time=_time_if_any(latest_setup_us, zone)
    )
    return header + more.SerializeToString()


def comparison_header(bins: Bins, granularity: Granularity | None, zone: Zone, now_us: int) -> bytes:
    """Returns the serialized range of a `TrafficComparison`."""
    return _header(traffic_pb2.TrafficComparison, bins, granularity, zone, now_us, ())


def look_back_notice() -> reports_pb2.Notice:
    """Returns the notice that calls before a range may be missing from it."""
    return reports_pb2.Notice(
        code=reports_pb2.NOTICE_CODE_BEFORE_RETENTION,
        text="calls from before the day of the oldest record held are missing where they last into the range",
    )


def causes_notice(known: int, calls: int) -> reports_pb2.Notice:
    """Returns the notice that some calls carry no release cause."""
    return reports_pb2.Notice(
        code=reports_pb2.NOTICE_CODE_CAUSES_MISSING,
        text=f"{known:,} of {calls:,} calls carry a release cause; figures by cause miss those of the others",
        metadata={"known": str(known), "calls": str(calls)},
    )


def unrated_notice(field: str, known: int, calls: int) -> reports_pb2.Notice:
    """Returns the notice that some answered calls have no price."""
    return reports_pb2.Notice(
        code=reports_pb2.NOTICE_CODE_UNRATED_CALLS,
        text=f"{known:,} of {calls:,} answered calls have a {field}; amounts miss those of the others",
        metadata={"field": field, "known": str(known), "calls": str(calls)},
    )


def unseen_notice(
    code: reports_pb2.NoticeCode, field: str, values: Sequence[str], *, is_scoped: bool = False
) -> reports_pb2.Notice:
    """Returns the notice that no record held, or none in a data scope, carries any value of a filter."""
    held = "that the credential reads" if is_scoped else "held"
    listed = ", ".join(shortened(value) for value in values[:_NOTICE_VALUE_COUNT_MAX])
    verb = "is of" if code == reports_pb2.NOTICE_CODE_KIND_NOT_SEEN else "carries"
    return reports_pb2.Notice(
        code=code,
        text=f"no record {held} {verb} {field} {_first_values(values)}",
        metadata={"field": field, "values": listed, "value_count": str(len(values))},
    )


def more_notices(message_class: Callable[..., Any], notices: Iterable[reports_pb2.Notice]) -> bytes:
    """Returns notices to append to a serialized response, whose list of notices they continue."""
    return bytes(message_class(notices=notices).SerializeToString())


def retention(limits: Retention) -> admin_pb2.Retention:
    """Returns the message of a retention."""
    return admin_pb2.Retention(days=limits.days, bytes=limits.bytes)


def refused_clock(refused: RefusedClock | None, utc: Zone) -> admin_pb2.RefusedClock | None:
    """Returns the message of a refused clock, None without one."""
    if refused is None:
        return None
    return admin_pb2.RefusedClock(
        since_time=_time(refused.since_us, utc),
        deviation_seconds=refused.deviation_us // US_PER_SECOND,
        waiting_days=refused.waiting_days,
    )


def deletion(rule: DeletionRule, utc: Zone) -> admin_pb2.Deletion:
    """Returns the message of a deletion that still applies, with times in UTC."""
    return admin_pb2.Deletion(
        rule_id=rule.rule_id,
        source=rule.source,
        from_time=_time_if_any(rule.from_us, utc),
        to_time=_time_if_any(rule.to_us, utc),
        session_id_count=rule.session_id_count,
        session_ids=rule.session_ids,
        create_time=_time(rule.create_us, utc),
        deleted=rule.deleted,
    )


def erasure(erased: Erasure, utc: Zone) -> admin_pb2.Erasure:
    """Returns the message of an erasure, with its time in UTC."""
    return admin_pb2.Erasure(
        erasure_id=erased.erasure_id,
        party_count=erased.party_count,
        create_time=_time(erased.create_us, utc),
        records=erased.records,
        is_complete=erased.is_complete,
    )


def masking(limits: Masking | None) -> admin_pb2.Masking:
    """Returns the message of a masking; it is empty if numbers are not masked."""
    if limits is None:
        return admin_pb2.Masking()
    return admin_pb2.Masking(after_days=limits.after_days, keep_digits=limits.keep_digits)


def credential(row: CredentialRow, utc: Zone) -> admin_pb2.Credential:
    """Returns the message of a credential without the secrets of its keys, with times in UTC."""
    keys = [
        admin_pb2.CredentialKey(
            prefix=key.prefix,
            create_time=_time(key.create_us, utc),
            expire_time=_time_if_any(row.key_expire_us(key), utc),
        )
        for key in row.keys
    ]
    return admin_pb2.Credential(
        id=row.id,
        name=row.name,
        scopes=[admin_pb2.Scope.Name(scope) for scope in row.scopes],
        expire_time=_time_if_any(row.expire_us, utc),
        certificate_names=row.certificate_names,
        create_time=_time(row.create_us, utc),
        revoke_time=_time_if_any(row.revoke_us, utc),
        last_use_time=_time_if_any(row.last_use_us, utc),
        keys=keys,
        data_scope=None if row.data_scope is None else admin_pb2.DataScope(**asdict(row.data_scope)),
        limits=None if row.limits is None else admin_pb2.CredentialLimits(**asdict(row.limits)),
    )


def rotated(row: CredentialRow, secret: str, utc: Zone) -> admin_pb2.RotateCredentialResponse:
    """Returns the answer to a rotation: the new key, and the end of the one before it."""
    new, *others = row.keys
    # Without an overlap, the key before it ended when the new one was made, and is gone.
    end_us = others[0].expire_us if others else new.create_us
    return admin_pb2.RotateCredentialResponse(secret=secret, previous_expire_time=_time_if_any(end_us, utc))


def credential_notice(credential_id: str, expire_us: int, utc: Zone) -> reports_pb2.Notice:
    """Returns the notice that the credential of a call, or its key, expires soon."""
    expire_time = _time(expire_us, utc)
    return reports_pb2.Notice(
        code=reports_pb2.NOTICE_CODE_CREDENTIAL_EXPIRES,
        text=f"the credential {credential_id} of this call, or its key, expires at {expire_time}",
        metadata={"id": credential_id, "expire_time": expire_time},
    )


def store_info(
    info: StoreInfo,
    refused: RefusedClock | None,
    rules: Iterable[DeletionRule],
    write_fault: str | None,
    utc: Zone,
    server_version: str,
    tzdata_version: str,
) -> admin_pb2.GetStoreInfoResponse:
    """Returns the `GetStoreInfoResponse`, with times in UTC."""
    return admin_pb2.GetStoreInfoResponse(
        server_version=server_version,
        tzdata_version=tzdata_version,
        records=info.records,
        unsealed_records=info.unsealed_records,
        active_records=info.active_records,
        segments=info.segments,
        segment_bytes=info.segment_bytes,
        first_setup_time=_time_if_any(info.first_setup_us, utc),
        last_setup_time=_time_if_any(info.last_setup_us, utc),
        clock_refused_since_time=None if refused is None else _time(refused.since_us, utc),
        deletions=[deletion(rule, utc) for rule in rules],
        write_fault=write_fault,
        follower=None if info.follower is None else _follower(info.follower),
    )


def _follower(info: FollowerInfo) -> admin_pb2.FollowerInfo:
    return admin_pb2.FollowerInfo(
        records=info.records,
        active_records=info.active_records,
        failed_batches=info.failed_batches,
        lacks=info.lacks,
    )


def audit_entry(entry: AuditEntry, utc: Zone) -> admin_pb2.AuditEntry:
    """Returns an audit entry, with its time in UTC."""
    return admin_pb2.AuditEntry(
        entry_id=entry.entry_id,
        time=_time(entry.time_us, utc),
        method=entry.method,
        caller_id=entry.caller_id,
        caller_name=entry.caller_name,
        request=entry.request,
        outcome=entry.outcome,
        request_id=entry.request_id,
    )


def _first_values(values: Sequence[str]) -> str:
    """Returns values for a person, such as `"1", "2" and 7 more`."""
    shown = f'"{shortened(values[0])}"'
    for i, value in enumerate(values[1:], 1):
        if len(shown) + len(value) > _NOTICE_TEXT_CHARS_MAX:
            return f"{shown} and {len(values) - i} more"
        shown += f', "{value}"'
    return shown


def _header(
    message_class: Callable[..., Any],
    bins: Bins,
    granularity: Granularity | None,
    zone: Zone,
    now_us: int,
    notices: Notices,
    hidden: tuple[str, ...] = (),
) -> bytes:
    """Returns the serialized header of an answer with bins: range and notices."""
    cached = _cached_header(
        message_class, bins.from_us, bins.to_us, granularity, zone, tuple(notices), hidden
    )
    message = message_class()
    message.CopyFrom(cached)
    message.range.generated_at = _time(now_us, zone)
    return bytes(message.SerializeToString())


@lru_cache(_HEADER_CACHE_SIZE)
def _cached_header(
    message_class: Callable[..., Any],
    from_us: int,
    to_us: int,
    granularity: Granularity | None,
    zone: Zone,
    notices: tuple[reports_pb2.NoticeCode, ...],
    hidden: tuple[str, ...],
) -> Any:
    """Returns the header without `generated_at`. Callers share it and must not change it."""
    resolved = reports_pb2.ResolvedRange(
        from_time=_time(from_us, zone),
        to_time=_time(to_us, zone),
        time_zone=zone.name,
        granularity=None if granularity is None else reports_pb2.Granularity.Name(granularity),
    )
    messages = [reports_pb2.Notice(code=code, text=_NOTICE_TEXTS[code]) for code in notices]
    if hidden:
        messages.append(_hidden_notice(", ".join(hidden)))
    # A comparison has no notices.
    return message_class(range=resolved, notices=messages) if messages else message_class(range=resolved)


def _hidden_notice(names: str) -> reports_pb2.Notice:
    return reports_pb2.Notice(
        code=reports_pb2.NOTICE_CODE_METRICS_HIDDEN,
        text=f"the credential of this call does not show {names}",
        metadata={"field": names},
    )


def _time_if_any(us: int | None, zone: Zone) -> str | None:
    return None if us is None else _time(us, zone)


def _time(us: int, zone: Zone) -> str:
    return core.format_time(us, zone)
