"""Runs commands of `pegcount` in processes of their own, which start in milliseconds.

A server per process of pytest imports the command line once, which takes a second, and forks for each one.
`cli_tests.test_entry` starts commands as people do, and so do tests of what happens before they begin.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from select import select
from types import TracebackType
from typing import IO

_ORDER_BYTES_MAX = 1_000_000
_FORKS = Path(__file__).parent / "program_forks.py"


class Program:
    """A command that runs; it has what a `subprocess.Popen` of texts has, as far as tests need that."""

    def __init__(
        self,
        *arguments: str | Path,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.PIPE,
        cwd: Path | None = None,
        umask: int = -1,
    ) -> None:
        self.args = ["pegcount", *map(str, arguments)]
        self.returncode: int | None = None
        self.stdout, out = _pipe_or(stdout)
        self.stderr, err = _pipe_or(stderr)
        ended, tell = os.pipe()
        self._ended = os.fdopen(ended, "rb")
        descriptors = [each if isinstance(each, int) else each.fileno() for each in (out, err)]
        try:
            _order(self.args, [*descriptors, tell], cwd, umask)
        finally:
            os.close(tell)
            for given, each in ((stdout, out), (stderr, err)):
                if given == subprocess.PIPE and isinstance(each, int):
                    os.close(each)
        self.pid = int(self._ended.readline())

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()
        self._ended.close()

    def poll(self) -> int | None:
        """Returns the exit status, None while the command runs."""
        return self._status(0)

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end, and returns the exit status."""
        status = self._status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Sends a signal, if the command still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for the end, and returns what of both outputs was not read; they fit into pipes."""
        self.wait(timeout)
        return self.stdout.read() if self.stdout else "", self.stderr.read() if self.stderr else ""

    def _status(self, seconds: float | None) -> int | None:
        if self.returncode is None and select([self._ended], [], [], seconds)[0]:
            self.returncode = int(self._ended.readline())
        return self.returncode


def run_program(
    *arguments: str | Path, cwd: Path | None = None, umask: int = -1
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, with the environment of this process and no input."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with Program(*arguments, stdout=out, stderr=err, cwd=cwd, umask=umask) as program:
            status = program.wait(120)
        texts = [os.pread(each.fileno(), 1 << 30, 0).decode() for each in (out, err)]
        return subprocess.CompletedProcess(program.args, status, *texts)


def _pipe_or(output: int | IO[bytes]) -> tuple[IO[str] | None, int | IO[bytes]]:
    """Returns the end of a new pipe to read texts from, if one is wanted, and what a command writes to."""
    if output != subprocess.PIPE:
        return None, output
    read, write = os.pipe()
    return os.fdopen(read, "r", encoding="utf-8"), write


def _order(arguments: list[str], descriptors: list[int], cwd: Path | None, umask: int) -> None:
    """Lets the server fork a command; its outputs and what tells of its end are `descriptors`."""
    order = {"arguments": arguments, "cwd": str(cwd or Path.cwd()), "environment": dict(os.environ)}
    message = json.dumps({**order, "umask": _umask() if umask < 0 else umask}).encode()
    assert len(message) < _ORDER_BYTES_MAX
    socket.send_fds(_server(_interpreter_variables()), [message], descriptors)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _interpreter_variables() -> tuple[tuple[str, str], ...]:
    """Returns the variables that only the start of an interpreter reads."""
    names = ("LANG", "LC_ALL", "LC_CTYPE", "PATH")
    return tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith("PYTHON") or k in names))


@cache
def _server(variables: tuple[tuple[str, str], ...]) -> socket.socket:
    """Starts the server of programs with these variables, which ends when this process does."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = subprocess.Popen(
        [sys.executable, str(_FORKS), str(there.fileno())],
        pass_fds=[there.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **dict(variables)},
    )
    there.close()

    def end() -> None:
        here.close()
        server.wait(60)

    atexit.register(end)
    return here
