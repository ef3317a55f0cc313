"""How many requests a run asks of each engine.

`PEGCOUNT_EXAMPLES` is that number, `PEGCOUNT_SEED` decides which they are.
"""

import os

from properties.budget import SEED

__all__ = ["CHUNKS", "CHUNK_REQUEST_COUNT", "COUNT", "SEED"]

COUNT = int(os.environ.get("PEGCOUNT_EXAMPLES", "800"))
CHUNK_REQUEST_COUNT = 80
"""Requests of one test case: ten worlds. More of one seed hypothesis would draw by varying the first ten."""
CHUNKS = range(-(-COUNT // CHUNK_REQUEST_COUNT))
