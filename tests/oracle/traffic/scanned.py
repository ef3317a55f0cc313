"""How many cells the scans of a question have, which a limit counts before they are put together.

Bins of a scan are cut where open hours begin or end, and with intervals also where local times change that
are grouped or filtered by: the scan of intervals knows no local times.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from oracle import calendar
from oracle.records import Session

from .cells import WIDTHS_S, Bins, Counting, Key
from .dimensions import field_of
from .occupancy import Span, spans_within

ScannedCell = tuple[int, Key]
"""A bin of the scan and a group."""


def has_local_keys(counting: Counting) -> bool:
    """Returns whether bins of the scan, instead of its keys, tell the groups apart."""
    return bool(counting.occupancies()) and any(
        field_of(spec.dimension) in WIDTHS_S for spec in counting.request.group_by
    )


def cells(
    counting: Counting, sessions: Sequence[Session], bins: Bins, *, is_whole: bool = False
) -> set[ScannedCell]:
    """Returns the cells of a scan by bin, or of the whole range, without those of a scan without keys."""
    plain = counting.without_local_times() if counting.occupancies() else counting
    if not bins.edges or not plain.request.group_by:
        return set()
    edges = _edges(counting, bins, is_whole=is_whole)
    found = set[ScannedCell]()
    for session in sessions:
        if not plain.matches(session):
            continue
        if session.finished and bins.from_us <= session.setup_us < bins.end_us:
            found.add((bisect_right(edges, session.setup_us), plain.key(session)))
        for kind in counting.occupancies():
            for start, _ in _pieces(counting, session, kind, edges):
                found.add((bisect_right(edges, start), plain.key(session)))
    return found


def _pieces(counting: Counting, session: Session, kind: int, edges: Sequence[int]) -> Sequence[Span]:
    span = counting.occupied(session, kind)
    if span is None:
        return ()
    clipped = (max(span[0], edges[0]), min(span[1], edges[-1]))
    first, last = bisect_right(edges, clipped[0]), bisect_left(edges, clipped[1])
    return list(spans_within(clipped, edges[first:last]))


def _edges(counting: Counting, bins: Bins, *, is_whole: bool) -> list[int]:
    inner = [] if is_whole else bins.edges
    cuts = {edge for edge in inner if bins.from_us < edge < bins.end_us} | {bins.from_us, bins.end_us}
    cuts.update(each for opening in bins.open or () for each in opening)
    if counting.occupancies():
        for name in counting.local_times():
            cuts.update(_clock_edges(counting.reading.zone, WIDTHS_S[name], bins.range))
    return sorted(cuts)


def _clock_edges(zone: str, width_s: int, range_: Span) -> list[int]:
    """Returns the instants within a range at which the clock shows a multiple of a width, or is set."""
    first_s, last_s = range_[0] // calendar.MICROSECONDS, -(-range_[1] // calendar.MICROSECONDS)
    found = set[int]()
    for start, end, offset in calendar.pieces(zone, first_s, last_s):
        first = -(-(start + offset) // width_s) * width_s - offset
        found.update((start, *range(first, end, width_s)))
    instants = (each * calendar.MICROSECONDS for each in found)
    return [each for each in instants if range_[0] < each < range_[1]]
