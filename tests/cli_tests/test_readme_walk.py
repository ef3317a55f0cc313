"""The README's way from an Asterisk file to a chart, each of its commands run on a made-up file."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from documented_calls import ROOT, sections

from cli_tests.test_command_line import printed_counts

(SECTION,) = [found for found in sections(ROOT / "README.md") if found.heading.startswith("A chart of")]
COMMANDS = [
    command.partition("  #")[0].strip()
    for block in SECTION.blocks()
    for command in re.findall(r"^\$ (.*)$", block, flags=re.MULTILINE)
]
ADDRESS = "127.0.0.1:50051"
KYIV = ZoneInfo("Europe/Kyiv")
CALL_COUNT = 60


def write_master(path: Path) -> None:
    """Writes calls of the five days up to an hour ago, in local time; their ids hide the time."""
    end = datetime.now(KYIV) - timedelta(hours=1)
    rows = []
    for number in range(CALL_COUNT):
        setup = end - timedelta(hours=2 * number)
        answer, last = setup + timedelta(seconds=9), setup + timedelta(seconds=69)
        times = [time.strftime("%Y-%m-%d %H:%M:%S") for time in (setup, answer, last)]
        cells = ["1001", "100", "380445550100", "from-internal", '""100"" <100>', f"PJSIP/100-{number:08x}"]
        cells += [f"PJSIP/trunk-{number:08x}", "Dial", "PJSIP/x@trunk,60", *times]
        quoted = ",".join(f'"{cell}"' for cell in cells)
        rows.append(f'{quoted},69,60,"ANSWERED","DOCUMENTATION","pbx-{number}",""\n')
    path.write_text("".join(reversed(rows)), encoding="utf-8")


@dataclass
class Stranger:
    """Somebody who follows the README in a directory of their own."""

    directory: Path
    address: str = ADDRESS

    def run(self, command: str) -> str:
        """Runs a command in a shell; it must succeed, and say nothing on standard error."""
        done = subprocess.run(
            ["bash", "-c", command.replace(ADDRESS, self.address)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.directory,
            env=self._variables(PEGCOUNT_SERVER=self.address) if "report" in command else self._variables(),
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        return done.stdout

    @contextmanager
    def serving(self, command: str) -> Iterator[None]:
        """Runs the command of a server, on a free port."""
        with subprocess.Popen(
            shlex.split(command),
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env=self._variables(PEGCOUNT_LISTEN="127.0.0.1:0"),
            executable=self.directory / "bin" / "pegcount",
        ) as process:
            assert process.stdout is not None
            self.address = process.stdout.readline().removeprefix("listening on ").strip()
            yield
            process.terminate()
            assert process.wait(30) == 0

    def _variables(self, **more: str) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
            "COLUMNS": "80",
            **more,
        }


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    """Has a file, and the program of this test as what `make build` would bring."""
    program = tmp_path / "bin" / "pegcount"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pegcount "$@"\n')
    program.chmod(0o755)
    write_master(tmp_path / "Master.csv")
    return Stranger(tmp_path)


def test_from_a_file_to_charts(stranger: Stranger) -> None:
    build, dry_run, first_import, serve, path, usage, quality, correct = COMMANDS
    assert (build, path) == (
        "make build && export PATH=$PWD/.venv/bin:$PATH",
        "export PATH=$PWD/.venv/bin:$PATH",
    )
    assert f"{CALL_COUNT} rows, {CALL_COUNT} valid" in stranger.run(dry_run)
    assert not (stranger.directory / "data").exists()
    assert printed_counts(stranger.run(first_import))["accepted"] == CALL_COUNT
    with stranger.serving(serve):
        chart = stranger.run(usage)
        assert chart.startswith("CALL sessions per DAY, from ")
        assert "░" in chart
        chart = stranger.run(quality)
        assert chart.startswith("Calls of all accounts per HOUR, from ")
        assert {"calls", "ASR", "ACD seconds", "CPS"} <= set(chart.splitlines())
        assert printed_counts(stranger.run(correct))["identical"] == CALL_COUNT


def test_a_file_that_was_imported_without_its_zone(stranger: Stranger) -> None:
    _, _, first_import, serve, _, usage, _, correct = COMMANDS
    by_csv = usage.replace("--plot", "--csv")
    told = stranger.run(first_import.replace("--time-zone Europe/Kyiv ", ""))
    assert "import again with --time-zone ZONE --correct" in told
    with stranger.serving(serve):
        wrong = stranger.run(by_csv)
        assert printed_counts(stranger.run(correct))["replaced"] == CALL_COUNT
        right = stranger.run(by_csv)
    assert wrong != right
    assert sum(int(line.split(",")[1]) for line in right.splitlines()[1:]) == CALL_COUNT
