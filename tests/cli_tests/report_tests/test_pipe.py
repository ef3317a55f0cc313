"""A reader that ends before the report does, as in `pegcount report … | head -1`."""

import os
import subprocess
import sys

import pytest

from cli_tests.report_tests.conftest import KeptRequests


@pytest.mark.parametrize("output", [(), ("--json",), ("--csv",)])
def test_it_ends_quietly_with_the_status_of_a_broken_pipe(
    output: tuple[str, ...], kept: KeptRequests
) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "pegcount", "report", "active", "--server", kept.address, *output]
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True) as process:
        os.close(write)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (141, "")
    assert len(kept.requests) == 1


def test_a_pipe_loses_nothing(kept: KeptRequests) -> None:
    """Without a terminal and COLUMNS, lines are as long as the figures need."""
    command = [
        sys.executable,
        "-m",
        "pegcount",
        "report",
        "folders",
        "a" * 300,
        "b",
        "--server",
        kept.address,
    ]
    variables = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=variables)
    assert process.stdout.splitlines()[0].startswith(f"Calls of {'a' * 300} / b, from ")
