"""Number of examples and the seed of a run.

`PEGCOUNT_EXAMPLES` is the total number of requests, over all four reports, that are compared with the
oracle; the other properties scale with it. `PEGCOUNT_SEED` determines everything that is drawn: two runs
with one seed draw the same. Its default is 1 for a run of default size; a longer run draws a new seed and
prints it. Requests come in independent chunks, so that an interrupted run can be continued:
`PEGCOUNT_CHUNK_FIRST` skips the chunks that an earlier run with the same seed has completed.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings

DEFAULT_COUNT = 2_000
COUNT = int(os.environ.get("PEGCOUNT_EXAMPLES", DEFAULT_COUNT))
_FRESH_SEED = 1 if COUNT == DEFAULT_COUNT else secrets.randbelow(10**9)
# pytest-xdist workers inherit the environment, hence the seed of the parent process.
SEED = int(os.environ.setdefault("PEGCOUNT_SEED", str(_FRESH_SEED)))
CHUNK_FIRST = int(os.environ.get("PEGCOUNT_CHUNK_FIRST", "0"))
CHUNK_REQUEST_COUNT = 400
"""Requests per test case: few enough to repeat quickly, enough to amortize the start."""
CHUNKS = range(CHUNK_FIRST, CHUNK_FIRST + -(-COUNT // CHUNK_REQUEST_COUNT))


@dataclass
class Tally:
    """Counts of the requests of a test so far."""

    requests: int = 0
    refused: int = 0
    with_figures: int = 0


def drawn(example_count: int, name: str = "", chunk: int = 0) -> Callable[[Any], Any]:
    """Decorates a property to run this many examples, all determined by seed, name and chunk."""

    def decorate(function: Any) -> Any:
        seeded = hypothesis.seed(f"{SEED} {name or function.__name__} {chunk}")(function)
        return settings(
            max_examples=example_count,
            deadline=None,
            database=None,
            print_blob=False,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )(seeded)

    return decorate


def scaled(example_count: int) -> int:
    """Scales the example count of other properties with the run, by at most ten."""
    return max(1, example_count * min(COUNT, 10 * DEFAULT_COUNT) // DEFAULT_COUNT)
