"""Number of examples and the seed of a run.

`PEGCOUNT_EXAMPLES` is the total number of requests, over all four reports, that are compared with the
oracle; the other properties scale with it. `PEGCOUNT_SEED` determines everything that is drawn: two runs
with one seed draw the same. Requests come in independent chunks, so that an interrupted run can be continued:
`PEGCOUNT_CHUNK_FIRST` skips the chunks that an earlier run with the same seed has completed.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, assume, event, settings
from hypothesis.errors import UnsatisfiedAssumption
from seeds import SEED

_SHORT_COUNT = 1_000
"""Of `make test`: each run draws others, and `make test-long` draws a hundred times as many."""
_SCALE_COUNT = 2_000
"""Requests of a run in which the other properties have the examples that they name."""
COUNT = int(os.environ.get("PEGCOUNT_EXAMPLES", _SHORT_COUNT))
CHUNK_FIRST = int(os.environ.get("PEGCOUNT_CHUNK_FIRST", "0"))
CHUNK_REQUEST_COUNT = 400
"""Requests per test case: few enough to repeat quickly, enough to amortize the start."""
CHUNKS = range(CHUNK_FIRST, CHUNK_FIRST + -(-COUNT // CHUNK_REQUEST_COUNT))

DECIDED_SHARE_MIN = 0.2
"""Share of the examples of a property that must decide something; most properties reach 0.4."""
_COUNT_FOR_SHARE = 40
"""Fewer examples than these, of a short run, do not tell a share."""


@dataclass
class Tally:
    """Counts of the requests of a test so far."""

    requests: int = 0
    refused: int = 0
    with_figures: int = 0


def drawn(
    example_count: int, name: str = "", chunk: int = 0, *, decided_share_min: float = DECIDED_SHARE_MIN
) -> Callable[[Any], Any]:
    """Decorates a property to run this many examples, all determined by seed, name and chunk.

    At least a share of the examples must decide something, rather than fail a `require`. This replaces the
    health check of hypothesis, which looks at the first few examples only. A property of `stores` runs over
    their share of the examples; the others are drawn and not run, so it must not draw while it runs.
    """

    def decorate(function: Any) -> Any:
        seeded = hypothesis.seed(f"{SEED} {name or function.__name__} {chunk}")(function)
        limited = settings(
            max_examples=example_count,
            deadline=None,
            database=None,
            print_blob=False,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=[
                HealthCheck.too_slow,
                HealthCheck.data_too_large,
                HealthCheck.filter_too_much,
            ],
        )(seeded)
        return counted(limited, example_count, decided_share_min)

    return decorate


def require(condition: bool, what: str) -> None:
    """Discards an example that decides nothing, because it lacks something.

    With `--hypothesis-show-statistics`, a run prints how many did.
    """
    if not condition:
        event(f"decides nothing without {what}")
    assume(condition)


def counted(function: Any, example_count: int, decided_share_min: float) -> Any:
    """Wraps a property of hypothesis so that it fails where `require` discards too many of its examples."""
    tally: Counter[str] = Counter()
    inner = function.hypothesis.inner_test

    @wraps(inner)
    def example(*arguments: Any, **drawn_values: Any) -> None:
        share = getattr(drawn_values.get("stores"), "example_share", 1.0)
        # One that has failed is tried again, however many there were.
        is_enough = share < 1 and tally.total() >= max(1, example_count * share)
        if is_enough and not tally["failed"]:
            return
        try:
            inner(*arguments, **drawn_values)
        except UnsatisfiedAssumption:
            tally["undecided"] += 1
            raise
        except Exception:
            tally["failed"] += 1
            raise
        tally["decided"] += 1

    @wraps(function)
    def check(*arguments: Any, **fixtures: Any) -> None:
        tally.clear()
        function(*arguments, **fixtures)
        print(f"{tally['decided']} examples decided something, {tally['undecided']} nothing")
        if tally.total() >= _COUNT_FOR_SHARE:
            assert tally["decided"] >= decided_share_min * tally.total(), dict(tally)

    function.hypothesis.inner_test = example
    return check


def scaled(example_count: int) -> int:
    """Scales the example count of other properties with the run, by at most ten."""
    return max(1, example_count * min(COUNT, 10 * _SCALE_COUNT) // _SCALE_COUNT)
