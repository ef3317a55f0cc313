"""Servers of Pegcount in processes of their own over one cluster, which tests may kill and start again."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waiting import wait_until

_START_SECONDS_MAX = 60.0
_STOP_SECONDS_MAX = 30.0


class PegcountServer:
    """`pegcount serve` over a cluster; its address stays the same when it starts again."""

    def __init__(self, url: str, log: Path) -> None:
        self.address = ""
        """Host and port, once it has been started."""
        self._url = url
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._log_size = 0
        """Bytes of the log when the process was started."""

    def begin(self) -> None:
        """Starts the process; `wait_until_ready` waits for it."""
        assert self._process is None, "the server is running"
        listen = self.address or "127.0.0.1:0"
        command = [sys.executable, "-m", "pegcount", "serve", "--store", self._url, "--listen", listen]
        self._log_size = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            environment = {**os.environ, "PEGCOUNT_METRICS_LISTEN": "none"}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def wait_until_ready(self) -> None:
        """Waits until the server accepts calls."""
        wait_until(lambda: self._listening() or not self.is_running(), "its start", _START_SECONDS_MAX, 0.02)
        assert self._listening(), self._printed()
        self.address = self._listening()

    def start(self) -> None:
        """Starts the server, and waits until it accepts calls."""
        self.begin()
        self.wait_until_ready()

    def kill(self) -> None:
        """Does what kill -9 does, and waits for the end of the process; does nothing if it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Sends SIGTERM; fails unless the server ends well, and soon."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(_STOP_SECONDS_MAX) == 0, self._printed()
        self._process = None

    def freeze(self) -> None:
        """Stops the process where it is: its connections stay open, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def is_running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self._process is not None and self._process.poll() is None

    def _listening(self) -> str:
        match = re.search(r"^listening on (.*)\n", self._printed(), re.MULTILINE)
        return match[1] if match else ""

    def _printed(self) -> str:
        return self._log.read_bytes()[self._log_size :].decode()


@contextmanager
def servers_over(url: str, directory: Path, count: int) -> Iterator[list[PegcountServer]]:
    """Runs servers over a cluster, and kills those at the end of the `with` block that still run."""
    servers = [PegcountServer(url, directory / f"server-{number}.log") for number in range(1, count + 1)]
    try:
        for each in servers:
            each.begin()
        for each in servers:
            each.wait_until_ready()
        yield servers
    finally:
        for each in servers:
            each.kill()
