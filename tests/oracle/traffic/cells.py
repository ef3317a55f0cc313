"""What counts in a range, by bin and group."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from pegcount.config import Config
from pegcount.v1 import records_pb2, reports_pb2, traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficRequest

from oracle import calendar
from oracle.records import Session

from . import figures, occupancy
from .dimensions import Reading, Value, field_of, key_of, satisfies
from .occupancy import Span
from .opening import Opening

Key = tuple[Value, ...]

WIDTHS_S = {"hour_of_day": 3600, "weekday": calendar.DAY_S}
"""The local times, each with how long one of its values lasts."""


@dataclass(frozen=True)
class Bins:
    """Calendar bins, clipped to a range: the bins of a request without granularity are its range."""

    edges: Sequence[int]
    from_us: int
    end_us: int
    open: Sequence[Span] | None = None
    """The hours that count, ascending and apart; None: all."""

    @property
    def range(self) -> Span:
        return self.from_us, self.end_us

    @property
    def covered_us(self) -> list[int]:
        clipped = [(max(start, self.from_us), min(end, self.end_us)) for start, end in pairwise(self.edges)]
        if self.open is None:
            return [end - start for start, end in clipped]
        return [
            sum(max(0, min(end, closes) - max(start, opens)) for opens, closes in self.open)
            for start, end in clipped
        ]

    def number(self, instant_us: int) -> int:
        return bisect_right(self.edges, instant_us) - 1

    def is_open(self, instant_us: int) -> bool:
        if self.open is None:
            return True
        place = bisect_right(self.open, (instant_us, self.end_us + 1)) - 1
        return place >= 0 and instant_us < self.open[place][1]


@dataclass
class Cell:
    """What one bin of one group has."""

    calls: list[Session] = field(default_factory=list)
    """Those that have ended, in the bin of their setup."""
    spans: dict[int, list[Span]] = field(default_factory=dict)
    """Times within the bin at which calls occupy a line, by occupancy."""

    def __bool__(self) -> bool:
        return bool(self.calls or any(self.spans.values()))

    def add(self, other: "Cell") -> None:
        self.calls += other.calls
        for kind, spans in other.spans.items():
            self.spans.setdefault(kind, []).extend(spans)


@dataclass(frozen=True)
class Group:
    """The cells of a group by bin."""

    key: Key
    bins: list[Cell]
    is_other: bool = False
    """Whether it is several groups together."""

    @property
    def calls(self) -> list[Session]:
        return [call for cell in self.bins for call in cell.calls]


def together(groups: Sequence[Group], bin_count: int) -> Group:
    """Returns all groups as one."""
    cells = [Cell() for _ in range(bin_count)]
    for group in groups:
        for cell, other in zip(cells, group.bins, strict=True):
            cell.add(other)
    return Group((), cells, is_other=True)


@dataclass(frozen=True)
class Counting:
    """How the calls of a request are counted at one instant."""

    request: QueryTrafficRequest
    reading: Reading
    now_us: int
    config: Config

    def bins(self, edges: Sequence[int], from_us: int, end_us: int) -> Bins:
        """Returns the bins with these calendar edges, clipped to a range and to the open hours."""
        if not self.request.HasField("open_hours"):
            return Bins(edges, from_us, end_us)
        opening = Opening(self.request.open_hours, self.reading.zone)
        return Bins(edges, from_us, end_us, opening.spans((from_us, end_us)) if edges else [])

    def groups(self, sessions: Sequence[Session], bins: Bins) -> list[Group]:
        """Returns all groups in the order of their keys, absent values last."""
        empty = len(bins.edges) - 1 if bins.edges else 0
        found: dict[Key, Group] = {}
        if not self.request.group_by:
            found[()] = Group((), [Cell() for _ in range(empty)])
        for number, key, cell in self._counted(sessions, bins):
            group = found.setdefault(key, Group(key, [Cell() for _ in range(empty)]))
            group.bins[number].add(cell)
        return [found[key] for key in sorted(found, key=_order)]

    def _counted(self, sessions: Sequence[Session], bins: Bins) -> Iterator[tuple[int, Key, Cell]]:
        if not bins.edges:
            return
        for session in sessions:
            is_within = bins.from_us <= session.setup_us < bins.end_us and bins.is_open(session.setup_us)
            if session.finished and is_within and self.matches(session):
                yield bins.number(session.setup_us), self.key(session), Cell([session])
            for kind in self.occupancies():
                for piece, span in self._pieces(session, kind, bins):
                    yield bins.number(span[0]), self.key(piece), Cell([], {kind: [span]})

    def occupancies(self) -> set[int]:
        """Returns the occupancies that the metrics are about."""
        return {
            figures.with_defaults(spec).occupancy
            for spec in self.request.metrics
            if figures.name_of(spec) in occupancy.METRICS
        }

    def occupied(self, session: Session, kind: int) -> Span | None:
        """Returns the time in which a call occupies a line, None if it never does or is abandoned."""
        if occupancy.is_abandoned(session, self.now_us, self.config.active_ttl_seconds):
            return None
        return occupancy.occupied(session, kind, self.now_us)

    def without_local_times(self) -> "Counting":
        """Returns the same without groups and filters of local times."""
        request = QueryTrafficRequest()
        request.CopyFrom(self.request)
        for specs in (request.group_by, request.filters):
            kept = [spec for spec in specs if field_of(spec.dimension) not in WIDTHS_S]
            del specs[:]
            specs.extend(kept)  # type: ignore[arg-type]
        return replace(self, request=request)

    def _pieces(self, session: Session, kind: int, bins: Bins) -> Iterator[tuple[Session, Span]]:
        """Yields the times that count of the time in which a call occupies a line.

        Each lies in one bin, and in one local hour if a request asks for these; with it comes the call as if
        it had been set up then, so that local times are those of the instants occupied.
        """
        span = self.occupied(session, kind)
        if span is None:
            return
        clipped = (max(span[0], bins.from_us), min(span[1], bins.end_us))
        for start, end in occupancy.spans_within(clipped, self._cuts(clipped, bins)):
            piece = replace(session, setup_us=start)
            if bins.is_open(start) and self.matches(piece):
                yield piece, (start, end)

    def _cuts(self, span: Span, bins: Bins) -> list[int]:
        first, last = bisect_right(bins.edges, span[0]), bisect_left(bins.edges, span[1])
        cuts = {*bins.edges[first:last]}
        if bins.open:
            before, behind = (bisect_left(bins.open, (each, each)) for each in span)
            near = bins.open[max(0, before - 1) : behind]
            cuts.update(each for opening in near for each in opening)
        if self.local_times():
            for edge in calendar.edges_from(self.reading.zone, reports_pb2.GRANULARITY_HOUR, span[0]):
                if edge >= span[1]:
                    break
                cuts.add(edge)
        return sorted(cut for cut in cuts if span[0] < cut < span[1])

    def local_times(self) -> set[str]:
        """Returns the local times, if any, that the request groups or filters by."""
        specs: list[Any] = [*self.request.group_by, *self.request.filters]
        return {field_of(spec.dimension) for spec in specs} & WIDTHS_S.keys()

    def cut_count(self, range_: Span) -> int:
        """Returns how often open hours, and local times that intervals are cut at, may change in a range."""
        widths_s = [WIDTHS_S[name] for name in self.local_times()] if self.occupancies() else []
        if self.request.HasField("open_hours"):
            widths_s += [calendar.DAY_S] * 2
        first_s, last_s = range_[0] // calendar.MICROSECONDS, -(-range_[1] // calendar.MICROSECONDS)
        return sum(
            -(-(end + offset) // width_s) - (start + offset) // width_s
            for start, end, offset in calendar.pieces(self.reading.zone, first_s, last_s)
            for width_s in widths_s
        )

    def matches(self, session: Session) -> bool:
        """Returns whether a call satisfies the request, at the local time of its setup."""
        request = self.request
        return (
            session.kind == (request.kind or records_pb2.SESSION_KIND_CALL)
            and (session.is_last_attempt or request.attempts == traffic_pb2.ATTEMPTS_ALL)
            and all(satisfies(session, asked, self.reading) for asked in request.filters)
        )

    def key(self, session: Session) -> Key:
        """Returns the group of a call."""
        return tuple(key_of(session, spec, self.reading) for spec in self.request.group_by)


def _order(key: Key) -> list[tuple[bool, int | str]]:
    return [(value is None, value if value is not None else 0) for value in key]
