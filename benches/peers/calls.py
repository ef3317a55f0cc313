"""Seeded calls as columns of dictionary codes: thirty days with a daily curve, some late, some repeated.

Generated in chunks, so that memory does not limit their number; deterministic for count and seed.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pegcount.zone import US_PER_DAY, US_PER_SECOND

from peers import dimensions
from peers.dimensions import zipf

FROM_US = 1_772_323_200_000_000
"""2026-03-01T00:00:00Z, the start of the traffic."""
DAYS = 30
NOW_US = FROM_US + (DAYS + 1) * US_PER_DAY
"""The time of all queries; the active sessions began in the hour before."""
CHUNK_ROWS = 250_000
ANSWERED = 0.55
TALK_SECONDS_MEAN = 180.0
RING_SECONDS_MAX = 30
LATE = 0.01
AGAIN = 0.005
AGAIN_AFTER_US = 600 * US_PER_SECOND
"""Maximum delay of the repetition of a record."""
ROUTES_PER_CLIENT = 20
"""Routes of active sessions per client; over all clients, these make 10,000 groups."""
ABSENT = -1

CODES = tuple(dimensions.DIMENSIONS)
CALL = np.dtype(
    [(name, np.int64) for name in ("number", "setup_us", "answer_us", "end_us", "arrival_us")]
    + [(name, np.int32) for name in (*CODES, "price")]
    + [("again", np.bool_)]
)
"""One transmission of a call. `number` identifies the call; `again` marks its repetition."""

Calls = NDArray[np.void]
Random = np.random.Generator

_ACCOUNT_SHARE = zipf(dimensions.ACCOUNT_COUNT, 1.3)
_APP_SHARE = zipf(dimensions.APP_COUNT, 1.5)
_COUNTRY_SHARE = zipf(dimensions.COUNTRY_COUNT, 1.0)
_CLIENT_SHARE = zipf(dimensions.ACCOUNT_COUNT, 1.0)
# The rate peaks at three in the afternoon; at three in the morning it is a tenth of that.
_HOUR = np.arange(25)
_DAY_SHARE = np.concatenate([[0.0], np.cumsum(1.1 + 0.9 * np.cos((_HOUR[1:] - 15.5) * np.pi / 12))])
_DAY_SHARE /= _DAY_SHARE[-1]
_PRICE_PER_MINUTE = np.random.default_rng(7).integers(20, 1_500, dimensions.COUNTRY_COUNT)


def chunks(count: int, seed: int) -> Iterator[Calls]:
    """Yields all transmissions in order of arrival: `count` calls, some of them twice."""
    not_yet_arrived = np.empty(0, CALL)
    for first in range(0, count, CHUNK_ROWS):
        last = min(first + CHUNK_ROWS, count)
        candidates = np.concatenate([not_yet_arrived, _transmissions(first, last, count, seed)])
        until_us = int(_time_us(np.array([last / count]))[0])
        due = candidates["arrival_us"] < until_us if last < count else np.ones(len(candidates), np.bool_)
        not_yet_arrived = candidates[~due]
        arrived = candidates[due]
        yield arrived[np.argsort(arrived["arrival_us"], kind="stable")]


def active(count: int, seed: int) -> Calls:
    """Generates calls without an end, a third of them unanswered, with negative numbers."""
    chance = np.random.default_rng([seed, count])
    calls = np.zeros(count, CALL)
    calls["number"] = -1 - np.arange(count)
    calls["setup_us"] = NOW_US - chance.integers(60 * US_PER_SECOND, 3_600 * US_PER_SECOND, count)
    _fill_codes(calls, chance)
    calls["account"] = _draw_ranks(_CLIENT_SHARE, count, chance)
    route = calls["account"].astype(np.int64) * ROUTES_PER_CLIENT + chance.integers(
        ROUTES_PER_CLIENT, size=count
    )
    calls["route"] = route * 1_009 % len(dimensions.DIMENSIONS["route"])
    answer_us = calls["setup_us"] + chance.integers(US_PER_SECOND, RING_SECONDS_MAX * US_PER_SECOND, count)
    calls["answer_us"] = np.where(chance.random(count) < 2 / 3, answer_us, ABSENT)
    calls["end_us"] = ABSENT
    return calls


def _transmissions(first: int, last: int, count: int, seed: int) -> Calls:
    """Generates the calls with these numbers, followed by their repetitions."""
    chance = np.random.default_rng([seed, count, first])
    calls = np.zeros(last - first, CALL)
    rows = len(calls)
    calls["number"] = np.arange(first, last)
    calls["setup_us"] = _time_us((first + chance.random(rows) * rows) / count)
    late_us = chance.integers(US_PER_DAY, size=rows)
    calls["arrival_us"] = calls["setup_us"] + np.where(chance.random(rows) < LATE, late_us, 0)
    _fill_codes(calls, chance)
    _fill_course(calls, chance)
    again = calls[chance.random(rows) < AGAIN]
    again["again"] = True
    again["arrival_us"] += chance.integers(1, AGAIN_AFTER_US, len(again))
    return np.concatenate([calls, again])


def _time_us(position: NDArray[np.float64]) -> NDArray[np.int64]:
    """Maps positions from 0 to 1 to setup times within the thirty days."""
    day, share = np.divmod(position * DAYS, 1)
    hours = day * 24 + np.interp(share, _DAY_SHARE, _HOUR)
    return np.asarray(FROM_US + (hours * (3_600 * US_PER_SECOND)).astype(np.int64))


def _fill_codes(calls: Calls, chance: Random) -> None:
    """Draws the parties, routes and other dimensions."""
    rows = len(calls)
    calls["account"] = _draw_ranks(_ACCOUNT_SHARE, rows, chance)
    of_account = chance.integers(dimensions.ADDRESSES_PER_ACCOUNT, size=rows)
    calls["address"] = calls["account"] * dimensions.ADDRESSES_PER_ACCOUNT + of_account
    apps = _draw_ranks(_APP_SHARE, rows, chance)
    calls["application"] = apps * dimensions.COMP_COUNT + chance.integers(dimensions.COMP_COUNT, size=rows)
    for name in ("agent", "route"):
        calls[name] = chance.integers(len(dimensions.DIMENSIONS[name]), size=rows)
    for name, per_country in (
        ("caller", dimensions.CALLER_PER_COUNTRY),
        ("called", dimensions.CALLED_PER_COUNTRY),
    ):
        countries = _draw_ranks(_COUNTRY_SHARE, rows, chance)
        calls[name] = countries * per_country + chance.integers(per_country, size=rows)


def _fill_course(calls: Calls, chance: Random) -> None:
    """Draws answer, end, cause and price."""
    rows = len(calls)
    answered = chance.random(rows) < ANSWERED
    ring_end_us = calls["setup_us"] + chance.integers(US_PER_SECOND, RING_SECONDS_MAX * US_PER_SECOND, rows)
    talk_us = (chance.exponential(TALK_SECONDS_MEAN * US_PER_SECOND, rows)).astype(np.int64) * answered
    calls["answer_us"] = np.where(answered, ring_end_us, ABSENT)
    calls["end_us"] = ring_end_us + talk_us
    answered_cause = _draw_ranks(np.cumsum(dimensions.ANSWERED_SHARES), rows, chance)
    unanswered_cause = _draw_ranks(np.cumsum(dimensions.UNANSWERED_SHARES), rows, chance) + len(
        dimensions.ANSWERED_CAUSES
    )
    calls["cause"] = np.where(answered, answered_cause, unanswered_cause)
    per_minute = _PRICE_PER_MINUTE[calls["called"] // dimensions.CALLED_PER_COUNTRY]
    calls["price"] = np.minimum(per_minute * talk_us // (60 * US_PER_SECOND), dimensions.PRICE_MAX)


def _draw_ranks(share: NDArray[np.float64], rows: int, chance: Random) -> NDArray[np.int64]:
    """Draws ranks with the given cumulative shares."""
    # Rounding may leave the last cumulative share slightly below 1.
    return np.asarray(np.minimum(np.searchsorted(share, chance.random(rows), "right"), len(share) - 1))
