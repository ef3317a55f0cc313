"""The story of a wrong import that is put right, with kills.

Two files are imported without their zone by mistake, then corrected; one source is deleted and imported anew.
The process that writes is killed in the middle of each of these steps.
"""

import os
import re
import signal
import subprocess
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pegcount.client import Client
from pegcount.v1 import reports_pb2
from program import Program
from waiting import wait_until

from cli_tests.journals import journal_bytes
from cli_tests.test_command_line import pegcount, printed_counts, serving

KYIV = ZoneInfo("Europe/Kyiv")
FIRST = datetime(2026, 3, 27, 20, tzinfo=UTC)
"""The calls cross 29 March, when Kyiv goes from +02:00 to +03:00."""
CALL_COUNT = 8_000
"""Calls of each source; enough for a kill to fall into the middle of their import."""
HEADER = (
    "accountcode,src,dst,channel,dstchannel,lastapp,"
    "start,duration,billsec,disposition,uniqueid,linkedid,sequence"
)
ACCOUNTS = {"alpha": "1001", "beta": "1002"}

Figures = dict[str, tuple[Counter[int], int, int]]
"""By account: calls by the Unix time of their hour, answered calls, milliseconds."""


@dataclass(frozen=True)
class Call:
    """A call of the story."""

    number: int
    start: datetime
    seconds: int
    is_answered: bool


def calls(source: str) -> Iterator[Call]:
    offset_s = 3 if source == "beta" else 0
    for number in range(CALL_COUNT):
        start = FIRST + timedelta(seconds=10 * number + offset_s)
        yield Call(number, start, number % 100 + 5, number % 3 != 0)


def write_file(path: Path, source: str) -> Path:
    """Writes the local times of Kyiv, without any hint of the zone."""
    rows = [HEADER]
    for call in calls(source):
        local = call.start.astimezone(KYIV).strftime("%Y-%m-%d %H:%M:%S")
        spoken = call.seconds - 5 if call.is_answered else 0
        disposition = "ANSWERED" if call.is_answered else "NO ANSWER"
        name = f"{source}-{call.number}"
        rows.append(
            f"{ACCOUNTS[source]},100,200,PJSIP/a-{call.number},PJSIP/b-{call.number},Dial,"
            f"{local},{call.seconds},{spoken},{disposition},{name},{name},{call.number}"
        )
    path.write_text("\n".join(rows) + "\n")
    return path


