"""The AsrUsage report."""

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from pegcount.config import Config
from pegcount.v1 import records_pb2, reports_pb2

from . import calendar, unseen, window
from .expected import ExpectedError, Violations
from .records import Session

SMA_PERIOD_MAX = 366


def answer(
    request: reports_pb2.QueryAsrUsageRequest,
    sessions: Sequence[Session],
    now_us: int,
    config: Config = window.LIMITS,
) -> reports_pb2.QueryAsrUsageResponse | ExpectedError:
    """Returns the expected answer without `range.generated_at` and the texts of notices."""
    violations = Violations()
    asked = window.read_window(request, now_us, violations)
    _check(request, violations, config.filter_value_count_max)
    if violations or asked is None:
        return violations.error()
    if asked.in_future:
        return reports_pb2.QueryAsrUsageResponse(
            range=window.resolved(asked.zone, asked.from_us, asked.to_us, request.granularity),
            notices=[*window.in_future(), *_unseen(request, sessions)],
            totals=reports_pb2.AsrUsageTotals(session_count=0),
        )
    try:
        edges = calendar.edges(
            asked.zone, request.granularity, asked.from_us, asked.to_us, config.bin_count_max
        )
    except calendar.TooManyBins:
        violations.add("granularity", "BIN_LIMIT_EXCEEDED")
        return violations.error()
    return _counted(request, asked.zone, edges, sessions, now_us)


def _check(
    request: reports_pb2.QueryAsrUsageRequest, violations: Violations, filter_value_count_max: int
) -> None:
    good = violations.granularity("granularity", request.granularity)
    if request.kind not in range(4):
        violations.add("kind", "UNKNOWN_ENUM_VALUE")
    if request.HasField("sma_period"):
        if not 1 <= request.sma_period <= SMA_PERIOD_MAX:
            violations.add("sma_period", "VALUE_OUT_OF_RANGE")
        if good and request.granularity != reports_pb2.GRANULARITY_DAY:
            violations.add("sma_period", "SMA_NEEDS_DAY")
    violations.count_of_values("app_ids", request.app_ids, filter_value_count_max)
    violations.count_of_values("comp_ids", request.comp_ids, filter_value_count_max)
    violations.count_of_values("tenant_ids", request.tenant_ids, filter_value_count_max)
    violations.absent(request.absent, ("app_id", "comp_id", "tenant_id"), filter_value_count_max)


def _counted(
    request: reports_pb2.QueryAsrUsageRequest,
    zone: str,
    edges: list[int],
    sessions: Sequence[Session],
    now_us: int,
) -> reports_pb2.QueryAsrUsageResponse:
    warm_up_count = request.sma_period - 1 if request.HasField("sma_period") else 0
    all_edges = calendar.day_edges_before(zone, edges[0], warm_up_count) + edges
    counts = [0] * (len(all_edges) - 1)
    for session in sessions:
        if all_edges[0] <= session.setup_us < all_edges[-1] and _is_selected(request, session):
            counts[bisect_right(all_edges, session.setup_us) - 1] += 1
    response = reports_pb2.QueryAsrUsageResponse(
        range=window.resolved(zone, edges[0], edges[-1], request.granularity),
        notices=[
            *window.before_retention(sessions, all_edges[0]),
            *([] if any(counts) else _unseen(request, sessions)),
        ],
        totals=_totals(zone, edges, counts[warm_up_count:]),
    )
    for position, (start_us, end_us) in enumerate(pairwise(edges)):
        of_bin = response.bins.add(
            start_time=calendar.format_time(zone, start_us),
            session_count=counts[warm_up_count + position],
            complete=end_us <= now_us,
        )
        if request.HasField("sma_period"):
            summed = sum(counts[position : position + request.sma_period])
            of_bin.sma = float(Fraction(summed, request.sma_period))
    return response


def _is_selected(request: reports_pb2.QueryAsrUsageRequest, session: Session) -> bool:
    lists = {"app_id": request.app_ids, "comp_id": request.comp_ids, "tenant_id": request.tenant_ids}
    return session.kind == (request.kind or records_pb2.SESSION_KIND_ASR) and all(
        window.is_asked_for(session.numbers.get(name), values, or_absent=name in request.absent)
        for name, values in lists.items()
    )


def _unseen(
    request: reports_pb2.QueryAsrUsageRequest, sessions: Sequence[Session]
) -> list[reports_pb2.Notice]:
    filters = [
        ("kind", "kind", [request.kind or records_pb2.SESSION_KIND_ASR]),
        ("app_ids", "app_id", request.app_ids),
        ("comp_ids", "comp_id", request.comp_ids),
        ("tenant_ids", "tenant_id", request.tenant_ids),
    ]
    return unseen.notices(sessions, filters)


def _totals(zone: str, edges: list[int], counts: list[int]) -> reports_pb2.AsrUsageTotals:
    totals = reports_pb2.AsrUsageTotals(session_count=sum(counts))
    if any(counts):
        totals.busiest_count = max(counts)
        totals.busiest_start_time = calendar.format_time(zone, edges[counts.index(max(counts))])
    return totals
