"""What an installation must be able to do: import the samples, and answer the four reports."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packages.environment import REPOSITORY, Environment

SAMPLE = REPOSITORY / "samples" / "pegcount.csv"

_DAYS = ("--from", "2026-03-28", "--to", "2026-03-31")
REPORTS: Final[Mapping[str, tuple[tuple[str, ...], str, int]]] = {
    "usage": ((*_DAYS, "--granularity", "DAY"), "session_count", 46),
    "active": (("orig_clients_name", "quantity"), "row_count", 2),
    "folders": (("acme", "support", "--from", "2026-03-28", "--to", "2026-03-30"), "call_count", 19),
    "quality": (("--account", "1001", *_DAYS, "--sampling", "DAY"), "total_calls", 18),
}
"""Of each report its arguments, and a total of the samples."""

CLIENT_PROGRAM = """
import sys
from pegcount_client import Client

with Client(sys.argv[1]) as client:
    usage = client.asr_usage(from_time="2026-03-28", to_time="2026-03-31", granularity="DAY", kind="CALL")
    print(usage.totals.session_count)
"""
"""Asks for a report with nothing but the client."""


@dataclass(frozen=True)
class Installed:
    """An environment with the service, and the address of a service over the samples that runs in it."""

    environment: Environment
    address: str
    samples: Path


def import_samples(environment: Environment, data: Path) -> None:
    """Imports the samples into a new data directory."""
    rejects = environment.directory / "rejects.csv"
    options = ("--format", "pegcount-csv", "--source", "demo", "--rejects", rejects)
    environment.output("pegcount", "import", "--data", data, *options, SAMPLE)


def check_reports(environment: Environment, address: str) -> None:
    """Asks a service for the four reports, and compares a total of each."""
    for name, (arguments, total, expected) in REPORTS.items():
        answer: dict[str, Any] = json.loads(
            environment.output("pegcount", "report", name, *arguments, "--json", "--server", address)
        )
        assert answer["totals"][total] == expected, (name, answer["totals"])


def check_client(environment: Environment, address: str) -> None:
    """Asks a service for a report with the client."""
    printed = environment.output("python", "-c", CLIENT_PROGRAM, address)
    assert printed.split() == ["46"], printed
