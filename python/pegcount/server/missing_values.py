"""What the calls of a traffic question lack for its figures: release causes, prices, one currency."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pegcount import core, response
from pegcount.errors import InvalidRequestError, Violation, shortened
from pegcount.model import Present
from pegcount.traffic import (
    ANSWERED,
    CALLS,
    CAUSE_KNOWN,
    ColumnKey,
    TrafficMeasure,
    TrafficQuery,
    TrafficScan,
)
from pegcount.v1 import reports_pb2

ScanOf: TypeAlias = Callable[[TrafficScan], core.TrafficPartials]
"""Scans the records that the caller may see."""
TotalOf: TypeAlias = Callable[[TrafficMeasure], int]
"""Returns a count of all calls of the answer."""
_Group: TypeAlias = tuple[int | str, ...]

_PRICES: Final[Mapping[str, str]] = {"currency": "customer_price", "vendor_currency": "vendor_price"}
"""The price that a currency is of."""
_SHOWN_CURRENCY_COUNT_MAX: Final = 10


def missing_notices(
    query: TrafficQuery, whole_us: NDArray[np.int64], total: TotalOf, partials: ScanOf
) -> Sequence[reports_pb2.Notice]:
    """Returns the notices about calls that lack what a figure reads.

    Raises InvalidRequestError if a figure would add up amounts in several currencies, and the errors of
    `Store.traffic_partials`. `whole_us` are the edges of the range as one bin, or empty; `total` is asked for
    the measures of the query.
    """
    if not len(whole_us):
        return ()
    priced = _all_priced(query, whole_us, partials)
    _require_one_currency(query, priced)
    return [*_causes(query, total), *_unrated(priced, total)]


def require_one_earlier_currency(query: TrafficQuery, whole_us: NDArray[np.int64], partials: ScanOf) -> None:
    """Raises InvalidRequestError if a figure would add up amounts in several currencies in an earlier range.

    Raises the errors of `Store.traffic_partials`, too. `whole_us` are the edges of that range, or empty.
    """
    if len(whole_us):
        priced = _all_priced(query, whole_us, partials)
        _require_one_currency(query, priced, " in the range that compare names")


@dataclass(frozen=True, slots=True)
class _Priced:
    """The calls that have a price."""

    answered: int
    """Answered ones."""
    currencies: Mapping[_Group, Sequence[str]]
    """The currencies of the calls of each group; "" is none."""


def _all_priced(query: TrafficQuery, whole_us: NDArray[np.int64], partials: ScanOf) -> Mapping[str, _Priced]:
    """Returns the calls that have the price of each currency that a figure adds up."""
    currencies = sorted({str(name) for column in query.columns for name in column.currencies})
    return {name: _priced(query, whole_us, name, partials) for name in currencies}


def _priced(query: TrafficQuery, whole_us: NDArray[np.int64], currency: str, partials: ScanOf) -> _Priced:
    price = Present(_PRICES[currency], wanted=True)
    keys = query.keys if query.has_currency_keys else ()
    scan = TrafficScan(
        *(whole_us, (*query.predicates, price), (*keys, ColumnKey(currency)), (ANSWERED,)),
        code_deck=query.code_deck,
    )
    found = partials(scan)
    groups = dict[_Group, list[str]]()
    for *group, name in zip(*map(_values, found.keys), strict=True):
        groups.setdefault(tuple(group), []).append(name)
    return _Priced(found.total(0), groups)


def _require_one_currency(query: TrafficQuery, priced: Mapping[str, _Priced], where: str = "") -> None:
    violations = []
    for index, column in enumerate(query.columns):
        of_groups = dict[_Group, set[str]]()
        for name in column.currencies:
            for group, names in priced[name].currencies.items():
                of_groups.setdefault(group, set()).update(names)
        mixed = next((names for names in of_groups.values() if len(names) > 1), None)
        if mixed is not None:
            violations.append(_mixed(index, column.currencies, mixed, where))
    if violations:
        raise InvalidRequestError(violations)


def _mixed(index: int, columns: Sequence[str], names: set[str], where: str) -> Violation:
    """Returns the violation that amounts in several currencies would be added up."""
    # An absent currency comes last.
    shown = [shortened(name) or "none" for name in sorted(names, key=lambda name: (not name, name))]
    listed = ", ".join(shown[:_SHOWN_CURRENCY_COUNT_MAX])
    more = len(shown) - _SHOWN_CURRENCY_COUNT_MAX
    rest = f" and {more} more" if more > 0 else ""
    dimensions = " and ".join(name.upper() for name in columns)
    # Groups by both currencies of a margin would have amounts in two of them, too.
    advice = f"group by {dimensions} or filter" if len(columns) == 1 else f"filter {dimensions}"
    description = f"adds up amounts in several currencies{where}, {listed}{rest}: {advice} by one"
    return Violation(f"metrics[{index}]", "MIXED_CURRENCIES", description, {"currencies": listed})


def _causes(query: TrafficQuery, total: TotalOf) -> Iterator[reports_pb2.Notice]:
    if not query.tells_of_causes:
        return
    known, calls = total(CAUSE_KNOWN), total(CALLS)
    if known < calls:
        yield response.causes_notice(known, calls)


def _unrated(priced: Mapping[str, _Priced], total: TotalOf) -> Iterator[reports_pb2.Notice]:
    for name, found in priced.items():
        answered = total(ANSWERED)
        if found.answered < answered:
            yield response.unrated_notice(_PRICES[name], found.answered, answered)


def _values(key: Any) -> Sequence[int | str]:
    """Returns the values of a key by cell; absent ones are the least integer, or empty."""
    if isinstance(key, tuple):
        codes, texts = key
        return [texts[code] for code in codes.tolist()]
    return list(key.tolist())