def expected(sources: tuple[str, ...], *, is_read_as_utc: bool = False) -> Figures:
    figures = {account: (Counter[int](), 0, 0) for account in ACCOUNTS.values()}
    for source in sources:
        by_hour, answered, duration_ms = figures[ACCOUNTS[source]]
        for call in calls(source):
            shift = call.start.astimezone(KYIV).utcoffset() if is_read_as_utc else None
            setup = call.start + (shift or timedelta())
            by_hour[int(setup.timestamp()) // 3_600 * 3_600] += 1
            answered += call.is_answered
            duration_ms += (call.seconds - 5) * 1_000 if call.is_answered else 0
        figures[ACCOUNTS[source]] = (by_hour, answered, duration_ms)
    return figures


def served_figures(address: str) -> Figures:
    figures = {}
    with Client(address) as client:
        for account in ACCOUNTS.values():
            answer = client.reports.QueryOriginationQuality(
                reports_pb2.QueryOriginationQualityRequest(
                    account_id=account,
                    from_time="2026-03-26",
                    to_time="2026-04-02",
                    sampling=reports_pb2.GRANULARITY_HOUR,
                    time_zone="Europe/Kyiv",
                )
            )
            by_hour = Counter(dict(zip(answer.data.t, answer.data.total_calls, strict=True)))
            totals = answer.totals
            figures[account] = (+by_hour, totals.answered_calls, totals.duration_ms)
    return figures


class Place(ABC):
    """Where the story happens: what the commands are given, and how its figures are asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.data.mkdir()

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return pegcount(*arguments, *self.options(), cwd=self.directory)

    @abstractmethod
    def options(self) -> tuple[str, ...]:
        """Returns the options that tell a command where the records are."""

    @abstractmethod
    def figures(self) -> Figures:
        """Returns the present figures."""

    @abstractmethod
    def run_with_a_kill(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a command of which the writing process is killed in the middle, until it is complete."""

    @abstractmethod
    def end(self) -> None:
        """Ends what runs."""

    def _started(self, *arguments: str | Path) -> Program:
        return Program(*arguments, *self.options(), cwd=self.directory)

    def _wait_for_writes(self, process: Program, before: int) -> None:
        """Waits until a command has written to the journal or has ended."""
        wait_until(lambda: process.poll() is not None or journal_bytes(self.data) != before, "a write")


class InDirectory(Place):
    """Commands that own the data directory while they run."""

    def options(self) -> tuple[str, ...]:
        return ("--data", str(self.data))

    def figures(self) -> Figures:
        with serving(self.data) as (address, _):
            return served_figures(address)

    def run_with_a_kill(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        before = journal_bytes(self.data)
        with self._started(*arguments) as process:
            self._wait_for_writes(process, before)
            process.kill()
        return self.run(*arguments)

    def end(self) -> None:
        """Nothing runs between two commands."""


class OverServer(Place):
    """Commands that ask a server, which is killed and started again at the same address."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._address = "127.0.0.1:0"
        self._stack = ExitStack()
        self._serve()

    def options(self) -> tuple[str, ...]:
        return ("--server", self._address)

    def figures(self) -> Figures:
        return served_figures(self._address)

    def run_with_a_kill(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        before = journal_bytes(self.data)
        with self._started(*arguments) as process:
            try:
                self._wait_for_writes(process, before)
                self._restart()
                output, errors = process.communicate(timeout=60)
            finally:
                process.kill()
        if process.returncode == 0:
            return subprocess.CompletedProcess(process.args, 0, output, errors)
        # The call itself met the restart, and may or may not have been carried out.
        return self.run(*arguments)

    def end(self) -> None:
        self._stack.close()

    def _serve(self) -> None:
        self._address, self._process = self._stack.enter_context(serving(self.data, self._address))

    def _restart(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        self._serve()


@pytest.fixture(params=[InDirectory, OverServer])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place: Place = request.param(tmp_path)
    yield place
    place.end()


def test_a_wrong_import_is_put_right(place: Place) -> None:
    files = {source: write_file(place.directory / f"{source}.csv", source) for source in ACCOUNTS}
    both, alpha = ("alpha", "beta"), ("alpha",)

    def import_command(source: str, *more: str) -> tuple[str | Path, ...]:
        return ("import", "--format", "asterisk-csv", "--source", source, *more, files[source])

    zone, correct = ("--time-zone", "Europe/Kyiv"), "--correct"
    for source in both:
        assert place.run(*import_command(source)).returncode == 0
    assert place.figures() == expected(both, is_read_as_utc=True) != expected(both)

    # Imported again with the zone, the same rows are other versions, which rank by their content.
    again = place.run(*import_command("alpha", *zone))
    assert (
        "rank below what is stored, and say something else; if this file is right, --correct" in again.stdout
    )
    assert place.figures() != expected(both)

    for source in both:
        done = place.run_with_a_kill(*import_command(source, *zone, correct))
        assert done.returncode == 0, done.stderr
        counts = printed_counts(done.stdout)
        assert (counts["accepted"], counts["outranked"], counts["rejected"]) == (0, 0, 0)
        assert counts["replaced"] + counts["identical"] == CALL_COUNT
        once_more = printed_counts(place.run(*import_command(source, *zone, correct)).stdout)
        assert once_more["identical"] == CALL_COUNT
    assert place.figures() == expected(both)

    deleted = place.run_with_a_kill("delete", "--source", "beta")
    assert deleted.returncode == 0, deleted.stderr
    assert place.figures() == expected(alpha)
    refused = place.run_with_a_kill(*import_command("beta", *zone))
    assert (refused.returncode, printed_counts(refused.stdout)["rejected"]) == (1, CALL_COUNT)
    assert place.figures() == expected(alpha)

    rules = place.run("delete", "--list").stdout
    for rule_id in re.findall(r"^rule (\d+): source 'beta'", rules, re.MULTILINE):
        assert place.run("delete", "--lift", rule_id).returncode == 0
    anew = place.run_with_a_kill(*import_command("beta", *zone))
    counts = printed_counts(anew.stdout)
    assert (anew.returncode, counts["accepted"] + counts["identical"]) == (0, CALL_COUNT)
    assert place.figures() == expected(both)
