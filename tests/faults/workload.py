"""A short process that exercises all writes of a store: batches, flushes, and the same after reopening.

Prints the result of each step as a line of JSON. Writes marks for each batch into the log of the shim,
to order batches and file system calls. A simulated full disk has space again after the last step;
then the process resends the refused batches.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pegcount.errors import PegcountError
from pegcount.store import EmbeddedStore
from store_tests.store_fixtures import rows

from faults.feed import Feed, FeedBatch
from faults.served import CONFIG
from faults.shim import full_disk_marker

ROUNDS = 2
BATCHES_PER_ROUND = 8
RETRY_SECONDS_MAX = 20.0
_LAST_DAY = 20_541
"""2026-03-29."""


def feed_of(seed: str) -> Feed:
    """Returns the feed of a workload."""
    return Feed(seed, 1, _LAST_DAY - 2, _LAST_DAY)


def main(directory: str, seed: str, log: str) -> None:
    """Runs all steps."""
    run = _Run(Path(directory), feed_of(seed), Path(log))
    for _ in range(ROUNDS):
        run.round(BATCHES_PER_ROUND)
    full_disk_marker(Path(log)).unlink(missing_ok=True)
    run.end()


class _Run:
    def __init__(self, directory: Path, feed: Feed, log: Path) -> None:
        self._directory = directory
        self._feed = feed
        self._log = log

    def round(self, batch_count: int) -> None:
        """Opens the store, writes, flushes now and then, reads and closes."""
        store = self._open()
        for i in range(batch_count):
            batch = self._feed.next_batch()
            if store is not None:
                self._write(store, batch)
                if i % 3 == 2:
                    self._step("seal", store.flush)
                    self._step("maintain", store.maintain)
        if store is not None:
            self._read(store)
            if not full_disk_marker(self._log).exists():
                self._resend(store)
            self._step("close", store.close)

    def end(self) -> None:
        """Resends all refused batches, now that nothing fails."""
        store = self._open()
        assert store is not None
        self._resend(store)
        self._read(store)
        store.close()

    def _resend(self, store: EmbeddedStore) -> None:
        """Resends like a client. A store that never accepts writes again fails here."""
        deadline = time.monotonic() + RETRY_SECONDS_MAX
        while self._feed.unanswered() and time.monotonic() < deadline:
            for batch in self._feed.unanswered():
                self._write(store, batch)
            if self._feed.unanswered():
                # The load itself: the pace of this client.
                time.sleep(0.05)
        _print_step("resumed", left=len(self._feed.unanswered()))

    def _open(self) -> EmbeddedStore | None:
        opened: list[EmbeddedStore] = []
        self._step("open", lambda: opened.append(EmbeddedStore(self._directory, CONFIG, create=True)))
        return opened[0] if opened else None

    def _write(self, store: EmbeddedStore, batch: FeedBatch) -> None:
        self._mark("submit", batch)
        content = batch.request.SerializeToString()
        if self._step("write", lambda: store.write(content), batch=batch.number):
            self._mark("answer", batch)
            self._feed.acknowledged.add(batch.number)

    def _read(self, store: EmbeddedStore) -> None:
        self._step("read", lambda: rows(store, "session_id"))

    def _mark(self, name: str, batch: FeedBatch) -> None:
        with self._log.open("a") as log:
            log.write(f"0 {name} {batch.number} 0 0\n")

    def _step(self, name: str, action: Callable[[], Any], **more: object) -> bool:
        try:
            action()
        except PegcountError as error:
            _print_step(name, error=type(error).__name__, text=str(error), **more)
            return False
        except Exception as error:
            _print_step(name, fault=f"{type(error).__name__}: {error}", **more)
            return False
        _print_step(name, **more)
        return True


def _print_step(name: str, **more: object) -> None:
    print(json.dumps({"step": name, **more}), flush=True)
