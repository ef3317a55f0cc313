"""How many examples a run draws, and from which seed.

`PEGCOUNT_EXAMPLES` is the number of requests, over the four reports together, that are compared with
the oracle; the other properties grow with it. `PEGCOUNT_SEED` decides all that is drawn: two runs of one
seed draw the same. Where it is not set, the usual run has seed 1 and a longer one another each time,
which is printed. Requests come in chunks that need nothing of each other, so that a run can be cut short:
`PEGCOUNT_CHUNK_FIRST` skips the chunks that an earlier run of the seed has done.
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
# Workers of pytest-xdist inherit the environment, and so draw from the seed of the process that starts them.
SEED = int(os.environ.setdefault("PEGCOUNT_SEED", str(_FRESH_SEED)))
CHUNK_FIRST = int(os.environ.get("PEGCOUNT_CHUNK_FIRST", "0"))
CHUNK_REQUEST_COUNT = 400
"""Requests of one test case: small enough to be repeated alone, large enough to start cheaply."""
CHUNKS = range(CHUNK_FIRST, CHUNK_FIRST + -(-COUNT // CHUNK_REQUEST_COUNT))


@dataclass
class Tally:
    """What a test has asked so far."""

    requests: int = 0
    refused: int = 0
    with_figures: int = 0


def drawn(example_count: int, name: str = "", chunk: int = 0) -> Callable[[Any], Any]:
    """Decorates a property: this many examples, all of them following from the seed, name and chunk."""

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


def grown(example_count: int) -> int:
    """The examples of a property that does not count as requests: at most ten times as many in a long run."""
    return max(1, example_count * min(COUNT, 10 * DEFAULT_COUNT) // DEFAULT_COUNT)
