"""Prints what the drills of failures have seen: the status of each and how long its caller waited."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import pytest
from google.rpc import code_pb2
from pegcount.server.status import CODE_OF_ERROR

_PROPERTY = "drill"
BUSY_SECONDS = 1.5
"""What a busy host may add to the time of a call. A shard that leaves a ping without an answer is noticed
after 3 s: one that is gone is noticed sooner also with these."""


@dataclass
class Drill:
    """One failure and what became of a call."""

    name: str
    record: Callable[[str, object], None] = field(repr=False)

    def fail(self, call: Callable[[], object], status: str, seconds_max: float) -> BaseException:
        """Makes a call that ends with the status within the time, or little later, and returns its error."""
        start_s = monotonic()
        try:
            call()
        except Exception as error:
            seconds, found = monotonic() - start_s, error
        else:
            raise AssertionError(f"{self.name}: the call has succeeded")
        code = CODE_OF_ERROR.get(type(found), code_pb2.INTERNAL)  # type: ignore[arg-type]
        self.note(code_pb2.Code.Name(code), seconds, f"{type(found).__name__}: {found}")
        assert code_pb2.Code.Name(code) == status, repr(found)
        assert seconds <= seconds_max + BUSY_SECONDS
        return found

    def note(self, status: str, seconds: float, text: str) -> None:
        """Puts a line into the table."""
        self.record(_PROPERTY, (self.name, status, seconds, text))


@pytest.fixture
def drill(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Drill:
    """What a drill of failures reports to; its name in the table is that of the test."""
    return Drill(request.node.name.removeprefix("test_").replace("_", " "), record_property)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines = list(_lines(terminalreporter))
    if not lines:
        return
    terminalreporter.section("drills of failures")
    for name, status, seconds, text in sorted(lines):
        terminalreporter.write_line(f"{name[:60]:60} {status:18} {seconds:6.2f} s  {text[:90]}")


def _lines(terminalreporter: Any) -> Iterator[tuple[str, str, float, str]]:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in getattr(report, "user_properties", []):
                if name == _PROPERTY:
                    yield tuple(value)
