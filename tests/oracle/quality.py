"""The OriginationQuality report."""

import ipaddress
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from pegcount.config import Config
from pegcount.v1 import records_pb2, reports_pb2

from . import calendar, unseen, window
from .expected import ExpectedError, Violations
from .records import Session

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Request = reports_pb2.QueryOriginationQualityRequest

_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)
_PREFIX_LENGTH = re.compile(r"\d{1,3}", re.ASCII)
_ABSENT_NAMES = ("account_id", "src_country_id", "dst_country_id")
_MAPPED_BITS = 96
_FILTER_NAMES: tuple[Any, ...] = ("src_prefix_routing", "dst_prefix_routing", "duration", "customer_price")


@dataclass
class _Bin:
    """One bin and its sums; `covered_us` is its width after clipping to the range."""

    start_us: int
    covered_us: int
    is_whole: bool
    total: int = 0
    answered: int = 0
    duration_ms: int = 0

    @property
    def cps(self) -> Fraction:
        return Fraction(10**6 * self.total, self.covered_us)


def answer(
    request: Request,
    sessions: Sequence[Session],
    now_us: int,
    config: Config = window.LIMITS,
) -> reports_pb2.QueryOriginationQualityResponse | ExpectedError:
    """Returns the expected answer without `range.generated_at` and the texts of notices."""
    violations = Violations()
    asked = window.read_window(request, now_us, violations)
    _check(request, violations, config)
    if violations or asked is None:
        return violations.error()
    if asked.in_future:
        return reports_pb2.QueryOriginationQualityResponse(
            range=window.resolved(asked.zone, asked.from_us, asked.to_us, request.sampling),
            notices=[*window.in_future(), *_unseen(request, sessions)],
            data=reports_pb2.OriginationQualityData(),
            rows=0,
            totals=reports_pb2.OriginationQualityTotals(total_calls=0, answered_calls=0, duration_ms=0),
        )
    from_us, end_us = asked.from_us, min(asked.to_us, now_us)
    try:
        edges = calendar.edges(asked.zone, request.sampling, from_us, end_us, config.bin_count_max)
    except calendar.TooManyBins:
        violations.add("sampling", "BIN_LIMIT_EXCEEDED")
        return violations.error()
    bins = _bins(request, sessions, edges, from_us, end_us)
    return reports_pb2.QueryOriginationQualityResponse(
        range=window.resolved(asked.zone, from_us, end_us, request.sampling),
        notices=[
            *window.before_retention(sessions, from_us),
            *([] if any(of_bin.total for of_bin in bins) else _unseen(request, sessions)),
        ],
        data=_columns(bins),
        rows=len(bins),
        totals=_totals(bins),
    )


def _check(request: Request, violations: Violations, config: Config) -> None:
    text_bytes_max = config.filter_text_bytes_max
    violations.granularity("sampling", request.sampling)
    _check_accounts(request, violations, config)
    for name in _FILTER_NAMES:
        if request.HasField(name):
            _check_filter(name, getattr(request, name), violations, text_bytes_max)
    for field, value in request.customer_price.ListFields():
        if value and not _DECIMAL.fullmatch(value):
            violations.add(f"customer_price.{field.name}", "MALFORMED_DECIMAL")
    if request.HasField("auth_orig_ip"):
        _check_address(request.auth_orig_ip, violations, text_bytes_max)


def _check_accounts(request: Request, violations: Violations, config: Config) -> None:
    text_bytes_max, count_max = config.filter_text_bytes_max, config.filter_value_count_max
    absent = violations.absent(request.absent, _ABSENT_NAMES, count_max)
    ways = [name for name in ("account_id", "account_ids", "all_accounts") if getattr(request, name)]
    if len(ways) > 1:
        violations.add(ways[0], "CONFLICTING_FIELDS")
    if not ways and "account_id" not in absent:
        violations.add("account_id", "REQUIRED_FIELD_MISSING")
    violations.text("account_id", request.account_id, text_bytes_max)
    if violations.count_of_values("account_ids", request.account_ids, count_max):
        for position, account in enumerate(request.account_ids):
            if not account:
                violations.add(f"account_ids[{position}]", "EMPTY_FILTER")
            violations.text(f"account_ids[{position}]", account, text_bytes_max)


def _check_address(text: str, violations: Violations, text_bytes_max: int) -> None:
    if not text:
        violations.add("auth_orig_ip", "EMPTY_FILTER")
    elif len(text.encode()) > text_bytes_max:
        violations.add("auth_orig_ip", "TEXT_TOO_LONG")
    elif network(text) is None:
        violations.add("auth_orig_ip", "MALFORMED_ADDRESS")


def _check_filter(
    name: str,
    asked: reports_pb2.TextFilter | reports_pb2.IntegerFilter | reports_pb2.DecimalFilter,
    violations: Violations,
    text_bytes_max: int,
) -> None:
    compared = [(field, value) for field, value in asked.ListFields() if value is not False]
    if not compared:
        violations.add(name, "EMPTY_FILTER")
    if isinstance(asked, reports_pb2.TextFilter) and asked.absent and len(compared) > 1:
        violations.add(f"{name}.absent", "CONFLICTING_FIELDS")
    for field, value in compared:
        if value == "":
            violations.add(f"{name}.{field.name}", "EMPTY_FILTER")
        if isinstance(value, str):
            violations.text(f"{name}.{field.name}", value, text_bytes_max)


