"""Seeded calls as columns of codes: thirty days with a daily curve, some late, some sent twice.

Chunk by chunk, so that any number of them fits in memory. The same for the same count and seed.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pegcount.zone import US_PER_DAY, US_PER_SECOND

from peers import dimensions
from peers.dimensions import zipf

FROM_US = 1_772_323_200_000_000
"""2026-03-01T00:00:00Z, when the traffic begins."""
DAYS = 30
NOW_US = FROM_US + (DAYS + 1) * US_PER_DAY
"""When everything is asked; the active sessions began in the hour before."""
CHUNK_ROWS = 250_000
ANSWERED = 0.55
TALK_SECONDS_MEAN = 180.0
RING_SECONDS_MAX = 30
LATE = 0.01
AGAIN = 0.005
AGAIN_AFTER_US = 600 * US_PER_SECOND
"""How long after the first a record is sent a second time at most."""
ROUTES_PER_CLIENT = 20
"""Of an active session; with all clients these are 10,000 groups."""
ABSENT = -1

CODES = tuple(dimensions.DIMENSIONS)
CALL = np.dtype(
    [(name, np.int64) for name in ("number", "setup_us", "answer_us", "end_us", "arrival_us")]
    + [(name, np.int32) for name in (*CODES, "price")]
    + [("again", np.bool_)]
)
"""One sending of a call. `number` is its own, `again` marks the second sending."""

Calls = NDArray[np.void]
Random = np.random.Generator

_ACCOUNT_SHARE = zipf(dimensions.ACCOUNT_COUNT, 1.3)
_APP_SHARE = zipf(dimensions.APP_COUNT, 1.5)
_COUNTRY_SHARE = zipf(dimensions.COUNTRY_COUNT, 1.0)
_CLIENT_SHARE = zipf(dimensions.ACCOUNT_COUNT, 1.0)
# Most calls at three in the afternoon, a tenth of that at three in the morning.
_HOUR = np.arange(25)
_DAY_SHARE = np.concatenate([[0.0], np.cumsum(1.1 + 0.9 * np.cos((_HOUR[1:] - 15.5) * np.pi / 12))])
_DAY_SHARE /= _DAY_SHARE[-1]
_PRICE_PER_MINUTE = np.random.default_rng(7).integers(20, 1_500, dimensions.COUNTRY_COUNT)


def chunks(count: int, seed: int) -> Iterator[Calls]:
    """All sendings in the order of their arrival: `count` calls, some of them twice."""
    waiting = np.empty(0, CALL)
    for first in range(0, count, CHUNK_ROWS):
        last = min(first + CHUNK_ROWS, count)
        known = np.concatenate([waiting, _sent(first, last, count, seed)])
        until_us = int(_time_us(np.array([last / count]))[0])
        due = known["arrival_us"] < until_us if last < count else np.ones(len(known), np.bool_)
        waiting = known[~due]
        arrived = known[due]
        yield arrived[np.argsort(arrived["arrival_us"], kind="stable")]


def active(count: int, seed: int) -> Calls:
    """Calls without an end, a third of them not answered yet; their numbers are below 0."""
    chance = np.random.default_rng([seed, count])
    calls = np.zeros(count, CALL)
    calls["number"] = -1 - np.arange(count)
    calls["setup_us"] = NOW_US - chance.integers(60 * US_PER_SECOND, 3_600 * US_PER_SECOND, count)
    _fill_codes(calls, chance)
    calls["account"] = _drawn(_CLIENT_SHARE, count, chance)
    way = calls["account"].astype(np.int64) * ROUTES_PER_CLIENT + chance.integers(
        ROUTES_PER_CLIENT, size=count
    )
    calls["route"] = way * 1_009 % len(dimensions.DIMENSIONS["route"])
    answer_us = calls["setup_us"] + chance.integers(US_PER_SECOND, RING_SECONDS_MAX * US_PER_SECOND, count)
    calls["answer_us"] = np.where(chance.random(count) < 2 / 3, answer_us, ABSENT)
    calls["end_us"] = ABSENT
    return calls


def _sent(first: int, last: int, count: int, seed: int) -> Calls:
    """The calls of these numbers and, after them, those that are sent again."""
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
    """When the calls at these positions are set up; positions go from 0 to 1 over the thirty days."""
    day, share = np.divmod(position * DAYS, 1)
    hours = day * 24 + np.interp(share, _DAY_SHARE, _HOUR)
    return np.asarray(FROM_US + (hours * (3_600 * US_PER_SECOND)).astype(np.int64))


def _fill_codes(calls: Calls, chance: Random) -> None:
    """Who calls whom."""
    rows = len(calls)
    calls["account"] = _drawn(_ACCOUNT_SHARE, rows, chance)
    of_account = chance.integers(dimensions.ADDRESSES_PER_ACCOUNT, size=rows)
    calls["address"] = calls["account"] * dimensions.ADDRESSES_PER_ACCOUNT + of_account
    apps = _drawn(_APP_SHARE, rows, chance)
    calls["application"] = apps * dimensions.COMP_COUNT + chance.integers(dimensions.COMP_COUNT, size=rows)
    for name in ("agent", "route"):
        calls[name] = chance.integers(len(dimensions.DIMENSIONS[name]), size=rows)
    for name, per_country in (
        ("caller", dimensions.CALLER_PER_COUNTRY),
        ("called", dimensions.CALLED_PER_COUNTRY),
    ):
        countries = _drawn(_COUNTRY_SHARE, rows, chance)
        calls[name] = countries * per_country + chance.integers(per_country, size=rows)


def _fill_course(calls: Calls, chance: Random) -> None:
    """Answer, end, cause and price."""
    rows = len(calls)
    answered = chance.random(rows) < ANSWERED
    rung_us = calls["setup_us"] + chance.integers(US_PER_SECOND, RING_SECONDS_MAX * US_PER_SECOND, rows)
    talk_us = (chance.exponential(TALK_SECONDS_MEAN * US_PER_SECOND, rows)).astype(np.int64) * answered
    calls["answer_us"] = np.where(answered, rung_us, ABSENT)
    calls["end_us"] = rung_us + talk_us
    picked = _drawn(np.cumsum(dimensions.ANSWERED_SHARES), rows, chance)
    missed = _drawn(np.cumsum(dimensions.UNANSWERED_SHARES), rows, chance) + len(dimensions.ANSWERED_CAUSES)
    calls["cause"] = np.where(answered, picked, missed)
    per_minute = _PRICE_PER_MINUTE[calls["called"] // dimensions.CALLED_PER_COUNTRY]
    calls["price"] = np.minimum(per_minute * talk_us // (60 * US_PER_SECOND), dimensions.PRICE_MAX)


def _drawn(share: NDArray[np.float64], rows: int, chance: Random) -> NDArray[np.int64]:
    """Ranks drawn by their shares."""
    # Rounding may leave the last sum a little below 1.
    return np.asarray(np.minimum(np.searchsorted(share, chance.random(rows), "right"), len(share) - 1))
