"""Checks what an example prints: twice, as it writes the same records again, and without a server."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clients.builds import run, run_any
from clients.client import Client
from clients.served import served_for_example

NO_SERVER = "127.0.0.1:1"
FIRST = "written: 2 accepted, 0 replaced, 0 duplicates, 0 rejected"
AGAIN = "written: 0 accepted, 0 replaced, 2 duplicates, 0 rejected"
QUALITY = [
    "{day}T10:00:00Z: 1 calls, 1 answered, ACD 120.0 s, ASR 100.0 %",
    "{day}T11:00:00Z: 1 calls, 0 answered, ACD - s, ASR 0.0 %",
    "total: 2 calls, 1 answered, ACD 120.0 s, ASR 50.0 %",
]


def check_example(client: Client, directory: Path) -> None:
    assert client.example is not None
    with served_for_example(directory) as service:
        command = client.example(service.address)
        printed = [run(command, environment=client.example_environment).splitlines() for _ in range(2)]
    # Midnight may come between two runs; then the second one writes the calls of another day.
    days = [_day_of(lines) for lines in printed]
    assert days[0] in {str(datetime.now(UTC).date() - timedelta(days=age)) for age in (1, 2)}
    second = AGAIN if days[0] == days[1] else FIRST
    assert printed == [
        [written, *(line.format(day=day) for line in QUALITY)]
        for written, day in zip((FIRST, second), days, strict=True)
    ]
    _check_status(client)


def _day_of(lines: list[str]) -> str:
    assert len(lines) > 1, lines
    return lines[1].partition("T")[0]


def _check_status(client: Client) -> None:
    """Without a server, the example prints the status and its message, and fails."""
    assert client.example is not None
    process = run_any(client.example(NO_SERVER), environment=client.example_environment)
    if process.returncode != 1 or not re.match(r"unavailable: .+", process.stderr, re.IGNORECASE):
        pytest.fail(f"exit status {process.returncode}\n{process.stdout}{process.stderr}", pytrace=False)
