"""What a figure depends on besides the code: machine, disk and commit."""

import os
import platform
import statistics
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

FLUSHED_BYTES = 400_000
FLUSHES = 30
_MEASURED = ("python", "rust", "proto", "benches")


def facts(directory: Path) -> str:
    """Returns one line with cores, processor, Python, commit, and the cost of a flush in a directory."""
    flush = f"{FLUSHED_BYTES // 1_000} kB appended and flushed in {_flush_ms(directory):.2f} ms"
    cores, python = len(os.sched_getaffinity(0)), platform.python_version()
    return f"{cores} cores, {_processor()}, Python {python}, commit {_commit()}, {flush}"


def today() -> str:
    """Returns the current date in UTC."""
    return datetime.now(UTC).date().isoformat()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    commit = _git("rev-parse", "--short", "HEAD")
    if not commit:
        return "unknown"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *_MEASURED)
    return f"{commit} with changes" if changed else commit


def _git(*arguments: str) -> str:
    root = Path(__file__).parents[1]
    return subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False, timeout=30
    ).stdout.strip()


def _flush_ms(directory: Path) -> float:
    path, content = directory / "flushed", os.urandom(FLUSHED_BYTES)
    times_ms = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FLUSHES):
            start_time = time.perf_counter()
            file.write(content)
            os.fdatasync(file.fileno())
            times_ms.append((time.perf_counter() - start_time) * 1_000)
    path.unlink()
    return statistics.median(times_ms)
