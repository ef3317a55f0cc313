"""Rolling restarts as Kubernetes makes them: with readiness, a stop delay and the published retry policy.

One process owns a directory, so the old server ends before the new one starts on its directory and port.
"""

import threading
from collections import Counter
from pathlib import Path
from statistics import median
from time import monotonic

import pegcount_client
import pytest
from health_probe import Verdict, health_probe_path, probe
from load.caller import Caller
from load.pinned_server import PinnedServer
from load.record_writer import RecordWriter, stored_record_count
from pegcount.config import Config
from pegcount.store import EmbeddedStore
from waiting import stays, wait_until

_SERVICE_CONFIG = Path(pegcount_client.__file__).with_name("service_config.json")
_RESTART_COUNT = 6
_SERVING_SECONDS = 3.0
"""Longer than clients wait before they connect again, so that they find a server."""
_STOP_DELAY_SECONDS = 2.0
_LIVE = "pegcount.live"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An empty data directory."""
    EmbeddedStore(tmp_path / "data", Config(), create=True).close()
    return tmp_path / "data"


class _Restarts:
    """A server, its successors, and how long each step took in seconds."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory.with_suffix(".log")
        self.server = PinnedServer(directory, self._log)
        self.noticed_s: list[float] = []
        """From SIGTERM until a probe has found the server not ready."""
        self.stopped_s: list[float] = []
        """From SIGTERM to the end of the process."""
        self.away_s: list[float] = []
        """From the end of the process until a probe has found its successor ready."""

    def restart(self) -> None:
        address, begin_s = self.server.address, monotonic()
        stopping = threading.Thread(target=self.server.stop)
        stopping.start()
        wait_until(lambda: probe(address).verdict is Verdict.NOT_SERVING)
        self.noticed_s.append(monotonic() - begin_s)
        assert probe(address, _LIVE).verdict is Verdict.SERVING
        stopping.join()
        end_s = monotonic()
        self.stopped_s.append(end_s - begin_s)
        assert not self.server.is_running()
        self.server = PinnedServer(self._directory, self._log, self.server.port)
        wait_until(lambda: probe(address).verdict is Verdict.SERVING)
        self.away_s.append(monotonic() - end_s)

    def described(self) -> str:
        return (
            f"{len(self.away_s)} restarts: not ready after {median(self.noticed_s):.2f} s, ended after"
            f" {median(self.stopped_s):.2f} s, the next one ready after {median(self.away_s):.2f} s (medians)"
        )


def test_no_call_fails_and_no_record_is_lost(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    health_probe_path()
    monkeypatch.setenv("PEGCOUNT_STOP_DELAY_SECONDS", str(_STOP_DELAY_SECONDS))
    restarts = _Restarts(directory)
    options = ("--callers", "8", "--timeout", "60", "--service-config", str(_SERVICE_CONFIG))
    try:
        address = restarts.server.address
        kinds = ("--kinds", "hours,minutes")
        with Caller(address, *options, *kinds) as caller, RecordWriter(address) as writer:
            caller.begin()
            for _ in range(_RESTART_COUNT):
                stays(restarts.server.is_running, _SERVING_SECONDS)
                restarts.restart()
            stays(restarts.server.is_running, _SERVING_SECONDS)
            figures = caller.end()
            writer.end()
            stored = stored_record_count(address)
    finally:
        restarts.server.kill()
    statuses = Counter[str]()
    for each in figures.values():
        statuses.update(each.statuses)
    longest_s = max(each.max_ms for each in figures.values()) / 1_000
    print(f"\n{restarts.described()}")
    print(f"calls: {dict(statuses)}, the longest took {longest_s:.2f} s")
    print(f"records: {writer.acknowledged_count:,} acknowledged, {stored:,} counted; {writer.error}")
    assert writer.error is None
    assert 0 < writer.acknowledged_count == stored
    assert set(statuses) == {"OK"}
    assert min(restarts.stopped_s) >= _STOP_DELAY_SECONDS
