"""Everything that a store writes, in one short process: batches, seals, and all again after opening it anew.

Prints what came of each step as a line of JSON. Marks of each batch go to the log of the shim, so that
its order with the calls is known. Where the disk counts as full, there is space again after the last step,
and what was refused is sent again.
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
from faults.shim import full_of

ROUNDS = 2
BATCHES_PER_ROUND = 8
RETRY_SECONDS_MAX = 20.0
_LAST_DAY = 20_541
"""2026-03-29."""


def feed_of(seed: str) -> Feed:
    """The batches that are written."""
    return Feed(seed, 1, _LAST_DAY - 2, _LAST_DAY)


def main(directory: str, seed: str, log: str) -> None:
    """Runs the steps."""
    run = _Run(Path(directory), feed_of(seed), Path(log))
    for _ in range(ROUNDS):
        run.round(BATCHES_PER_ROUND)
    full_of(Path(log)).unlink(missing_ok=True)
    run.end()


class _Run:
    def __init__(self, directory: Path, feed: Feed, log: Path) -> None:
        self._directory = directory
        self._feed = feed
        self._log = log

    def round(self, batch_count: int) -> None:
        """Opens the store, writes, seals midway, reads and closes."""
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
            if not full_of(self._log).exists():
                self._send_again(store)
            self._step("close", store.close)

    def end(self) -> None:
        """Sends all that was refused again, now that nothing fails."""
        store = self._open()
        assert store is not None
        self._send_again(store)
        self._read(store)
        store.close()

    def _send_again(self, store: EmbeddedStore) -> None:
        """What a client does that was refused; a store that takes nothing any more is found here."""
        deadline = time.monotonic() + RETRY_SECONDS_MAX
        while self._feed.unanswered() and time.monotonic() < deadline:
            for batch in self._feed.unanswered():
                self._write(store, batch)
            if self._feed.unanswered():
                time.sleep(0.05)
        _tell("resumed", left=len(self._feed.unanswered()))

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

    def _step(self, name: str, act: Callable[[], Any], **more: object) -> bool:
        try:
            act()
        except PegcountError as error:
            _tell(name, error=type(error).__name__, text=str(error), **more)
            return False
        except Exception as error:
            _tell(name, fault=f"{type(error).__name__}: {error}", **more)
            return False
        _tell(name, **more)
        return True


def _tell(name: str, **more: object) -> None:
    print(json.dumps({"step": name, **more}), flush=True)
