"""Converts columns into arrays and data frames. Each library is imported when it is asked for.

Instants are passed as whole numbers rather than as datetimes, which is exact and fast.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pegcount_client.columns import Column, Kind
from pegcount_client.times import zone_named

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped]

_NOT_A_TIME: Final = -(2**63)
"""The least int64, which numpy takes for NaT."""


def to_numpy(columns: Sequence[Column]) -> "dict[str, np.ndarray[Any, Any]]":
    """Returns an array per column; raises ImportError without numpy."""
    np = _library("numpy", "numpy")
    return {column.name: _numpy_array(np, column) for column in columns}


def to_arrow(columns: Sequence[Column]) -> "pa.Table":
    """Returns an Arrow table; raises ImportError without pyarrow."""
    pa = _library("pyarrow", "arrow")
    types = {
        Kind.DATE: pa.date32(),
        Kind.COUNT: pa.int64(),
        Kind.ID: pa.int64(),
        Kind.RATIO: pa.float64(),
        Kind.TEXT: pa.string(),
        Kind.FLAG: pa.bool_(),
    }
    arrays = {}
    for column in columns:
        is_time = column.kind is Kind.TIME
        type_ = pa.timestamp("us", tz=column.time_zone) if is_time else types[column.kind]
        # As from pandas: a NaN is a null.
        arrays[column.name] = pa.array(column.values, type=type_, from_pandas=column.kind is Kind.RATIO)
    return pa.table(arrays)


def to_pandas(columns: Sequence[Column]) -> "pd.DataFrame":
    """Returns a pandas frame; raises ImportError without pandas, UnknownZoneError for an unknown zone."""
    pd = _library("pandas", "pandas")
    np = _library("numpy", "pandas")
    return pd.DataFrame({column.name: _pandas_values(pd, np, column) for column in columns})


def to_polars(columns: Sequence[Column]) -> "pl.DataFrame":
    """Returns a polars frame; raises ImportError without polars."""
    library = _library("polars", "polars")
    frame: pl.DataFrame = library.DataFrame([_polars_series(library, column) for column in columns])
    return frame


def _library(name: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f'{name} is not installed; next step: pip install "pegcount-client[{extra}]"'
        ) from error


def _numpy_array(np: Any, column: Column) -> Any:
    return _NUMPY[column.kind](np, column.values)


def _numpy_times(np: Any, values: Sequence[int | None]) -> Any:
    filled = [_NOT_A_TIME if value is None else value for value in values] if None in values else values
    return np.array(filled, dtype=np.int64).view("datetime64[us]")


def _numpy_ids(np: Any, values: Sequence[int | None]) -> Any:
    present = np.array([value or 0 for value in values], dtype=np.int64)
    is_absent = np.array([value is None for value in values], dtype=np.bool_)
    return np.ma.masked_array(present, mask=is_absent)


def _numpy_of(dtype: str) -> Callable[[Any, Sequence[Any]], Any]:
    return lambda np, values: np.array(values, dtype=dtype)


_NUMPY: Final[dict[Kind, Callable[[Any, Sequence[Any]], Any]]] = {
    Kind.TIME: _numpy_times,
    Kind.DATE: _numpy_of("datetime64[D]"),
    Kind.COUNT: _numpy_of("int64"),
    Kind.ID: _numpy_ids,
    Kind.RATIO: _numpy_of("float64"),
    Kind.TEXT: _numpy_of("object"),
    Kind.FLAG: _numpy_of("bool"),
}


def _pandas_values(pd: Any, np: Any, column: Column) -> Any:
    if column.kind is Kind.TIME:
        in_utc = pd.DatetimeIndex(_numpy_array(np, column)).tz_localize("UTC")
        return in_utc.tz_convert(zone_named(column.time_zone))
    if column.kind is Kind.DATE:
        return np.array(column.values, dtype=object)
    if column.kind is Kind.ID:
        masked = _numpy_array(np, column)
        return pd.arrays.IntegerArray(masked.data, np.ma.getmaskarray(masked))
    if column.kind is Kind.TEXT:
        # Whether pyarrow is installed must not change the type.
        return pd.array(list(column.values), dtype=pd.StringDtype("python"))
    return _numpy_array(np, column)


def _polars_series(pl: Any, column: Column) -> Any:
    types = {
        Kind.DATE: pl.Date,
        Kind.COUNT: pl.Int64,
        Kind.ID: pl.Int64,
        Kind.RATIO: pl.Float64,
        Kind.TEXT: pl.String,
        Kind.FLAG: pl.Boolean,
    }
    if column.kind is Kind.TIME:
        since_1970 = pl.Series(column.name, column.values, dtype=pl.Int64)
        return since_1970.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(column.time_zone)
    series = pl.Series(column.name, column.values, dtype=types[column.kind])
    return series.fill_nan(None) if column.kind is Kind.RATIO else series
