"""Gives memory back to the operating system that gRPC has freed.

The allocator of glibc keeps what is freed between pieces that are still in use. After a flood of calls that
may be gigabytes, although the calls have ended.
"""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pegcount.config import Config

_WAIT_FACTOR = 2
_WAIT_LOOKS_MAX = 8
"""Most looks between two tries, while the process uses all that it holds. A try can block threads that
allocate, for up to a tenth of a second per gigabyte."""
_USEFUL_BYTES = 4 * 1024 * 1024
"""Bytes that a try must give back to count as useful."""


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """The memory of this process."""

    resident_bytes: Callable[[], int]
    """Returns the bytes in memory that are not parts of files."""
    return_freed: Callable[[], object]
    """Gives back what is freed."""


class FreedMemory:
    """Gives freed memory back while the process holds more than at its start.

    After each try that gave nothing back it waits twice as long, up to 8 looks.
    """

    def __init__(self, config: Config, memory: ProcessMemory | None) -> None:
        """`memory` of None, where the allocator is another one, has `look` do nothing."""
        self._memory = memory
        self._look_seconds = config.freed_memory_look_seconds
        self._bytes_min = config.freed_memory_bytes_min
        self._look_s: float | None = None
        self._first_bytes = 0
        self._last_bytes = 0
        self._wait_looks = 1
        self._looks_to_wait = 1

    def look(self, now_s: float) -> None:
        """Gives back what is freed if that is due. `now_s` are seconds of any monotonic clock."""
        if self._memory is None or not self._is_due(now_s):
            return
        resident = self._memory.resident_bytes()
        if resident < self._first_bytes + self._bytes_min:
            self._wait_looks = self._looks_to_wait = 1
            return
        if resident >= self._last_bytes + self._bytes_min:
            self._wait_looks = self._looks_to_wait = 1
        self._looks_to_wait -= 1
        if self._looks_to_wait == 0:
            self._return(self._memory, resident)

    def _is_due(self, now_s: float) -> bool:
        if self._memory is not None and self._look_s is None:
            self._first_bytes = self._last_bytes = self._memory.resident_bytes()
            self._look_s = now_s
        if self._look_s is None or now_s < self._look_s + self._look_seconds:
            return False
        self._look_s = now_s
        return True

    def _return(self, memory: ProcessMemory, resident: int) -> None:
        memory.return_freed()
        self._last_bytes = memory.resident_bytes()
        was_useful = resident - self._last_bytes >= _USEFUL_BYTES
        self._wait_looks = 1 if was_useful else min(self._wait_looks * _WAIT_FACTOR, _WAIT_LOOKS_MAX)
        self._looks_to_wait = self._wait_looks


def process_memory() -> ProcessMemory | None:
    """Returns the memory of this process; None where glibc or Linux's `/proc` is missing."""
    statm = Path("/proc/self/statm")
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None or not statm.exists():
        return None
    page_bytes = os.sysconf("SC_PAGE_SIZE")

    def resident_bytes() -> int:
        _, resident, of_files, *_ = statm.read_text(encoding="ascii").split()
        return (int(resident) - int(of_files)) * page_bytes

    return ProcessMemory(resident_bytes, lambda: trim(ctypes.c_size_t(0)))
