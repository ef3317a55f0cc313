"""Evaluates the measures of intervals of a `TrafficScan`, interval by interval and bin by bin."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from pegcount.traffic import INTERVALS, TrafficMeasure, TrafficScan

from conformance.memory_rows import Row

Pieces = dict[str, list[tuple[int, int]]]
"""The parts of intervals that lie within a bin, start and end, by the name of the interval."""
_STARTS = {"talk": "answer_time", "seized": "setup_time"}


def intervals_of(scan: TrafficScan) -> set[str]:
    """Returns the names of the intervals that a scan measures."""
    return {measure.what for measure in scan.measures if measure.how in INTERVALS}


def pieces_of(scan: TrafficScan, rows: Iterable[tuple[Row, Any]]) -> dict[tuple[int, Any], Pieces]:
    """Returns the parts of intervals by bin and group; `rows` have their group."""
    found: dict[tuple[int, Any], Pieces] = {}
    edge_us = scan.edge_us.tolist()
    bins = list(enumerate(pairwise(edge_us)))
    for row, group in rows:
        end_us = row.get("end_time", scan.now_us)
        for name in intervals_of(scan):
            start_us = row.get(_STARTS[name])
            if start_us is None or start_us >= end_us:
                continue
            for number, (first_us, last_us) in bins[max(0, bisect_right(edge_us, start_us) - 1) :]:
                if end_us <= first_us:
                    break
                piece = max(start_us, first_us), min(end_us, last_us)
                found.setdefault((number, group), {}).setdefault(name, []).append(piece)
    return found


def measured_pieces(measure: TrafficMeasure, pieces: Pieces) -> int | list[tuple[int, int]]:
    """Returns the value of a measure of intervals over the parts of a cell."""
    own = pieces.get(measure.what, [])
    if measure.how == "occupied":
        return sum(end_us - start_us for start_us, end_us in own)
    changes: Counter[int] = Counter()
    for start_us, end_us in own:
        changes[start_us] += 1
        changes[end_us] -= 1
    return sorted((at_us, change) for at_us, change in changes.items() if change)
