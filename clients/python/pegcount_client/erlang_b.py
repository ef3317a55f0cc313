"""Erlang B (ITU-T E.501): how many lines a traffic needs, if calls that find none are lost.

With A erlangs offered to n lines, the share of lost calls is B(0) = 1,
B(n) = A * B(n - 1) / (n + A * B(n - 1)).
"""

import math
from collections.abc import Iterator
from typing import Any, Final

from pegcount_client.arguments import whole_number

LINE_COUNT_MAX: Final = 100_000
"""Lines that a question may be about; more than a site has, and answered within a second."""


def blocking(traffic_erlangs: float, line_count: int) -> float:
    """Returns the share of calls that find no free line, 0 to 1.

    Raises ValueError for a traffic below 0 or not finite, and for lines not within 0 to `LINE_COUNT_MAX`.

    >>> blocking(2, 5)
    0.03669724770642202
    """
    _check_traffic(traffic_erlangs)
    _check_lines(line_count, 0)
    return _blocking(traffic_erlangs, line_count)


def lines_for(traffic_erlangs: float, blocking_max: float) -> int:
    """Returns the least number of lines that lose at most this share of the calls, more than 0 and below 1.

    Raises ValueError for values out of range, and where `LINE_COUNT_MAX` lines are too few.

    >>> lines_for(100 / 3, 0.01)
    45
    """
    _check_traffic(traffic_erlangs)
    _check_blocking(blocking_max)
    for line_count, share in enumerate(_shares(traffic_erlangs)):
        if share <= blocking_max:
            return line_count
    raise ValueError(
        f"{traffic_erlangs:g} erlangs at a blocking of {blocking_max:g} need more than the {LINE_COUNT_MAX:,}"
        " lines that this computes; next step: ask for a part of the traffic, or for more blocking"
    )


def traffic_for(line_count: int, blocking_max: float) -> float:
    """Returns the greatest traffic in erlangs of which these lines lose at most this share.

    Raises ValueError for lines not within 1 to `LINE_COUNT_MAX`, and for a share not between 0 and 1.

    >>> round(traffic_for(15, 0.01), 3)
    8.108
    """
    _check_lines(line_count, 1)
    _check_blocking(blocking_max)
    # Carried traffic, A * (1 - B), is at most the number of lines. Blocking grows with traffic.
    low, high = 0.0, line_count / (1 - blocking_max)
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _blocking(middle, line_count) <= blocking_max else (low, middle)
    return low


def _shares(traffic_erlangs: float) -> Iterator[float]:
    """Yields the share of lost calls for 0 lines, 1 line, and so on."""
    share = 1.0
    yield share
    for line_count in range(1, LINE_COUNT_MAX + 1):
        offered = traffic_erlangs * share
        share = offered / (line_count + offered)
        yield share


def _blocking(traffic_erlangs: float, line_count: int) -> float:
    share = 1.0
    for number in range(1, line_count + 1):
        offered = traffic_erlangs * share
        share = offered / (number + offered)
    return share


def _check_traffic(value: Any) -> None:
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"traffic is a number of erlangs, 0 or more, such as 33.3, not {value!r}")


def _check_blocking(value: Any) -> None:
    if not 0 < value < 1:
        raise ValueError(
            f"blocking is a share of the calls, more than 0 and less than 1, such as 0.01, not {value!r}"
        )


def _check_lines(value: Any, least: int) -> None:
    if not least <= whole_number("lines", value) <= LINE_COUNT_MAX:
        raise ValueError(f"lines are a whole number within {least} to {LINE_COUNT_MAX:,}, not {value!r}")
