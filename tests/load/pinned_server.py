"""`pegcount serve` as a process on a core of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from waiting import wait_until

from load.entrance import Entrance
from load.guard import Guard

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES, CLIENT_CORES = {_CORES[0]}, {_CORES[-1]}
_TESTS = Path(__file__).parents[1]
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
QUIET_CORE_SHARE = 0.1
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a process in bytes, now and at its peak."""

    now: int
    peak: int


class PinnedServer:
    """A running server; the constructor returns once it accepts connections."""

    def __init__(
        self,
        directory: Path,
        log: Path,
        port: int = 0,
        open_file_max: int | None = None,
        program: Sequence[str] | None = None,
        guard: Guard | None = None,
    ) -> None:
        """`program` are the arguments of Python that run another server than `pegcount serve`."""
        self.log = log
        self._log_bytes = log.stat().st_size if log.exists() else 0
        more = [] if guard is None else guard.serve_options()
        self._process = _start(program or [*_serve(directory, port), *more], log, open_file_max)
        self.pid = self._process.pid
        try:
            self.address = self._wait_for_address()
        except BaseException:
            self.kill()
            raise
        self.port = int(self.address.rpartition(":")[2])
        self.entrance = Entrance(self.address) if guard is None else guard.entrance(self.address)
        """How clients get in."""

    def memory(self) -> Memory:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        kib = {name: int(size) for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", status, re.MULTILINE)}
        return Memory(kib["VmRSS"] * 1024, kib["VmHWM"] * 1024)

    def cpu_seconds(self) -> float:
        """Returns the processor time used so far, in user and kernel mode."""
        # The process name, in parentheses, may contain spaces. User and system time are fields 14 and 15.
        _, _, fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def wait_until_quiet(self, seconds_max: float) -> None:
        """Waits until the process uses little of its core; fails if it still works after `seconds_max`."""
        deadline = time.monotonic() + seconds_max
        while (share := self._core_share()) > QUIET_CORE_SHARE:
            assert time.monotonic() < deadline, f"the server still uses {share:.0%} of its core"

    def reset_peak(self) -> None:
        """Makes the peak of the memory begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def log_lines(self) -> list[str]:
        """Returns what this run has printed since it accepted connections."""
        with self.log.open(encoding="utf-8") as file:
            file.seek(self._log_bytes)
            lines = file.read().splitlines()
        return lines[[line.startswith("listening on ") for line in lines].index(True) + 1 :]

    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Sends SIGTERM and asserts exit code 0."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(STOP_SECONDS_MAX) == 0, self.log.read_text(encoding="utf-8")

    def kill(self) -> None:
        if self.is_running():
            self._process.kill()
        self._process.wait()

    def _core_share(self) -> float:
        """Returns the share of one core that the process uses, measured for half a second."""
        before, begin = self.cpu_seconds(), time.monotonic()
        time.sleep(0.5)
        return (self.cpu_seconds() - before) / (time.monotonic() - begin)

    def _wait_for_address(self) -> str:
        wait_until(
            lambda: self._printed_address() or not self.is_running(), "its start", START_SECONDS_MAX, 0.01
        )
        address = self._printed_address()
        assert address, f"the server did not start: {self.log.read_text(encoding='utf-8')}"
        return address

    def _printed_address(self) -> str | None:
        printed = self.log.read_bytes()[self._log_bytes :].decode()
        match = re.search(r"^listening on (.*)\n", printed, re.MULTILINE)
        return match and match[1]


@contextmanager
def serving(
    directory: Path, port: int = 0, open_file_max: int | None = None, guard: Guard | None = None
) -> Iterator[PinnedServer]:
    """Runs a server and kills it at the end of the `with` block if it still runs."""
    server = PinnedServer(directory, directory.with_suffix(".log"), port, open_file_max, guard=guard)
    try:
        yield server
    finally:
        server.kill()


def _serve(directory: Path, port: int) -> list[str]:
    return ["-m", "pegcount", "serve", "--create", "--data", str(directory), "--listen", f"127.0.0.1:{port}"]


def _start(program: Sequence[str], log_path: Path, open_file_max: int | None) -> "subprocess.Popen[bytes]":
    # Each of these commands replaces itself by the next, so that all have one pid.
    command = ["taskset", "--cpu-list", ",".join(map(str, SERVER_CORES))]
    if open_file_max is not None:
        command += ["prlimit", f"--nofile={open_file_max}:{open_file_max}"]
    command += [sys.executable, *program]
    with log_path.open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=_TESTS)
