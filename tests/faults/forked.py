"""A fork server for workloads: it imports their modules once and forks a process per workload.

python -m faults.forked

Reads one JSON order per line, prints the exit code of its process as a line, and ends with its input.
Importing the modules takes longer than a workload, and a long run has thousands of workloads.
"""

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faults import workload
from faults.process import TESTS

SECONDS_MAX = 120


class ForkServer:
    """The client of the fork server, which has the shim loaded but inactive."""

    def __init__(self, library: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.forked"],
            cwd=TESTS,
            env={**os.environ, "LD_PRELOAD": str(library)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, data: Path, seed: str, log: Path, environment: Mapping[str, str]) -> str:
        """Runs a workload with the shim configured by `environment`, and returns its output."""
        printed, errors = log.with_suffix(".steps"), log.with_suffix(".errors")
        order = {"arguments": [str(data), seed, str(log)], "environment": dict(environment)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**order, "files": [str(printed), str(errors)]}) + "\n")
        self._process.stdin.flush()
        code = self._process.stdout.readline().strip()
        assert code == "0", f"exit code {code}: {errors.read_text()}\n{printed.read_text()}"
        return printed.read_text()

    def close(self) -> None:
        """Ends the server."""
        self._process.communicate(timeout=SECONDS_MAX)


def main() -> None:
    """Executes orders until the input ends."""
    # A collection in a workload would write to what all of them share, and so copy it.
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        process = os.fork()
        if process == 0:
            _run(order)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(order: dict[str, Any]) -> None:
    """Runs the workload and exits the process."""
    signal.alarm(SECONDS_MAX)
    for descriptor, name in enumerate(order["files"], 1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    try:
        os.environ.update(order["environment"])
        ctypes.CDLL(None).begin_shim()
        workload.main(*order["arguments"])
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main()
