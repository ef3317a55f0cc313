"""Servers in processes of their own."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS_MAX = 60.0
_READY = "listening on "


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that accepts calls."""

    address: str
    pid: int

    def cpu_seconds(self) -> float:
        """Returns the processor time used so far, in user and kernel mode."""
        # The process name, in parentheses, may contain spaces. User and system time are fields 14 and 15.
        _, _, fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running_program(*arguments: str, checkout: Path | None = None) -> Iterator[ServerProcess]:
    """Runs a Python program that prints `listening on HOST:PORT` when ready; terminates it at the end of the
    block.

    `checkout` is that of another commit, whose package the program imports.
    """
    # Other servers may have the default port of metrics; an older commit ignores the variable.
    environment = {"PEGCOUNT_METRICS_LISTEN": "none", **os.environ}
    if checkout:
        environment["PYTHONPATH"] = str(checkout / "python")
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        try:
            ready, _, _ = select.select([server.stdout], [], [], START_SECONDS_MAX)
            line = server.stdout.readline() if ready else ""
            assert line.startswith(_READY), f"the server did not start: {line!r}"
            yield ServerProcess(line.removeprefix(_READY).strip(), server.pid)
        finally:
            _end(server)


@contextmanager
def running_pegcount(
    directory: Path, checkout: Path | None = None, options: Sequence[str] = ()
) -> Iterator[ServerProcess]:
    """Runs `pegcount serve` over a data directory, which `checkout` does not create; `options` are further
    ones of the command."""
    create = () if checkout else ("--create",)
    command = ("serve", "--data", str(directory), "--listen", "127.0.0.1:0", *create, *options)
    with running_program("-m", "pegcount", *command, checkout=checkout) as server:
        yield server


def _end(server: "subprocess.Popen[str]") -> None:
    server.terminate()
    try:
        server.wait(START_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        server.kill()
