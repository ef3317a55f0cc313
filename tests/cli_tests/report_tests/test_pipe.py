"""A reader that ends before the report does, as in `pegcount report … | head -1`."""

import os
import subprocess
import sys

import pytest
from pegcount.v1.reports_pb2 import ActiveSessionRow

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


@pytest.mark.parametrize(
    ("output", "name"), [((), rb"\u041f\u0440\u0438\u0432\u0456\u0442"), (("--csv",), "Привіт".encode())]
)
def test_a_terminal_without_unicode_shows_escapes_and_documents_stay_utf8(
    output: tuple[str, ...], name: bytes, kept: KeptRequests
) -> None:
    kept.active_rows.append(ActiveSessionRow(orig_clients_name="Привіт"))
    command = [sys.executable, "-m", "pegcount", "report", "active", "orig_clients_name", *output]
    process = subprocess.run(
        [*command, "--server", kept.address],
        capture_output=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert name in process.stdout
