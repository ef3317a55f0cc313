"""A short process that exercises all writes of a store: batches, flushes, and the same after reopening.

Prints the result of each step as a line of JSON. Writes marks for each batch into the log of the shim,
to order batches and file system calls. A simulated full disk has space again after the last step;
then the process resends the refused batches.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pegcount.errors import PegcountError
from pegcount.model import Deletion
from pegcount.privacy import Masking
from pegcount.store import EmbeddedStore
from store_tests import store_fixtures
from store_tests.store_fixtures import NO_LIMIT, active, finished, rows

from faults.feed import DAY_S, Feed, FeedBatch
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


def batch_of(source: str) -> bytes:
    """Returns a batch of records to delete: finished and active ones, on two days."""
    setup_s = (_LAST_DAY - 1) * DAY_S
    make = (finished, active)
    return store_fixtures.batch(
        *(make[i % 2](f"{source}/{i}", setup_s + i // 2 * DAY_S, source=source) for i in range(4))
    )


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
        self._deleted: set[str] = set()
        self._erase_count = 0
        self._erased: list[str] = []
        """Numbers that are erased, or will be."""

    def round(self, batch_count: int) -> None:
        """Opens the store, writes, deletes, flushes now and then, reads and closes."""
        store = self._open()
        for i in range(batch_count):
            batch = self._feed.next_batch()
            if store is not None:
                self._write(store, batch)
                if i % 5 == 2:
                    self._erase(store)
                if i % 5 == 3:
                    self._delete(store, once=i > 3)
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
        for source in sorted(self._deleted):
            self._insist("delete", partial(store.delete, Deletion(source, once=True), NO_LIMIT))
        for rule in store.deletions():
            self._insist("lift", partial(store.lift_deletion, rule.rule_id, NO_LIMIT))
        assert store.deletions() == []
        self._insist("scrub", store.maintain)
        assert all(each.is_complete for each in store.erasures())
        assert store.masking_backlog() == 0
        self._read(store)
        store.close()
        _print_step("erased", numbers=self._erased)

    def _insist(self, name: str, action: Callable[[], Any]) -> None:
        """Does a step once more if it fails, for a fault that comes once."""
        assert self._step(name, action) or self._step(name, action)

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

    def _delete(self, store: EmbeddedStore, *, once: bool) -> None:
        """Deletes records of a source of their own; if that fails, all of them are left."""
        source = f"deleted {len(self._deleted)}"
        self._deleted.add(source)
        self._step("write deleted", lambda: store.write(batch_of(source)))
        deletion = Deletion(source, once=once)
        held, rules = store.count_matching(deletion, NO_LIMIT), len(store.deletions())
        if self._step("delete", lambda: store.delete(deletion, NO_LIMIT)):
            held, rules = 0, rules + (not once)
        is_as_expected = (held, rules) == (store.count_matching(deletion, NO_LIMIT), len(store.deletions()))
        _print_step("deleted", is_as_expected=is_as_expected)

    def _erase(self, store: EmbeddedStore) -> None:
        """Erases the number of a record of its own; if that fails, it did not begin, or goes on."""
        count = len(store.erasures())
        source, number = f"erased {self._erase_count}", f"+1 555 0100 {self._erase_count:05}"
        self._erase_count += 1
        self._deleted.add(source)
        record = finished("erased", (_LAST_DAY - 1) * DAY_S, source=source, orig_src_party_id=number)
        self._step("write deleted", lambda: store.write(store_fixtures.batch(record)))
        is_erased = self._step("erase", lambda: store.erase([number], NO_LIMIT))
        if len(store.erasures()) > count:
            self._erased.append(number)
        is_as_expected = not is_erased or store.erasures()[-1].is_complete
        _print_step("deleted", is_as_expected=is_as_expected)
        self._step("mask", lambda: store.set_masking(Masking(1, 9 - self._erase_count % 9)))

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
