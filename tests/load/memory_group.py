"""A group of processes that may use a limited amount of memory: a control group of Linux, version 1 or 2."""

import os
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


class MemoryGroup:
    """An empty group within that of this process. Raises OSError if this process may not create one."""

    def __init__(self, name: str, bytes_max: int) -> None:
        parent, self._limit, self._peak = _parent()
        self._path = parent / name
        self._path.mkdir()
        try:
            (self._path / self._limit).write_text(str(bytes_max), encoding="ascii")
        except OSError:
            self.close()
            raise

    def add(self, pid: int) -> None:
        """Moves a process into the group; memory that it uses from now on counts."""
        (self._path / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def peak_bytes(self) -> int:
        """Returns the most memory that the group has used, the page cache included."""
        return int((self._path / self._peak).read_text(encoding="ascii"))

    def close(self) -> None:
        """Removes the group, of which all processes must have ended."""
        self._path.rmdir()


def _parent() -> tuple[Path, str, str]:
    """Returns the group of this process, and the files that limit the memory and tell its peak."""
    for line in Path(f"/proc/{os.getpid()}/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            group = _ROOT / "memory" / path.lstrip("/")
            parent = group if group.exists() else _ROOT / "memory"
            return parent, "memory.limit_in_bytes", "memory.max_usage_in_bytes"
    return _ROOT, "memory.max", "memory.peak"
