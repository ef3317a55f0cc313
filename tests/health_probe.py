"""The grpc-health-probe of `make grpc-health-probe`, or one that is installed."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import pytest

_NEXT_TO_PYTHON = Path(sys.executable).parent / "grpc-health-probe"


class Verdict(IntEnum):
    """What the exit status of the probe says."""

    SERVING = 0
    NO_CONNECTION = 2
    CALL_FAILED = 3
    """The service is not known, or the call has failed in another way."""
    NOT_SERVING = 4


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe found."""

    verdict: Verdict
    text: str
    """What it printed."""


def health_probe_path() -> Path:
    """Returns the path of grpc-health-probe; skips the test if it is missing."""
    if os.access(_NEXT_TO_PYTHON, os.X_OK):
        return _NEXT_TO_PYTHON
    installed = shutil.which("grpc-health-probe")
    if installed is None:
        pytest.skip("NOT TESTED: grpc-health-probe is missing: run make grpc-health-probe")
    return Path(installed)


def probe(address: str, service: str = "", *options: str) -> Probed:
    """Asks for the health of a service; the empty name is the whole server."""
    command = [str(health_probe_path()), f"-addr={address}", f"-service={service}", *options]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return Probed(Verdict(process.returncode), (process.stdout + process.stderr).strip())
