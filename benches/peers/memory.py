"""Read bandwidth of memory, anonymous memory of the process, and the page cache."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

READ_BYTES = 2_000_000_000
THREADS = 2
_ROUNDS = 5


def read_bytes_per_second(size: int = READ_BYTES) -> float:
    """Returns the best of several ways to read a large array once with two threads."""
    numbers = np.ones(size // 8, np.int64)
    shares = np.array_split(numbers, THREADS)
    arrow = [pa.array(share) for share in shares]
    readers: list[tuple[Callable[[Any], Any], list[Any]]] = [
        (np.sum, shares),
        (np.bitwise_or.reduce, shares),
        (np.max, shares),
        (pc.sum, arrow),
    ]
    with ThreadPoolExecutor(THREADS) as threads:
        return max(
            numbers.nbytes / _seconds(lambda: list(threads.map(read, shares_of_kind)))  # noqa: B023
            for read, shares_of_kind in readers
            for _ in range(_ROUNDS)
        )


def anonymous_bytes() -> int:
    """Returns the anonymous memory of this process, i.e. memory not backed by a file."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    (kilobytes,) = [int(line.split()[1]) for line in lines if line.startswith("Anonymous:")]
    return kilobytes * 1024


def drop_page_cache() -> bool:
    """Drops the page cache; returns False without the permission to do so."""
    # Dirty pages would otherwise stay in the cache.
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("1", encoding="ascii")
    except OSError:
        return False
    return True


def _seconds(work: Callable[[], object]) -> float:
    start_time = time.perf_counter()
    work()
    return time.perf_counter() - start_time
