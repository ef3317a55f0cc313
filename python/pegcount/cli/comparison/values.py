"""Values that records of a store have, so that the filters of questions match something."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from pegcount.core import CancelToken
from pegcount.errors import CellLimitError
from pegcount.model import Measure, Predicate, Present, Scan
from pegcount.store import Store

_COUNT_MAX: Final = 20
"""Values of a column to draw from: those of the most records."""
_CELL_COUNT_MAX: Final = 100_000
_SHORTENED_COUNT: Final = 8
"""How often the range is made shorter while it has too many values."""
_ABSENT: Final = -(2**63)
_ACTIVE: Final = (Present("end_time", wanted=False),)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FOLDER_COLUMNS: Final = ("company", "organization", "folder")

Value = int | str | None
"""A value of a column; None: it is absent."""


@dataclass(frozen=True, slots=True)
class Values:
    """Looks into the records of a store that are set up in a range, the end exclusive."""

    store: Store
    from_us: int
    to_us: int
    seconds_max: float

    @property
    def range(self) -> dict[str, str]:
        """The range as fields of a request."""
        return {"from_time": time_text(self.from_us), "to_time": time_text(self.to_us)}

    def of(self, *columns: str) -> list[tuple[Value, ...]]:
        """Returns the most frequent values of some columns together, of sessions of any state."""
        return self._found(columns, (), (self.from_us, self.to_us))

    def of_active(self, column: str) -> list[Value]:
        """Returns the most frequent values of a column of active sessions."""
        return [value for (value,) in self._found((column,), _ACTIVE, None)]

    def _found(
        self, columns: Sequence[str], predicates: tuple[Predicate, ...], bounds: tuple[int, int] | None
    ) -> list[tuple[Value, ...]]:
        token = CancelToken(self.seconds_max)
        for _ in range(_SHORTENED_COUNT):
            edge_us = None if bounds is None else np.array(bounds, dtype=np.int64)
            scan = Scan(edge_us, predicates, tuple(columns), Measure("sessions"))
            try:
                found = self.store.partials(scan, _CELL_COUNT_MAX, token)
            except CellLimitError:
                if bounds is None:
                    return []
                bounds = (bounds[1] - max((bounds[1] - bounds[0]) // 8, 1), bounds[1])
                continue
            order = np.argsort(-found.sums[:, 0], kind="stable")[:_COUNT_MAX]
            keys = [_values(column, order) for column in found.keys]
            return list(zip(*keys, strict=True))
        return []


def time_text(time_us: int) -> str:
    """Returns an instant as a request has it."""
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _values(column: Any, order: Any) -> list[Value]:
    if isinstance(column, tuple):
        codes, texts = column
        return [texts[code] or None for code in codes[order]]
    return [None if number == _ABSENT else number for number in column[order].tolist()]
