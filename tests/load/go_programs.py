"""The clients in Go: they choose their local address and ping, which clients in Python cannot."""

import select
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_MODULE = Path(__file__).with_name("go")
_BUILD_SECONDS_MAX = 300.0


def built(directory: Path) -> Path:
    """Builds the programs into a directory and returns it; skips the test without Go."""
    if shutil.which("go") is None:
        pytest.skip("NOT TESTED: Go is missing")
    command = ["go", "build", "-o", f"{directory}/", "./..."]
    subprocess.run(command, cwd=_MODULE, check=True, timeout=_BUILD_SECONDS_MAX)
    return directory


@contextmanager
def running(command: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """Runs a program and kills it at the end of the `with` block, also if it is stopped."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: "subprocess.Popen[str]", seconds: float) -> str:
    """Returns the first line that a program prints, or an empty text if none comes in time."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    return process.stdout.readline().strip() if ready else ""
