"""The questions to Pegcount and the peers, with shared constants so that all mean the same."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray
from pegcount.model import Measure, OneOf, Predicate, Present, Scan
from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.records_pb2 import SESSION_KIND_CALL
from pegcount.v1.traffic_pb2 import GroupSpec, MetricSpec, QueryTrafficRequest, TrafficFilter
from pegcount.zone import US_PER_DAY, US_PER_SECOND

from peers import dimensions
from peers.calls import DAYS, FROM_US

US_PER_MINUTE = 60 * US_PER_SECOND
FROM_DAY = date(2026, 3, 1)
TO_DAY = FROM_DAY + timedelta(days=DAYS)
TO_US = FROM_US + DAYS * US_PER_DAY
FROM, TO = FROM_DAY.isoformat(), TO_DAY.isoformat()

LARGEST = str(dimensions.DIMENSIONS["account"][0]["account_id"])
TWENTIETH = str(dimensions.DIMENSIONS["account"][19]["account_id"])
BUSY_DAY = date(2026, 3, 11)
BUSY_FROM_US = FROM_US + (BUSY_DAY - FROM_DAY).days * US_PER_DAY
STARTS_WITH = "44"
NEW_YORK = "America/New_York"
CONTAINS = "7"
NETWORK = "198.18.0.0/15"
NETWORK_FIRST, NETWORK_LAST = 0xC6120000, 0xC613FFFF
SECONDS_MORE_THAN = 120
PRICE_LESS_THAN = "0.2"
PRICE_UNITS_LESS_THAN = 2_000
BERLIN = "Europe/Berlin"
APPS = (2, 5, 11)
SMA_DAYS = 7
CAUSES = (16, 19)
KEYS = ("orig_clients_name", "equipment_id", "term_clients_name")
ROWS_OF_ACTIVE = 20
VENDOR = "term_clients_name"
SHORT_MS = 6_000
BUSY_CAUSE = 17

BIN_SECONDS = {"Q1": 60, "Q2": 60, "U2": 300, "S1": 60, "T4": 60, "T5": 60}
"""Bin widths of the questions whose bins a peer may count from the start of the traffic."""

DESCRIPTIONS: Mapping[str, str] = {
    "Q1": "quality, 20th account, 1 day, MINUTE, starts_with",
    "Q2": "quality, largest account, 30 days, MINUTE",
    "Q3": "quality, 20th account, 30 days, HOUR New York, 4 filters",
    "U1": "usage, 30 days, DAY Berlin, SMA 7, 3 apps",
    "U2": "usage, 30 days, FIVE_MINUTES",
    "F1": "folders, 30 days, with agents",
    "A1": "active sessions, 3 keys, ROLLUP",
    "S1": "full scan, 30 days, MINUTE, 2 causes",
    "T1": "traffic, 30 days, DAY, vendors, 8 metrics",
    "T2": "traffic, 30 days, DAY, vendors, calls",
    "T3": "traffic as T1 of numbers that begin with 44",
    "T4": "peaks, largest account, 30 days, MINUTE",
    "T5": "calls as T4, for its ratio",
}
NAMES = tuple(DESCRIPTIONS)


def _traffic(metrics: Sequence[MetricSpec], *filters: TrafficFilter) -> QueryTrafficRequest:
    return QueryTrafficRequest(
        from_time=FROM,
        to_time=TO,
        granularity=reports_pb2.GRANULARITY_DAY,
        metrics=metrics,
        group_by=[GroupSpec(dimension=traffic_pb2.TRAFFIC_DIMENSION_TERM_CLIENTS_NAME)],
        filters=filters,
        attempts=traffic_pb2.ATTEMPTS_ALL,
    )


def _per_minute(metric: MetricSpec) -> QueryTrafficRequest:
    """Returns a question about the last attempts of the largest account."""
    account = TrafficFilter(dimension=traffic_pb2.TRAFFIC_DIMENSION_ACCOUNT_ID, texts=[LARGEST])
    return QueryTrafficRequest(
        from_time=FROM,
        to_time=TO,
        granularity=reports_pb2.GRANULARITY_MINUTE,
        metrics=[metric],
        filters=[account],
    )


_CALL_COUNT = MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS)
_METRICS = (
    _CALL_COUNT,
    MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_ANSWERED),
    MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_ASR),
    MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_ACD),
    MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_NER),
    MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_SHORT_CALLS, threshold_ms=SHORT_MS),
    MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS_WITH_CAUSE, causes=[BUSY_CAUSE]),
    MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_RING_TIME_MEAN),
)
REQUESTS: Mapping[str, Message] = {
    "Q1": reports_pb2.QueryOriginationQualityRequest(
        account_id=TWENTIETH,
        from_time=BUSY_DAY.isoformat(),
        to_time=(BUSY_DAY + timedelta(days=1)).isoformat(),
        sampling=reports_pb2.GRANULARITY_MINUTE,
        dst_prefix_routing=reports_pb2.TextFilter(starts_with=STARTS_WITH),
    ),
    "Q2": reports_pb2.QueryOriginationQualityRequest(
        account_id=LARGEST, from_time=FROM, to_time=TO, sampling=reports_pb2.GRANULARITY_MINUTE
    ),
    "Q3": reports_pb2.QueryOriginationQualityRequest(
        account_id=TWENTIETH,
        from_time=FROM,
        to_time=TO,
        sampling=reports_pb2.GRANULARITY_HOUR,
        time_zone=NEW_YORK,
        dst_prefix_routing=reports_pb2.TextFilter(contains=CONTAINS),
        auth_orig_ip=NETWORK,
        duration=reports_pb2.IntegerFilter(gt=SECONDS_MORE_THAN),
        customer_price=reports_pb2.DecimalFilter(lt=PRICE_LESS_THAN),
    ),
    "U1": reports_pb2.QueryAsrUsageRequest(
        from_time=FROM,
        to_time=TO,
        granularity=reports_pb2.GRANULARITY_DAY,
        time_zone=BERLIN,
        app_ids=APPS,
        sma_period=SMA_DAYS,
        kind=SESSION_KIND_CALL,
    ),
    "U2": reports_pb2.QueryAsrUsageRequest(
        from_time=FROM,
        to_time=TO,
        granularity=reports_pb2.GRANULARITY_FIVE_MINUTES,
        kind=SESSION_KIND_CALL,
    ),
    "F1": reports_pb2.QueryFolderStatsRequest(
        company=dimensions.COMPANY,
        organization=dimensions.ORGANIZATION,
        from_date=FROM,
        to_date=(TO_DAY - timedelta(days=1)).isoformat(),
    ),
    "A1": reports_pb2.QueryActiveSessionsRequest(
        return_fields=[*KEYS, "quantity", "duration"],
        grouping=reports_pb2.GROUPING_ROLLUP,
        order=["-quantity"],
        limit=ROWS_OF_ACTIVE,
    ),
    "T1": _traffic(_METRICS),
    "T2": _traffic([_CALL_COUNT]),
    "T3": _traffic(
        _METRICS,
        TrafficFilter(dimension=traffic_pb2.TRAFFIC_DIMENSION_DST_PREFIX, texts=[STARTS_WITH]),
    ),
    "T4": _per_minute(MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_PEAK)),
    "T5": _per_minute(_CALL_COUNT),
}
"""The requests to Pegcount; S1 is a scan rather than a report."""

MINUTE_EDGES: NDArray[np.int64] = np.arange(FROM_US, TO_US + 1, US_PER_MINUTE, dtype=np.int64)
_PREDICATES: tuple[Predicate, ...] = (
    OneOf("kind", (SESSION_KIND_CALL,)),
    OneOf("is_last_attempt", (1,)),
    Present("end_time", wanted=True),
    OneOf("disconnect_cause", CAUSES),
)
FULL_SCAN = Scan(MINUTE_EDGES, _PREDICATES, (), Measure("calls"))
"""S1: reports cannot filter by cause and rollups lack it, so the scan reads every record."""
