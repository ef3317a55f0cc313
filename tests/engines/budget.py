"""Number of requests per engine in a run.

`PEGCOUNT_EXAMPLES` is the number, `PEGCOUNT_SEED` determines the requests.
"""

import os

COUNT = int(os.environ.get("PEGCOUNT_EXAMPLES", "800"))
CHUNK_REQUEST_COUNT = 80
"""Requests per test case: ten worlds. For more worlds per seed, Hypothesis would mutate the first ten."""
CHUNKS = range(-(-COUNT // CHUNK_REQUEST_COUNT))
