"""The grpcurl of `make grpcurl`, or one that is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_NEXT_TO_PYTHON = Path(sys.executable).parent / "grpcurl"


def grpcurl_path() -> Path:
    """Returns the path of grpcurl; the test fails if it is missing."""
    if os.access(_NEXT_TO_PYTHON, os.X_OK):
        return _NEXT_TO_PYTHON
    installed = shutil.which("grpcurl")
    if installed is None:
        pytest.fail("grpcurl is missing: run make grpcurl", pytrace=False)
    return Path(installed)


def grpcurl(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs grpcurl without TLS."""
    command = [str(grpcurl_path()), "-plaintext", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
