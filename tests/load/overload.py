"""The parent's side of the Go program `overload`."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from load.dear_requests import Request
from load.go_programs import built

_CALLER_COUNTS = (1, 2, 4, 8, 16, 32)
_CLOSED_SECONDS = 3
_CLOSED_P99_MS_MAX = 100.0
_SECONDS_BEYOND = 60.0
CALL_SECONDS_MAX = 60
"""The deadline of calls that nobody gives up."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The calls that ended with one status."""

    calls: int
    p50_ms: float
    p99_ms: float
    with_retry_info: int
    """Calls whose status says when to retry."""
    message: str
    """The message of the first call."""


@dataclass(frozen=True, slots=True)
class Load:
    """The figures of a load."""

    calls: int
    seconds: float
    p50_ms: float
    p99_ms: float
    statuses: Mapping[str, Outcomes]
    """Outcomes by the name of their status, as Go names it."""

    @property
    def rate(self) -> float:
        """Calls per second, whatever their status."""
        return self.calls / self.seconds

    @property
    def answered_rate(self) -> float:
        """Answered calls per second."""
        return self.statuses["OK"].calls / self.seconds if "OK" in self.statuses else 0.0

    def table(self) -> str:
        """Returns a line for each status."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{'':<20}{'calls/s':>10}{'p50 ms':>10}{'p99 ms':>10}{'RetryInfo':>11}"
        for name, one in sorted(self.statuses.items()):
            figures = f"{one.calls / self.seconds:>10,.1f}{one.p50_ms:>10.1f}{one.p99_ms:>10.1f}"
            yield f"{name:<20}{figures}{one.with_retry_info / one.calls:>11.0%}  {one.message}"


class Overload:
    """Makes the calls of a mix."""

    def __init__(
        self, address: str, requests: Sequence[Request], directory: Path, niceness: int = 10
    ) -> None:
        """`directory` takes the program and the requests.

        A positive niceness leaves the core to the honest caller, which runs on the same one.
        """
        self._command = ["nice", f"--adjustment={niceness}", str(built(directory) / "overload")]
        self._command += [f"--address={address}", *(request.option(directory) for request in requests)]

    def fastest_closed_loop(self) -> tuple[int, Load]:
        """Returns the number of callers with the highest rate of answers below the limit of the p99.

        Without any below it, returns the one with the lowest p99.
        """
        # The first reports verify pages and build rollups.
        self.run(_CLOSED_SECONDS, "--callers=1", f"--timeout={CALL_SECONDS_MAX}s")
        loads = {
            count: self.run(_CLOSED_SECONDS, f"--callers={count}", f"--timeout={CALL_SECONDS_MAX}s")
            for count in _CALLER_COUNTS
        }
        fast = {count: load for count, load in loads.items() if load.p99_ms < _CLOSED_P99_MS_MAX}
        if not fast:
            return min(loads.items(), key=lambda item: item[1].p99_ms)
        return max(fast.items(), key=lambda item: item[1].answered_rate)

    def run(self, seconds: float, *options: str) -> Load:
        """Runs the program and returns its figures."""
        return self.ended(self.started(seconds, *options), seconds)

    def started(self, seconds: float, *options: str) -> "subprocess.Popen[str]":
        """Starts the program."""
        command = [*self._command, f"--length={seconds}s", *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def ended(self, process: "subprocess.Popen[str]", seconds: float) -> Load:
        """Waits for the end of the program and returns its figures."""
        try:
            printed, _ = process.communicate(timeout=seconds + CALL_SECONDS_MAX + _SECONDS_BEYOND)
        finally:
            process.kill()
        assert process.returncode == 0, printed
        figures = json.loads(printed)
        statuses = {name: Outcomes(**one) for name, one in figures.pop("statuses").items()}
        return Load(**figures, statuses=statuses)
