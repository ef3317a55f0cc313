"""The bins of a scan in SQL: from the edges alone, whatever zone and calendar they are of.

The times of the first and of the last bin may lie anywhere; most often a range cuts these bins off. The edges
between are multiples of a step, counted from the second edge, so that a time has a number of steps. If these
edges are one step apart, the number of steps is that of the bin. Otherwise it is looked up by binary search.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pegcount.store.clickhouse.wire.bound_values import BoundValues

_LISTED_STEP_COUNT_MAX: Final = 10_000
"""Numbers of one list: with up to 10 digits each, it fits into one field of a form."""


@dataclass(frozen=True, slots=True)
class BinColumns:
    """How SQL finds the bin of a row."""

    condition: str
    """Whether a row is in any bin."""
    group: str
    """An expression of a row, which is the same for all rows of a bin and for no others."""
    number: str
    """The number of the bin, an expression of `group`, which it calls `bin_group`."""


def bin_columns(
    edge_us: NDArray[np.int64] | None, unit_us: int, bound: BoundValues, column: str = "setup_time"
) -> BinColumns:
    """Returns the bins of a scan; without bins, no row is in one.

    Times are those of a column, compared as `intDiv(column, unit_us)`, of which all edges must be multiples;
    a unit of 1 is the time itself. A projection has times in units.
    """
    if edge_us is None:
        return BinColumns("1", "0", "bin_group")
    if len(edge_us) < 2:
        return BinColumns("0", "0", "bin_group")
    time = column if unit_us == 1 else f"intDiv({column}, {unit_us})"
    edges = [int(edge) // unit_us for edge in edge_us]
    condition = f"{time} >= {bound.integer(edges[0])} AND {time} < {bound.integer(edges[-1])}"
    if len(edges) == 2:
        return BinColumns(condition, "0", "bin_group")
    base, step, starts = _steps(edges)
    steps = f"intDiv({time} - {bound.integer(base)}, {bound.integer(step)})"
    if starts[-1] - starts[1] == len(starts) - 2:
        return BinColumns(condition, _evenly(steps, starts[1] - 1, len(starts) - 1, bound), "bin_group")
    parts = [starts[n : n + _LISTED_STEP_COUNT_MAX] for n in range(0, len(starts), _LISTED_STEP_COUNT_MAX)]
    lists = [bound.integers(part) for part in parts]
    bounds = [bound.integer(part[0]) for part in parts[1:]]
    group = _by_part(steps, bounds, [f"roundDown({steps}, {values})" for values in lists])
    numbers = [
        f"transform(bin_group, {values}, range({first}, {first + len(part)}), toUInt64(0))"
        for values, part, first in zip(
            lists, parts, range(0, len(starts), _LISTED_STEP_COUNT_MAX), strict=True
        )
    ]
    return BinColumns(condition, group, _by_part("bin_group", bounds, numbers))


def are_multiples(edge_us: NDArray[np.int64] | None, unit_us: int) -> bool:
    """Returns whether each edge is a multiple of a unit, so that no unit lies in two bins."""
    return edge_us is None or not np.any(edge_us % unit_us)


def _steps(edges: Sequence[int]) -> tuple[int, int, list[int]]:
    """Returns a time not after the first edge, the step, and the first step of each bin from this time on."""
    inner = edges[1:-1]
    step = int(np.gcd.reduce(np.diff(inner))) if len(inner) > 1 else edges[1] - edges[0]
    base = inner[0] - -(-(inner[0] - edges[0]) // step) * step
    return base, step, [0, *((edge - base) // step for edge in inner)]


def _evenly(steps: str, surplus: int, last: int, bound: BoundValues) -> str:
    """The bin where all others than the first and the last are one step wide.

    `surplus` are the steps of the first bin beyond one. A last bin of many steps ends at `last`.
    """
    shifted = f"greatest({steps} - {bound.integer(surplus)}, 0)" if surplus else steps
    return f"least({shifted}, {bound.integer(last)})"


def _by_part(value: str, bounds: Sequence[str], expressions: Sequence[str]) -> str:
    """The expression of the part that a value lies in; `bounds` are the first values of the others."""
    if not bounds:
        return expressions[0]
    cases = [f"{value} < {bound}, {of}" for bound, of in zip(bounds, expressions[:-1], strict=True)]
    return f"multiIf({', '.join(cases)}, {expressions[-1]})"
