"""A property of which too many examples decide nothing fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import budget


def property_that_decides(decided_of_100: int) -> None:
    """Runs a property of which this many of 100 examples decide something, the others nothing."""

    @budget.drawn(100, decided_share_min=0.5)
    @given(number=st.integers(1, 100))
    def check(number: int) -> None:
        budget.require(number <= decided_of_100, "a small number")

    check()


def test_a_property_that_mostly_decides_something_passes() -> None:
    property_that_decides(90)


def test_a_property_that_mostly_decides_nothing_fails() -> None:
    with pytest.raises(AssertionError, match="'undecided': "):
        property_that_decides(20)


def test_a_property_that_fails_is_reported_as_such() -> None:
    @budget.drawn(100)
    @given(number=st.integers(1, 100))
    def check(number: int) -> None:
        assert number < 50

    with pytest.raises(AssertionError, match="50 < 50"):
        check()
