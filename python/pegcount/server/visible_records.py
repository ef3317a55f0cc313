"""The records that a caller may see: all that reports know of the store.

A data scope adds its predicates to every scan here, so that no report can forget them.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Final

import numpy as np

from pegcount import core
from pegcount.counters import Rejections
from pegcount.data_scope import DIMENSIONS, DataScope
from pegcount.errors import DataDamagedError
from pegcount.model import Measure, OneOf, Predicate, Scan
from pegcount.server.scope_predicates import scope_predicates
from pegcount.store import Store
from pegcount.traffic import TrafficScan
from pegcount.zone import US_PER_DAY

_END_DAY: Final = 84_006
"""2200-01-01 in days since 1970-01-01: every record is set up before."""
SETUP_END_US: Final = _END_DAY * US_PER_DAY
"""The same in microseconds UTC."""
_NAME_COUNT_MAX: Final = 2**31 - 1
_KNOWN_DAY_COUNT: Final = 1_000


class KnownDays:
    """Of each data scope, a UTC day on which it has records, as far as was seen. Thread-safe.

    Records may be deleted or dropped, so whoever uses such a day looks whether it still has some: to look at
    one day costs far less than to look for one.
    """

    def __init__(self) -> None:
        self._day_of: OrderedDict[DataScope, int] = OrderedDict()
        self._lock = Lock()

    def get(self, scope: DataScope) -> int | None:
        """Returns the day in days since 1970-01-01, None if none is known."""
        return self._day_of.get(scope)

    def put(self, scope: DataScope, day: int) -> None:
        """Notes a day; the scope that was noted first gives way if there are many."""
        with self._lock:
            self._day_of[scope] = day
            if len(self._day_of) > _KNOWN_DAY_COUNT:
                self._day_of.popitem(last=False)


class VisibleRecords:
    """The records of a store within a data scope.

    Without a data scope it passes everything on to the store. All methods raise what the methods of `Store`
    with the same names raise.
    """

    def __init__(
        self,
        store: Store,
        data_scope: DataScope | None = None,
        known_days: KnownDays | None = None,
        note_rows: Callable[[int], None] = lambda row_count: None,
    ) -> None:
        """`data_scope` of None is all records; `known_days` are those that all callers of a store share.

        `note_rows` gets the rows that each scan has read, but not those of `any_match`.
        """
        self._store = store
        self._note_rows = note_rows
        self._known_days = known_days or KnownDays()
        self._predicates = () if data_scope is None else scope_predicates(data_scope)
        self.data_scope = data_scope
        """Whose records these are; None: everybody's."""

    @property
    def session_now_us(self) -> int:
        """The time by which active sessions are abandoned; see `Store.session_now_us`."""
        return self._store.session_now_us

    def partials(self, scan: Scan, cell_count_max: int, cancel_token: core.CancelToken) -> core.Partials:
        """Returns the sums of the visible records; see `Store.partials`."""
        partials = self._store.partials(self._within(scan), cell_count_max, cancel_token)
        self._note_rows(partials.row_count)
        return partials

    def traffic_partials(
        self, scan: TrafficScan, cell_count_max: int, cancel_token: core.CancelToken
    ) -> core.TrafficPartials:
        """Returns the measures of the visible records; see `Store.traffic_partials`."""
        # Calls that occupy a line are selected apart from those that are set up.
        within = replace(
            scan,
            predicates=(*scan.predicates, *self._predicates),
            occupancy_predicates=(*scan.occupancy_predicates, *self._predicates),
        )
        partials = self._store.traffic_partials(within, cell_count_max, cancel_token)
        self._note_rows(partials.row_count)
        return partials

    def latest_setup_us(self, cancel_token: core.CancelToken) -> int | None:
        """Returns the latest setup time of all records; see `Store.latest_setup_us`.

        None with a data scope, too: when others have records is not for its caller to know.
        """
        return self._store.latest_setup_us(cancel_token) if self.data_scope is None else None

    def rejections(self) -> Rejections:
        """Returns the rejected records; see `Store.rejections`.

        With a data scope, those of its sources if it names nothing else: of a rejected record the store knows
        the source alone.
        """
        scope = self.data_scope
        if scope is None or not self._predicates:
            return self._store.rejections()
        if any(getattr(scope, each.name) for each in DIMENSIONS if each.name != "source"):
            return {}
        return {name: days for name, days in self._store.rejections().items() if name in scope.source}

    def estimate(self, scan: Scan) -> int | None:
        """Returns about how many rows `partials` would read; see `Store.estimate`."""
        return self._store.estimate(self._within(scan))

    def any_match(self, predicates: Sequence[Predicate], cancel_token: core.CancelToken) -> bool:
        """Returns whether any visible record satisfies all predicates; see `Store.any_match`."""
        return self._store.any_match((*predicates, *self._predicates), cancel_token)

    def has_value(
        self, column: str, text: str, within: tuple[Predicate, ...], cancel_token: core.CancelToken
    ) -> bool:
        """Returns whether any visible record that satisfies `within` has a text in a column.

        With a data scope, the work does not depend on whether other records have the text: whoever measured
        it would learn what others have. Raises the errors of `Store.partials`.
        """
        if not self._predicates:
            return self._store.any_match((*within, OneOf(column, (text,))), cancel_token)
        # Rollups answer for whole days only.
        scan = Scan(_edges_us(0, _END_DAY), within, (column,), Measure("sessions"))
        _, texts = self.partials(scan, _NAME_COUNT_MAX, cancel_token).keys[0]
        return text in texts

    def value_scans(self, within: tuple[Predicate, ...]) -> tuple[Scan, ...]:
        """Returns scans that read as many rows as `has_value` of three columns, and a report of them."""
        scan = Scan(None, within[:1], (), Measure("calls"))
        # Without a data scope, each search ends at the first record found.
        return (replace(scan, predicates=()),) * 3 if self._predicates else (scan,)

    def are_all_after(self, us: int, cancel_token: core.CancelToken) -> bool:
        """Returns whether there are visible records, the first of them set up on a later UTC day than `us`.

        `us` is in microseconds UTC. Returns false where a damaged file may have earlier ones. Raises
        CancelledError or DeadlineError on behalf of the token.
        """
        if not self._predicates:
            first_day = self._store.first_day(cancel_token)
            return first_day is not None and us < first_day * US_PER_DAY
        # Not from the first day of all records on: the time that this saves would tell when others begin.
        next_day = max(0, us // US_PER_DAY + 1)
        try:
            return not self._has_days(0, next_day, cancel_token) and self._has_days(
                next_day, _END_DAY, cancel_token
            )
        except DataDamagedError:
            return False

    def are_all_after_scans(self, us: int) -> tuple[Scan, ...]:
        """Returns scans that read as many rows as `are_all_after`."""
        if not self._predicates:
            return ()
        known = self._known_day()
        is_known = known is not None and known <= us // US_PER_DAY
        days = (known, known + 1) if is_known and known is not None else (0, _END_DAY)
        return (Scan(_edges_us(*days), (), (), Measure("sessions")),)

    def _has_days(self, from_day: int, to_day: int, cancel_token: core.CancelToken) -> bool:
        """Returns whether a visible record is set up in a range of UTC days, whose end is exclusive."""
        known = self._known_day()
        is_known = known is not None and from_day <= known < to_day
        if is_known and known is not None and self._first_day(known, known + 1, cancel_token) is not None:
            return True
        found = self._first_day(from_day, to_day, cancel_token)
        if found is not None and self.data_scope is not None:
            self._known_days.put(self.data_scope, found)
        return found is not None

    def _first_day(self, from_day: int, to_day: int, cancel_token: core.CancelToken) -> int | None:
        """Returns the first UTC day of a range on which a visible record is set up."""
        if from_day >= to_day:
            return None
        edge_us = np.arange(from_day, to_day + 1, dtype=np.int64) * US_PER_DAY
        scan = Scan(edge_us, (), (), Measure("sessions"))
        days = self.partials(scan, to_day - from_day, cancel_token).sums[:, 0].nonzero()[0]
        return from_day + int(days[0]) if len(days) else None

    def _known_day(self) -> int | None:
        return None if self.data_scope is None else self._known_days.get(self.data_scope)

    def _within(self, scan: Scan) -> Scan:
        if not self._predicates:
            return scan
        # Those of the request come first, as they select fewer accounts.
        return replace(scan, predicates=(*scan.predicates, *self._predicates))


def _edges_us(from_day: int, to_day: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array([from_day, to_day], dtype=np.int64) * US_PER_DAY
