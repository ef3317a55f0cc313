"""Answers to traffic questions from cells of plain Python, without code of the core.

A cell has a value for each measure: an integer, a Counter of values, or intervals.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import Any

from pegcount import core
from pegcount.traffic import Figure, KeyValue, TrafficColumn
from pegcount.v1 import traffic_pb2

Keys = tuple[KeyValue, ...]
ABSENT = -(2**63)


@dataclass(frozen=True)
class Intervals:
    """Intervals of integers, from the start, inclusive, to the end."""

    ends: tuple[tuple[int, int], ...] = ()

    def __add__(self, other: "Intervals") -> "Intervals":
        return Intervals(self.ends + other.ends)

    def holding(self, at: int) -> int:
        """Counts those that hold a number."""
        return sum(start <= at < end for start, end in self.ends)

    def changes(self) -> list[tuple[int, int]]:
        """How the count changes, at each number at which it does."""
        at = sorted({number for ends in self.ends for number in ends})
        found = [(number, self.holding(number) - self.holding(number - 1)) for number in at]
        return [(number, change) for number, change in found if change]

    def peak(self) -> tuple[int, int | None]:
        """The greatest count, and the least number with it."""
        counts = [(self.holding(start), -start) for start, _ in self.ends]
        count, at = max(counts, default=(0, 0))
        return count, -at if count else None


Measure = int | Counter[int] | Intervals


@dataclass(frozen=True)
class Cells:
    """The cells of a scan: by bin and keys, the measures."""

    bin_count: int
    kinds: tuple[type, ...]
    """By measure: int, Counter or Intervals."""
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
        bins, occupancy = (
            [n for n, _ in places],
            [i for i, kind in enumerate(self.kinds) if kind is Intervals],
        )
        return core.TrafficPartials.from_columns(self.bin_count, bins, keys, measures, occupancy)


@dataclass(frozen=True)
class Compared:
    """The cells of an earlier range."""

    cells: Cells
    edge_us: Sequence[int]
    pair: Sequence[int]
    """By bin of the answer: the earlier bin, -1 without one."""


@dataclass(frozen=True)
class Question:
    """What is asked of cells."""

    columns: Sequence[TrafficColumn]
    edge_us: Sequence[int]
    calendar_us: Sequence[int]
    now_us: int
    ranked: Sequence[Keys] | None = None
    other: bool = False
    compared: Compared | None = None


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
    if isinstance(measure, Intervals):
        return measure.changes()
    return sorted(measure.items()) if isinstance(measure, Counter) else measure


def value_of(figure: Figure, measures: Sequence[Any], covered_us: int) -> Any:
    """The value of a figure; an amount of money is a text."""
    first, second = measures[figure.first], measures[figure.second]
    if figure.form == "ratio":
        has_value = second != 0 and (figure.only_with is None or measures[figure.only_with] != 0)
        return float(Fraction(figure.multiplier * first, figure.divisor * second)) if has_value else None
    if figure.form == "rate":
        return float(Fraction(figure.multiplier * first, covered_us)) if covered_us else None
    forms: dict[str, Callable[[], int | str | None]] = {
        "integer": lambda: int(first),
        "difference": lambda: int(first - second),
        "money": lambda: money(first),
        "percentile": lambda: percentile(first, figure.percent),
        "busiest": lambda: max(first.values(), default=0),
        "peak": lambda: int(first.peak()[0]),
        "peak_at": lambda: first.peak()[1],
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
    if figure.form in ("peak", "peak_at"):
        by_bin = [cells.added([(number, keys) for keys in groups]) for number in numbers]
        peaks = [measures[figure.first].peak() for measures in by_bin]
        # The first of several that are the greatest.
        return max(peaks, key=lambda peak: peak[0], default=(0, None))[figure.form == "peak_at"]
    return value_of(figure, cells.added([(n, keys) for n in numbers for keys in groups]), range_us)


def answer(cells: Cells, question: Question) -> traffic_pb2.QueryTrafficResponse:
    """The answer, from the cells of all groups."""
    all_groups = cells.groups()
    shown = list(question.ranked if question.ranked is not None else all_groups)
    has_other = question.other and any(keys not in shown for keys in all_groups)
    response = traffic_pb2.QueryTrafficResponse(
        t=[us // 10**6 for us in question.calendar_us[:-1]],
        covered_us=widths_of(question.edge_us),
        complete=[us <= question.now_us for us in question.calendar_us[1:]],
        group_count=len(all_groups),
    )
    for keys in shown:
        response.groups.add(keys=[key_message(key) for key in keys])
    if has_other:
        response.groups.add(other=True)
    now = figures_of(cells, question.columns, question.edge_us, shown, has_other=has_other)
    put_figures(response, question.columns, now)
    if question.compared is not None:
        compared = question.compared
        then = figures_of(
            compared.cells, question.columns, compared.edge_us, shown, has_other=has_other, pair=compared.pair
        )
        response.compared.t.extend(-1 if n < 0 else compared.edge_us[n] // 10**6 for n in compared.pair)
        put_figures(response.compared, question.columns, then)
        changes = (response.compared.changes, response.compared.group_total_changes)
        for list_number, field_of in enumerate((*changes, response.compared.total_changes)):
            for asked, *both in zip(question.columns, now[list_number], then[list_number], strict=True):
                field_of.add(percent=[change(asked.figure, *pair) for pair in zip(*both, strict=True)])
    return response


Figures = tuple[list[list[Any]], list[list[Any]], list[list[Any]]]
"""The values of each column by group and bin, by group, and of all groups."""


def widths_of(edge_us: Sequence[int]) -> list[int]:
    return [end - start for start, end in pairwise(edge_us)]


def figures_of(
    cells: Cells,
    columns: Sequence[TrafficColumn],
    edge_us: Sequence[int],
    shown: Sequence[Keys],
    *,
    has_other: bool,
    pair: Sequence[int] | None = None,
) -> Figures:
    """The figures of some groups, with `pair` in the bins that it names; it may name none."""
    covered = widths_of(edge_us)
    rows: list[list[Keys] | None] = [[keys] for keys in shown]
    if has_other:
        rows.append([keys for keys in cells.groups() if keys not in shown])
    numbers = range(cells.bin_count) if pair is None else pair
    found: Figures = ([], [], [])
    for asked in columns:
        figure = asked.figure
        hidden = [] if asked.has_totals or not has_other else [len(rows) - 1]
        of = [None if n in hidden else row for n, row in enumerate(rows)]
        found[0].append(
            [
                None
                if row is None or n < 0
                else value_of(figure, cells.added([(n, keys) for keys in row]), covered[n])
                for row in of
                for n in numbers
            ]
        )
        found[1].append(
            [None if row is None else total_of(cells, figure, row, covered, sum(covered)) for row in of]
        )
        total = total_of(cells, figure, cells.groups(), covered, sum(covered)) if asked.has_totals else None
        found[2].append([total])
    return found


def put_figures(message: Any, columns: Sequence[TrafficColumn], figures: Figures) -> None:
    for asked, *values in zip(columns, *figures, strict=True):
        for field_of, of_list in zip(
            (message.columns, message.group_totals, message.totals), values, strict=True
        ):
            field_of.append(column_message(asked, of_list))


def change(figure: Figure, now: Any, then: Any) -> float:
    """In percent; amounts are exact, and doubles those of the answer."""
    if figure.form == "peak_at" or now is None or then is None:
        return float("nan")
    if isinstance(now, float):
        return 100.0 * (now - then) / then if then else float("nan")
    now, then = Fraction(now), Fraction(then)
    return float(100 * (now - then) / then) if then else float("nan")


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
