"""Bars and lines over time, drawn by plotext."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotext  # type: ignore[import-untyped]

from pegcount.cli.report.figures import TimeStyle
from pegcount.cli.report.figures import figure as figure_text
from pegcount.cli.report.report_table import Kind
from pegcount.cli.report.text_lines import wrapped

_TICK_CELLS: Final = 16
_BRAILLE: Final = "braille"
_BAR: Final = "░"
"""Light, so that a line over the bars stays visible without colours."""
_POINT: Final = "•"
_ROWS_PER_TICK: Final = 3


@dataclass(frozen=True)
class Chart:
    """What one chart shows over the bins of a report."""

    heading: str
    kind: Kind
    """What its values are."""
    labels: Sequence[str]
    """The start of each bin."""
    bars: Sequence[float | None] | None
    line: Sequence[float | None] | None
    """The line has a gap where a bin has no value."""


def chart_lines(chart: Chart, width: int, height: int) -> Iterator[str]:
    """Yields the lines of a chart, none wider than `width` cells."""
    yield from wrapped(chart.heading, width)
    numbers = [value for series in (chart.bars, chart.line) for value in series or () if value is not None]
    if not numbers:
        yield from wrapped("no values", width)
        return
    figure = plotext.figure
    figure.clear()
    plotext.terminal.limit(False, False)
    figure.plot_size(width, height)
    if chart.bars is not None:
        figure.draw(figure.bar(*_points(chart.bars), marker=_BAR, width=1))
    for x, y in _runs(chart.line or ()):
        figure.draw(figure.signal(x, y, marker=_BRAILLE if len(x) > 1 else _POINT).lines())
    figure.legend(False)
    _scale(figure, chart, max(*numbers, 0), height)
    _set_ticks(figure, chart.labels, width)
    yield from (line.rstrip() for line in figure.build().string(colorless=True).rstrip("\n").split("\n"))


def _scale(figure: Any, chart: Chart, greatest: float, height: int) -> None:
    """Shows values from 0 to the greatest, with ticks that are written as in the table."""
    top = greatest or 1
    count = max(1, height // _ROWS_PER_TICK - 1)
    ticks = [top * number / count for number in range(count + 1)]
    if chart.kind is Kind.COUNT:
        ticks = sorted({round(tick) for tick in ticks})
    figure.ruler("y").lim(0, top)
    figure.ruler("y").ticks(ticks, [figure_text(tick, chart.kind, TimeStyle(None)) for tick in ticks])


def _points(series: Sequence[float | None]) -> tuple[list[int], list[float]]:
    return list(range(len(series))), [value or 0.0 for value in series]


def _runs(series: Sequence[float | None]) -> Iterator[tuple[list[int], list[float]]]:
    """Yields the points between gaps; plotext ends the process when it gets a NaN."""
    x, y = list[int](), list[float]()
    for place, value in enumerate([*series, None]):
        if value is not None:
            x.append(place)
            y.append(value)
        elif x:
            yield x, y
            x, y = [], []


def _set_ticks(figure: Any, labels: Sequence[str], width: int) -> None:
    step = max(1, -(-len(labels) * _TICK_CELLS // width))
    places = list(range(0, len(labels), step))
    figure.ruler("x").ticks(places, [labels[place] for place in places])
