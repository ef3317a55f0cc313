"""Rows are an immutable sequence that makes its rows when they are read."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from pegcount_client.columns import Column, Kind
from pegcount_client.rows import Rows


@dataclass(frozen=True)
class Row:
    name: str
    acd: float | None


NAN = float("nan")


def rows(*values: tuple[str, float]) -> Rows[Row]:
    names, ratios = zip(*values, strict=True) if values else ((), ())
    return Rows(Row, [Column("name", Kind.TEXT, tuple(names)), Column("acd", Kind.RATIO, tuple(ratios))])


THREE = rows(("a", 1.5), ("b", NAN), ("c", 0.0))


def test_rows_are_a_sequence() -> None:
    assert isinstance(THREE, Sequence)
    assert len(THREE) == 3
    assert list(THREE) == [Row("a", 1.5), Row("b", None), Row("c", 0.0)]
    assert list(reversed(THREE)) == list(THREE)[::-1]
    assert (THREE[0], THREE[-1]) == (Row("a", 1.5), Row("c", 0.0))
    assert Row("b", None) in THREE
    assert THREE.index(Row("c", 0.0)) == 2


def test_a_slice_is_rows() -> None:
    assert THREE[1:] == rows(("b", NAN), ("c", 0.0))
    assert list(THREE[::-2]) == [Row("c", 0.0), Row("a", 1.5)]
    assert len(THREE[5:]) == 0


@pytest.mark.parametrize("index", [3, -4])
def test_beyond_the_end(index: int) -> None:
    with pytest.raises(IndexError):
        THREE[index]


def test_rows_are_equal_by_value() -> None:
    assert rows(("a", NAN)) == rows(("a", float("nan")))
    assert rows(("a", 1.0)) != rows(("a", NAN))
    assert rows() == rows()
    assert rows() != []


def test_column_by_name() -> None:
    assert THREE.column("acd") == [1.5, None, 0.0]
    with pytest.raises(ValueError, match=r'unknown column "adc"; did you mean "acd"\? Allowed: name, acd'):
        THREE.column("adc")


def test_rows_say_what_they_are() -> None:
    assert repr(THREE) == "<3 rows: name, acd>"
    assert repr(THREE[:1]) == "<1 row: name, acd>"


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must have equal lengths, not \[0, 1\]"):
        Rows(Row, [Column("name", Kind.TEXT, ("a",)), Column("acd", Kind.RATIO, ())])
