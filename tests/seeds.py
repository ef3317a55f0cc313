"""The one seed of a run, from which every random test draws.

`PEGCOUNT_SEED` gives it; otherwise each run draws a new one. The header of a run and the summary of a failed
one print it, so that a failure can be repeated.
"""

import os
import random
import secrets

IS_GIVEN = "PEGCOUNT_SEED" in os.environ

# Workers of pytest-xdist and started processes inherit the environment, hence the seed that was drawn here.
_DRAWN = os.environ.setdefault("PEGCOUNT_DRAWN_SEED", str(secrets.randbelow(10**9)))

SEED = int(os.environ.get("PEGCOUNT_SEED", _DRAWN))


def chance(*names: object) -> random.Random:
    """Returns a generator that the seed of the run and these names determine."""
    return random.Random("/".join(map(str, (SEED, *names))))
