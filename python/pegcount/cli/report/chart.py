"""Bars and lines over time, drawn by plotext."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotext  # type: ignore[import-untyped]

from pegcount.cli.report.text_lines import wrapped

_TICK_CELLS: Final = 16
_BRAILLE: Final = "braille"
_POINT_COUNT_MAX: Final = 4_000
"""Points of one chart; a terminal has fewer cells, and drawing more takes seconds."""


@dataclass(frozen=True)
class Chart:
    """What one chart shows over the bins of a report."""

    heading: str
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
        figure.draw(figure.bar(*_points(chart.bars), marker="full", width=1))
    for x, y in _runs(chart.line or ()):
        figure.draw(figure.signal(x, y, marker=_BRAILLE).lines())
    figure.legend(False)
    figure.ruler("y").lim(0, max(*numbers, 0) or 1)
    _set_ticks(figure, chart.labels, width)
    yield from (line.rstrip() for line in figure.build().string(colorless=True).rstrip("\n").split("\n"))


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
