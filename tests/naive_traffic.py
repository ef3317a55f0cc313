"""Answers to traffic questions from cells of plain Python, without code of the core.

A cell has a value for each measure: an integer, or a Counter of values.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any

from pegcount import core
from pegcount.traffic import Figure, KeyValue, TrafficColumn
from pegcount.v1 import traffic_pb2

Keys = tuple[KeyValue, ...]
Measure = int | Counter[int]
ABSENT = -(2**63)


@dataclass(frozen=True)
class Cells:
    """The cells of a scan: by bin and keys, the measures."""

    bin_count: int
    kinds: tuple[type, ...]
    """By measure: int or Counter."""
    texts: tuple[bool, ...] = ()
    """By key: whether it is a text."""
    measures: dict[tuple[int, Keys], list[Any]] = field(default_factory=dict)

    def groups(self) -> list[Keys]:
        """Without keys there is one group, also without records."""
        found = {keys for _, keys in self.measures} if self.texts else {()}
        return sorted(found, key=key_order)

    def added(self, places: Iterable[tuple[int, Keys]]) -> list[Any]:
        """The measures of all records of some cells."""
        sums: list[Any] = [kind() for kind in self.kinds]
        for place in places:
            for number, measure in enumerate(self.measures.get(place, [])):
                sums[number] = sums[number] + measure
        return sums

    def with_groups(self, groups: Sequence[Keys]) -> "Cells":
        kept = {place: value for place, value in self.measures.items() if place[1] in groups}
        return Cells(self.bin_count, self.kinds, self.texts, kept)

    def without_keys(self) -> "Cells":
        groups = self.groups()
        added: dict[tuple[int, Keys], list[Any]] = {
            (number, ()): self.added([(number, keys) for keys in groups]) for number in range(self.bin_count)
        }
        return Cells(self.bin_count, self.kinds, (), added)

    def partials(self, order: Sequence[int] | None = None) -> core.TrafficPartials:
        """The cells as the core takes them, in an order."""
        places = list(self.measures) if self.texts else [(number, ()) for number in range(self.bin_count)]
        places = [places[i] for i in order] if order is not None else places
        keys = [column([place[1][i] for place in places], text) for i, text in enumerate(self.texts)]
        cells = [self.added([place]) for place in places]
        measures = [[listed(cell[i]) for cell in cells] for i in range(len(self.kinds))]
        return core.TrafficPartials.from_columns(self.bin_count, [n for n, _ in places], keys, measures)


@dataclass(frozen=True)
class Question:
    """What is asked of cells."""

    columns: Sequence[TrafficColumn]
    edge_us: Sequence[int]
    calendar_us: Sequence[int]
    now_us: int
    ranked: Sequence[Keys] | None = None
    other: bool = False


def key_order(keys: Keys) -> list[tuple[bool, Any]]:
    """Ascending, absent ones last."""
    return [
        (key is None, key.encode() if isinstance(key, str) else key if key is not None else 0) for key in keys
    ]


def column(values: Sequence[KeyValue], is_text: bool) -> Any:
    if not is_text:
        return [ABSENT if value is None else value for value in values]
    texts = ["", *sorted({str(value) for value in values if value is not None}, reverse=True)]
    return [texts.index("" if value is None else str(value)) for value in values], texts


def listed(measure: Measure) -> Any:
    return sorted(measure.items()) if isinstance(measure, Counter) else measure


def value_of(figure: Figure, measures: Sequence[Any], covered_us: int) -> Any:
    """The value of a figure; an amount of money is a text."""
    first, second = measures[figure.first], measures[figure.second]
    if figure.form == "ratio":
        has_value = second != 0 and (figure.only_with is None or measures[figure.only_with] != 0)
        return float(Fraction(figure.multiplier * first, figure.divisor * second)) if has_value else None
    if figure.form == "rate":
        return float(Fraction(10**6 * first, covered_us)) if covered_us else None
    forms: dict[str, Callable[[], int | str | None]] = {
        "integer": lambda: int(first),
        "difference": lambda: int(first - second),
        "money": lambda: money(first),
        "percentile": lambda: percentile(first, figure.percent),
        "busiest": lambda: max(first.values(), default=0),
    }
    return forms[figure.form]()


def percentile(values: Counter[int], percent: int) -> int | None:
    """Nearest rank."""
    ordered = sorted(values.elements())
    return ordered[ceil(Fraction(percent * len(ordered), 100)) - 1] if ordered else None


def money(units: int) -> str:
    whole, fraction = divmod(abs(units), 10**9)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{fraction:09}".rstrip("0").rstrip(".")


def ranked(cells: Cells, figure: Figure, covered_us: int, ascending: bool) -> list[Keys]:
    """All groups, the first one first."""

    def order(keys: Keys) -> tuple[Any, ...]:
        value = total_of(cells, figure, [keys], [covered_us] * cells.bin_count, covered_us)
        if isinstance(value, str):
            value = cells.added([(number, keys) for number in range(cells.bin_count)])[figure.first]
        number = 0 if value is None else value
        return value is None, number if ascending else -number, key_order(keys)

    return sorted(cells.groups(), key=order)


def total_of(
    cells: Cells, figure: Figure, groups: Sequence[Keys], covered_us: Sequence[int], range_us: int
) -> Any:
    """The value over all bins."""
    numbers = range(cells.bin_count)
    if figure.form == "busiest":
        by_bin = [cells.added([(number, keys) for keys in groups]) for number in numbers]
        return max((value_of(figure, measures, 0) for measures in by_bin), default=0)
    return value_of(figure, cells.added([(n, keys) for n in numbers for keys in groups]), range_us)


def answer(cells: Cells, question: Question) -> traffic_pb2.QueryTrafficResponse:
    """The answer, from the cells of all groups."""
    covered = [end - start for start, end in zip(question.edge_us, question.edge_us[1:], strict=False)]
    all_groups = cells.groups()
    shown = list(question.ranked if question.ranked is not None else all_groups)
    left_out = [keys for keys in all_groups if keys not in shown]
    rows = [[keys] for keys in shown] + ([left_out] if question.other and left_out else [])
    response = traffic_pb2.QueryTrafficResponse(
        t=[us // 10**6 for us in question.calendar_us[:-1]],
        covered_us=covered,
        complete=[us <= question.now_us for us in question.calendar_us[1:]],
        group_count=len(all_groups),
    )
    for keys in shown:
        response.groups.add(keys=[key_message(key) for key in keys])
    if len(rows) > len(shown):
        response.groups.add(other=True)
    for asked in question.columns:
        figure = asked.figure
        is_hidden = [len(rows) > len(shown) and row is rows[-1] and not asked.has_totals for row in rows]
        values = [
            None if hidden else value_of(figure, cells.added([(n, keys) for keys in row]), covered[n])
            for row, hidden in zip(rows, is_hidden, strict=True)
            for n in range(cells.bin_count)
        ]
        group_totals = [
            None if hidden else total_of(cells, figure, row, covered, sum(covered))
            for row, hidden in zip(rows, is_hidden, strict=True)
        ]
        total = total_of(cells, figure, all_groups, covered, sum(covered)) if asked.has_totals else None
        response.columns.append(column_message(asked, values))
        response.group_totals.append(column_message(asked, group_totals))
        response.totals.append(column_message(asked, [total]))
    return response


def key_message(key: KeyValue) -> traffic_pb2.TrafficKey:
    if key is None:
        return traffic_pb2.TrafficKey()
    return traffic_pb2.TrafficKey(text=key) if isinstance(key, str) else traffic_pb2.TrafficKey(integer=key)


def column_message(asked: TrafficColumn, values: Sequence[Any]) -> traffic_pb2.TrafficColumn:
    message = traffic_pb2.TrafficColumn.FromString(asked.header)
    match asked.figure.form:
        case "ratio" | "rate":
            message.doubles.extend(float("nan") if value is None else value for value in values)
        case "money":
            message.decimals.extend("" if value is None else value for value in values)
        case _:
            message.integers.extend(-1 if value is None else value for value in values)
    return message
