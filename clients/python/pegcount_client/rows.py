"""The rows of a report: made one by one when they are read, from columns that convert as a whole."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from pegcount_client import frames
from pegcount_client.columns import Column, Value
from pegcount_client.suggestions import unknown_name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped]

RowT = TypeVar("RowT")


class Convertible(ABC):
    """Has typed columns, and converts them. The type of a column never depends on its values."""

    @property
    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """The columns, of equal length."""

    def to_numpy(self) -> "dict[str, np.ndarray[Any, Any]]":
        """Returns an array per column.

        Times are datetime64[us] in UTC with NaT for none, days datetime64[D], whole numbers int64, masked
        (`numpy.ma`) where a value may be absent, ratios float64 with NaN for none, texts objects with None.
        Raises ImportError without numpy.
        """
        return frames.to_numpy(self.columns)

    def to_arrow(self) -> "pa.Table":
        """Returns an Arrow table, with null for what is absent.

        Times are timestamp[us] in the zone of the report, days date32, whole numbers int64, ratios double,
        texts string. Raises ImportError without pyarrow.
        """
        return frames.to_arrow(self.columns)

    def to_pandas(self) -> "pd.DataFrame":
        """Returns a pandas frame.

        Times are datetime64[us] in the zone of the report, days objects (`datetime.date`), whole numbers
        int64, or Int64 where a value may be absent, ratios float64 with NaN for none, texts string. Raises
        ImportError without pandas, UnknownZoneError if this machine does not know the zone.
        """
        return frames.to_pandas(self.columns)

    def to_polars(self) -> "pl.DataFrame":
        """Returns a polars frame, with null for what is absent.

        Times are Datetime("us") in the zone of the report, days Date, whole numbers Int64, ratios Float64,
        texts String. Raises ImportError without polars.
        """
        return frames.to_polars(self.columns)


class Rows(Convertible, Sequence[RowT], Generic[RowT]):
    """An immutable sequence of rows. Reading a row makes it; a slice is a sequence of rows again.

    Rows with times can be read only where the zone of the report is known, else that raises UnknownZoneError.
    """

    def __init__(self, make: Callable[..., RowT], columns: Sequence[Column]) -> None:
        lengths = {len(column.values) for column in columns}
        if len(lengths) != 1:
            raise ValueError(f"columns of one report must have equal lengths, not {sorted(lengths)}")
        self._make = make
        self._columns = tuple(columns)
        self._length = lengths.pop()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that the rows are made of."""
        return self._columns

    def column(self, name: str) -> list[Value]:
        """Returns the values of a column as rows show them. Raises ValueError for an unknown name."""
        for column in self._columns:
            if column.name == name:
                return column.row_values()
        raise ValueError(unknown_name("column", name, [column.name for column in self._columns]))

    @overload
    def __getitem__(self, index: int) -> RowT: ...

    @overload
    def __getitem__(self, index: slice) -> "Rows[RowT]": ...

    def __getitem__(self, index: "int | slice") -> "RowT | Rows[RowT]":
        if isinstance(index, slice):
            return Rows(self._make, [column.part(index) for column in self._columns])
        return self._make(*(column.row_value(index) for column in self._columns))

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[RowT]:
        return map(self._make, *(column.row_values() for column in self._columns))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Rows) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        names = ", ".join(column.name for column in self._columns)
        return f"<{self._length:,} row{'' if self._length == 1 else 's'}: {names}>"
