"""Restarts of the server under load: with the published retry policy, callers do not notice them."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pegcount_client

from load.caller import Caller, Figures
from load.pinned_server import PinnedServer
from load.record_writer import RecordWriter, stored_record_count

SERVICE_CONFIG = Path(pegcount_client.__file__).with_name("service_config.json")
"""The retry policy that callers are told to use."""
_RESTART_COUNT = 20
_SERVING_SECONDS = 5.0
"""Longer than clients wait before they connect again, so that they find a server."""
_CALLER_COUNT = 8
_CALL_SECONDS_MAX = 60.0
"""Long enough for some failed connections in a row; gRPC waits longer after each."""


def test_with_the_retry_policy_no_call_fails_and_no_record_is_lost(directory: Path) -> None:
    options = ("--kinds", "hours,minutes", "--service-config", str(SERVICE_CONFIG))
    with _restarts(directory) as restarts, RecordWriter(restarts.address) as writer:
        figures = _measured(restarts, *options)
        writer.end()
        stored = stored_record_count(restarts.address)
    statuses = _statuses(figures)
    print(f"\n{restarts.described()}, with the retry policy: {_described(figures)}")
    print(f"records: {writer.acknowledged_count:,} acknowledged, {stored:,} counted; {writer.error}")
    assert writer.error is None
    assert 0 < writer.acknowledged_count == stored
    assert set(statuses) == {"OK"}, statuses


def test_without_retries_a_failed_call_is_unavailable(directory: Path) -> None:
    with _restarts(directory) as restarts:
        figures = _measured(restarts)
    statuses = _statuses(figures)
    print(f"\n{restarts.described()}, without retries: {_described(figures)}")
    assert {"OK"} < set(statuses) <= {"OK", "UNAVAILABLE"}, statuses


class _Restarts:
    """A server that is stopped and started again on the same port and directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory.with_suffix(".log")
        self.server = PinnedServer(directory, self._log)
        self.address = self.server.address
        self._stop_seconds: list[float] = []
        self._away_seconds: list[float] = []

    def run(self) -> None:
        for _ in range(_RESTART_COUNT):
            time.sleep(_SERVING_SECONDS)
            begin = time.monotonic()
            self.server.stop()
            self._stop_seconds.append(time.monotonic() - begin)
            self.server = PinnedServer(self._directory, self._log, self.server.port)
            self._away_seconds.append(time.monotonic() - begin)

    def described(self) -> str:
        return (
            f"{len(self._away_seconds)} restarts of {median(self._away_seconds):.2f} s"
            f" (stop: {median(self._stop_seconds):.2f} s, at most {max(self._stop_seconds):.2f} s)"
        )


@contextmanager
def _restarts(directory: Path) -> Iterator[_Restarts]:
    restarts = _Restarts(directory)
    try:
        yield restarts
    finally:
        restarts.server.kill()


def _measured(restarts: _Restarts, *options: str) -> Mapping[str, Figures]:
    counts = ("--callers", str(_CALLER_COUNT), "--timeout", str(_CALL_SECONDS_MAX))
    with Caller(restarts.address, *counts, *options) as caller:
        caller.begin()
        restarts.run()
        # The callers that wait for the last start have time to succeed.
        time.sleep(_SERVING_SECONDS)
        return caller.end()


def _statuses(figures: Mapping[str, Figures]) -> Counter[str]:
    found = Counter[str]()
    for one in figures.values():
        found.update(one.statuses)
    return found


def _described(figures: Mapping[str, Figures]) -> str:
    statuses = ", ".join(f"{count:,} {name}" for name, count in sorted(_statuses(figures).items()))
    longest: Sequence[float] = [one.max_ms for one in figures.values()]
    return f"{statuses}; the longest call took {max(longest) / 1e3:.2f} s"
