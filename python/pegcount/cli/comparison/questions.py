"""Random questions: all four reports with any range, bins, filters, keys, rollup and order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from google.protobuf.message import Message

from pegcount.cli.comparison.values import FOLDER_COLUMNS, Value, Values, time_text
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_DAY, US_PER_SECOND

ACTIVE: Final = "QueryActiveSessions"
"""The report about the present moment, whatever the range is."""
_ZONES: Final = ("UTC", "UTC", "Europe/Kyiv", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
_WIDTHS_S: Final = {
    reports_pb2.GRANULARITY_MINUTE: 60,
    reports_pb2.GRANULARITY_FIVE_MINUTES: 300,
    reports_pb2.GRANULARITY_FIFTEEN_MINUTES: 900,
    reports_pb2.GRANULARITY_THIRTY_MINUTES: 1_800,
    reports_pb2.GRANULARITY_HOUR: 3_600,
    reports_pb2.GRANULARITY_DAY: 86_400,
    reports_pb2.GRANULARITY_WEEK: 7 * 86_400,
    reports_pb2.GRANULARITY_MONTH: 31 * 86_400,
}
"""Seconds of the longest bin of each granularity."""
_BIN_COUNT_MAX: Final = 300
_NUDGES_US: Final = (0, 0, 1, -1, 30 * US_PER_SECOND, 12_345_678)
_USAGE_FILTERS: Final = {"app_ids": "app_id", "comp_ids": "comp_id", "tenant_ids": "tenant_id"}
_QUALITY_FILTERS: Final = (
    *("src_country_id", "dst_country_id", "src_prefix_routing", "dst_prefix_routing"),
    *("customer_price", "auth_orig_ip"),
)
_ACTIVE_FILTERS: Final = tuple(field.name for field in reports_pb2.ActiveSessionFilters.DESCRIPTOR.fields)
_NOT_KEYS: Final = frozenset({"quantity", "duration", "level"})
_ACTIVE_KEYS: Final = tuple(
    field.name for field in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields if field.name not in _NOT_KEYS
)
"""Without the duration, which goes on between two answers."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request of a report."""

    method: str
    request: Message


