"""How fast memory can be read, and how much of a process is not a mapped file."""

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
    """The fastest of a few ways to read a large array once with two threads."""
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
            numbers.nbytes / _seconds(lambda: list(threads.map(read, parts)))  # noqa: B023
            for read, parts in readers
            for _ in range(_ROUNDS)
        )


def anonymous_bytes() -> int:
    """Of this process, memory that no file is mapped to."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    (kilobytes,) = [int(line.split()[1]) for line in lines if line.startswith("Anonymous:")]
    return kilobytes * 1024


def drop_page_cache() -> bool:
    """Lets the system forget the files in memory that no process has mapped; false for one who may not."""
    # What is not written yet would stay.
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("1", encoding="ascii")
    except OSError:
        return False
    return True


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
