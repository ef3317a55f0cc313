"""Erlang B: lines, traffic and lost calls, each from the other two."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from pegcount_client import erlang_b


@pytest.mark.parametrize(
    ("traffic_erlangs", "line_count", "expected"),
    [
        (1, 1, 0.5),
        (1, 2, 0.2),
        (2, 5, 0.036697),
        (100 / 3, 44, 0.013160),
        (100 / 3, 45, 0.009654),
        (0, 0, 1.0),
        (0, 3, 0.0),
        (5, 0, 1.0),
    ],
)
def test_published_shares_of_lost_calls(traffic_erlangs: float, line_count: int, expected: float) -> None:
    assert erlang_b.blocking(traffic_erlangs, line_count) == pytest.approx(expected, abs=5e-7)


def test_lines_are_the_least_that_suffice() -> None:
    assert erlang_b.lines_for(100 / 3, 0.01) == 45
    assert erlang_b.lines_for(0, 0.01) == 1
    assert erlang_b.lines_for(1, 0.5) == 1
    assert erlang_b.lines_for(1, 0.499) == 2


def test_traffic_is_the_greatest_that_suffices() -> None:
    found = erlang_b.traffic_for(15, 0.01)
    assert found == pytest.approx(8.108, abs=5e-4)
    assert erlang_b.blocking(found, 15) <= 0.01 < erlang_b.blocking(math.nextafter(found, 9), 15) + 1e-15


@pytest.mark.parametrize("line_count", [1, 2, 15, 100, 3_000])
@pytest.mark.parametrize("blocking", [1e-9, 0.01, 0.5, 0.999])
def test_lines_and_traffic_are_inverse(line_count: int, blocking: float) -> None:
    # A hair less, as the last bit of the traffic decides between two numbers of lines.
    assert (
        erlang_b.lines_for(erlang_b.traffic_for(line_count, blocking) * (1 - 1e-12), blocking) == line_count
    )


def test_the_recursion_is_the_sum_of_its_definition() -> None:
    traffic, line_count = 7.5, 12
    terms = [traffic**number / math.factorial(number) for number in range(line_count + 1)]
    assert erlang_b.blocking(traffic, line_count) == pytest.approx(terms[-1] / sum(terms), rel=1e-14)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: erlang_b.blocking(-1, 5), "traffic is a number of erlangs, 0 or more"),
        (lambda: erlang_b.blocking(math.nan, 5), "traffic is a number of erlangs"),
        (lambda: erlang_b.blocking(math.inf, 5), "traffic is a number of erlangs"),
        (lambda: erlang_b.blocking(1, -1), "within 0 to 100,000"),
        (lambda: erlang_b.blocking(1, 100_001), "within 0 to 100,000"),
        (lambda: erlang_b.lines_for(1, 0), "more than 0 and less than 1"),
        (lambda: erlang_b.lines_for(1, 1), "more than 0 and less than 1"),
        (lambda: erlang_b.lines_for(1, math.nan), "more than 0 and less than 1"),
        (lambda: erlang_b.lines_for(1e9, 0.01), "need more than the 100,000 lines"),
        (lambda: erlang_b.traffic_for(0, 0.01), "within 1 to 100,000"),
    ],
)
def test_values_out_of_range_are_refused(ask: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask()


def test_lines_are_whole() -> None:
    with pytest.raises(TypeError, match="lines is a whole number"):
        erlang_b.blocking(1, 2.5)  # type: ignore[arg-type]