class Draws:
    """Draws questions about what a store has."""

    def __init__(self, random: Random, values: Values) -> None:
        self._random = random
        self._values = values
        self._known: dict[tuple[str, ...], list[tuple[Value, ...]]] = {}
        self._of_active: dict[str, list[Value]] = {}
        self._decks = sorted(values.store.code_decks())

    def usage(self) -> Message:
        """Draws a request of `QueryAsrUsage`."""
        granularity, fields = self._range()
        names = ["app_id", "comp_id", "tenant_id"]
        request = reports_pb2.QueryAsrUsageRequest(
            granularity=granularity, absent=self._some(names, 0.1, 1), kind=self._pick((0, 1, 2, 3)), **fields
        )
        for name, column in _USAGE_FILTERS.items():
            getattr(request, name).extend(self._some(self._single(column), 0.25, 3))
        if granularity == reports_pb2.GRANULARITY_DAY and self._random.random() < 0.5:
            request.sma_period = self._pick((1, 2, 3, 7, 30))
        return request

    def active(self) -> Message:
        """Draws a request of `QueryActiveSessions`."""
        keys = self._random.sample(_ACTIVE_KEYS, self._random.randint(1, 4))
        fields = [*keys, "quantity"]
        order = self._some(fields, 0.6, 3)
        request = reports_pb2.QueryActiveSessionsRequest(
            return_fields=fields,
            order=[self._pick(("", "-")) + name for name in order],
            grouping=self._pick((0, 1)),
            time_zone=self._pick(_ZONES),
        )
        if self._random.random() < 0.3:
            request.limit = self._pick((1, 2, 10, 1_000))
        if self._decks and self._random.random() < 0.4:
            request.code_deck = self._pick(self._decks)
        for name in self._some(_ACTIVE_FILTERS, 0.5, 2):
            if name not in self._of_active:
                self._of_active[name] = [each for each in self._values.of_active(name) if each is not None]
            getattr(request.filters, name).extend(self._some(self._of_active[name], 1.0, 3))
        return request

    def folders(self) -> Message:
        """Draws a request of `QueryFolderStats`."""
        found = [each for each in self._tuples(*FOLDER_COLUMNS) if None not in each[:2]]
        company, organization, folder = self._pick(found) if found else ("none", "none", None)
        first = self._random.randrange(self._values.from_us, self._values.to_us) // US_PER_DAY
        last = min(first + self._pick((0, 1, 7, 40)), self._values.to_us // US_PER_DAY - 1)
        fields: dict[str, Any] = {"company": company, "organization": organization}
        if folder is not None and self._random.random() < 0.5:
            fields["folder"] = folder
        dates = [time_text(day * US_PER_DAY)[: len("2026-03-28")] for day in (first, max(first - 1, last))]
        # A day of a zone west of UTC ends after that of UTC, and so perhaps after the range.
        fields["time_zone"] = self._pick(("UTC", "Europe/Kyiv", "Asia/Kathmandu"))
        return reports_pb2.QueryFolderStatsRequest(from_date=dates[0], to_date=dates[1], **fields)

    def quality(self) -> Message:
        """Draws a request of `QueryOriginationQuality`."""
        granularity, fields = self._range()
        request = reports_pb2.QueryOriginationQualityRequest(sampling=granularity, **fields)
        accounts = self._single("account_id")
        way = self._pick(("one", "one", "several", "all")) if accounts else "all"
        if way == "one":
            request.account_id = self._pick(accounts)
        elif way == "several":
            request.account_ids.extend(self._some(accounts, 1.0, 5))
        else:
            request.all_accounts = True
        for name in self._some(_QUALITY_FILTERS, 0.4, 2):
            self._filter(request, name)
        if self._random.random() < 0.2:
            request.duration.gt = self._pick((0, 1, 10, 60))
        return request

    def _filter(self, request: Any, name: str) -> None:
        values = self._single(name)
        if not values:
            return
        value = self._pick(values)
        if name.endswith("_routing"):
            is_whole = self._random.random() < 0.5
            setattr(
                getattr(request, name), "eq" if is_whole else "starts_with", value if is_whole else value[:2]
            )
        elif name == "customer_price":
            sign, units = ("-" if value < 0 else ""), abs(value)
            price = f"{sign}{units // 10**9}.{units % 10**9:09}"
            setattr(request.customer_price, self._pick(("eq", "gt", "lt")), price)
        else:
            setattr(request, name, value)

    def _range(self) -> tuple[Any, dict[str, Any]]:
        """Draws a granularity, and a range of at most 300 bins that ends within that of the questions."""
        granularity = self._pick(tuple(_WIDTHS_S))
        width_us = _WIDTHS_S[granularity] * US_PER_SECOND
        begin_us, end_us = self._values.from_us, self._values.to_us
        from_us = self._random.randrange(begin_us, end_us)
        if self._random.random() < 0.7:
            from_us = max(begin_us, from_us // width_us * width_us) + self._pick(_NUDGES_US)
        bin_count = min(self._pick((1, 2, 7, 24, 96, 300)), _BIN_COUNT_MAX)
        to_us = min(from_us + width_us * bin_count, end_us)
        zone = self._pick(_ZONES)
        return granularity, {"from_time": time_text(from_us), "to_time": time_text(to_us), "time_zone": zone}

    def _pick(self, pool: Sequence[Any]) -> Any:
        return self._random.choice(pool)

    def _some(self, pool: Sequence[Any], chance: float, count_max: int) -> list[Any]:
        """Draws distinct elements, none with the rest of the chance."""
        if not pool or self._random.random() >= chance:
            return []
        return self._random.sample(pool, min(len(pool), self._random.randint(1, count_max)))

    def _single(self, column: str) -> list[Any]:
        return [value for (value,) in self._tuples(column) if value is not None]

    def _tuples(self, *columns: str) -> list[tuple[Value, ...]]:
        if columns not in self._known:
            self._known[columns] = self._values.of(*columns)
        return self._known[columns]


def questions(count: int, seed: int, values: Values) -> Iterator[Question]:
    """Yields questions: first about all records of each kind, then of each report in turn, at random."""
    draws = Draws(Random(seed), values)
    days = (values.to_us - values.from_us) // US_PER_DAY
    granularity = reports_pb2.GRANULARITY_DAY if days < _BIN_COUNT_MAX else reports_pb2.GRANULARITY_MONTH
    for kind in (1, 2, 3)[:count]:
        request = reports_pb2.QueryAsrUsageRequest(kind=kind, granularity=granularity, **values.range)  # type: ignore[arg-type]
        yield Question("QueryAsrUsage", request)
    ways: tuple[tuple[str, Callable[[], Message]], ...] = (
        ("QueryAsrUsage", draws.usage),
        (ACTIVE, draws.active),
        ("QueryFolderStats", draws.folders),
        ("QueryOriginationQuality", draws.quality),
    )
    for number in range(max(0, count - 3)):
        method, draw = ways[number % len(ways)]
        yield Question(method, draw())