def address(text: str) -> Address | None:
    """Parses an address, and an IPv4-mapped IPv6 address as IPv4; returns None if it is malformed."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if "%" in text:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def network(text: str) -> Network | None:
    """Parses a CIDR block, or an address as a block of one; returns None if it is malformed."""
    host, slash, length = text.partition("/")
    if "%" in text or (slash and not _PREFIX_LENGTH.fullmatch(length)):
        return None
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        return None
    mapped = address(host)
    if found.version == 4 or not isinstance(mapped, ipaddress.IPv4Address):
        return found
    if found.prefixlen < _MAPPED_BITS:
        return found
    return ipaddress.IPv4Network((mapped, found.prefixlen - _MAPPED_BITS))


def _bins(
    request: Request, sessions: Sequence[Session], edges: list[int], from_us: int, end_us: int
) -> list[_Bin]:
    bins = []
    for start, end in pairwise(edges):
        covered_us = min(end, end_us) - max(start, from_us)
        bins.append(_Bin(start, covered_us, is_whole=covered_us == end - start))
    is_selected = _predicate(request)
    for session in sessions:
        if from_us <= session.setup_us < end_us and is_selected(session):
            of_session = bins[bisect_right(edges, session.setup_us) - 1]
            of_session.total += 1
            of_session.answered += session.answered
            of_session.duration_ms += session.duration_ms
    return bins


def _unseen(request: Request, sessions: Sequence[Session]) -> list[reports_pb2.Notice]:
    countries = ("src_country_id", "dst_country_id")
    accounts = request.account_ids or ([request.account_id] if request.account_id else [])
    filters: list[Any] = [("account_ids" if request.account_ids else "account_id", "account_id", accounts)]
    filters += [(name, name, [getattr(request, name)]) for name in countries if request.HasField(name)]
    return unseen.notices(sessions, filters)


def _predicate(request: Request) -> Callable[[Session], bool]:
    block = network(request.auth_orig_ip) if request.HasField("auth_orig_ip") else None
    accounts = [request.account_id] if request.account_id else request.account_ids

    def holds(session: Session) -> bool:
        texts, numbers = session.texts, session.numbers
        return (
            session.kind == records_pb2.SESSION_KIND_CALL
            and session.finished
            and session.is_last_attempt
            and window.is_asked_for(
                texts.get("account_id"), accounts, or_absent="account_id" in request.absent
            )
            and all(
                window.is_asked_for(
                    numbers.get(name),
                    [getattr(request, name)] if request.HasField(name) else [],
                    or_absent=name in request.absent,
                )
                for name in ("src_country_id", "dst_country_id")
            )
            and _text_holds(request.src_prefix_routing, texts.get("src_prefix_routing"))
            and _text_holds(request.dst_prefix_routing, texts.get("dst_prefix_routing"))
            and _number_holds(request.duration, Fraction(session.duration_ms // 1000))
            and _number_holds(request.customer_price, session.price)
            and (block is None or _is_in(block, texts.get("auth_orig_ip", "")))
        )

    return holds


def _text_holds(asked: reports_pb2.TextFilter, value: str | None) -> bool:
    if asked.absent:
        return value is None
    if not asked.ListFields():
        return True
    return value is not None and (
        (not asked.HasField("eq") or value == asked.eq)
        and (not asked.HasField("starts_with") or value.startswith(asked.starts_with))
        and (not asked.HasField("ends_with") or value.endswith(asked.ends_with))
        and (not asked.HasField("contains") or asked.contains in value)
    )


def _number_holds(
    asked: reports_pb2.IntegerFilter | reports_pb2.DecimalFilter, value: Fraction | None
) -> bool:
    if not asked.ListFields():
        return True
    return value is not None and (
        (not asked.HasField("eq") or value == Fraction(asked.eq))
        and (not asked.HasField("gt") or value > Fraction(asked.gt))
        and (not asked.HasField("lt") or value < Fraction(asked.lt))
    )


def _is_in(block: Network, text: str) -> bool:
    found = address(text)
    return found is not None and found.version == block.version and found in block


def _ratio(numerator: int, denominator: int) -> float | None:
    return float(Fraction(numerator, denominator)) if denominator else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _columns(bins: Sequence[_Bin]) -> reports_pb2.OriginationQualityData:
    return reports_pb2.OriginationQualityData(
        t=[of_bin.start_us // calendar.MICROSECONDS for of_bin in bins],
        total_calls=[of_bin.total for of_bin in bins],
        answered_calls=[of_bin.answered for of_bin in bins],
        duration_ms=[of_bin.duration_ms for of_bin in bins],
        acd=[_or_nan(_ratio(of_bin.duration_ms, 1000 * of_bin.answered)) for of_bin in bins],
        asr=[_or_nan(_ratio(100 * of_bin.answered, of_bin.total)) for of_bin in bins],
        cps=[float(of_bin.cps) for of_bin in bins],
    )


def _totals(bins: Sequence[_Bin]) -> reports_pb2.OriginationQualityTotals:
    total = sum(of_bin.total for of_bin in bins)
    answered = sum(of_bin.answered for of_bin in bins)
    duration_ms = sum(of_bin.duration_ms for of_bin in bins)
    covered_us = sum(of_bin.covered_us for of_bin in bins)
    whole = [of_bin for of_bin in bins if of_bin.is_whole]
    return reports_pb2.OriginationQualityTotals(
        total_calls=total,
        answered_calls=answered,
        duration_ms=duration_ms,
        acd=_ratio(duration_ms, 1000 * answered),
        asr=_ratio(100 * answered, total),
        cps_mean=_ratio(10**6 * total, covered_us),
        cps_peak=float(max(of_bin.cps for of_bin in whole or bins)),
        cps_sum=float(sum((of_bin.cps for of_bin in bins), Fraction(0))),
    )
