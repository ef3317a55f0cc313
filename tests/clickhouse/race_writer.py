"""A program that writes random batches and old ones again, until a file tells it to stop.

    python -m clickhouse.race_writer URL DIRECTORY NUMBER SEED [unique]

It notes each batch in a journal before it sends it, and after it was acknowledged. One that is started again
begins with the batch that was not. With `unique`, its commits have tokens of their own, so that nothing
compares and swaps; it then ends at the damage that this leaves, which refuses each batch from then on.
"""

import base64
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from pegcount.core import CancelToken
from pegcount.errors import DataDamagedError, PegcountError, StoreOpenError, StoreUnavailableError
from pegcount.store import Store
from pegcount.store.clickhouse import store as store_module
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.writing import commit
from pegcount.store.clickhouse.writing.group_commit import GroupCommit
from waiting import wait_until

from clickhouse.race_requests import CONFIG, NOW_US, Request, random_request

STOP = "stop"
_REPLAYED = 0.35
_SLOW_SECONDS = 0.1


def journal_of(directory: Path, number: int) -> Path:
    """Returns the path of the journal of a writer."""
    return directory / f"journal-{number}"


def sent_requests(journal: Path) -> Iterator[tuple[Request, bool]]:
    """Yields the batches of a journal, and whether each was acknowledged."""
    lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
    # A writer that is at work may be about to end its line.
    whole = [line for line in lines if line.endswith(b"\n")]
    for line, after in zip(whole, [*whole, b""][1:], strict=True):
        if line != b"acknowledged\n":
            yield Request.FromString(base64.b64decode(line)), after == b"acknowledged\n"


class _Writer:
    def __init__(
        self, store: Store, directory: Path, number: int, seed: str, *, ends_at_damage: bool
    ) -> None:
        self._store = store
        self._ends_at_damage = ends_at_damage
        self._directory = directory
        self._number = number
        self._source = random.Random(seed)
        self._journal = journal_of(directory, number)
        self.refused_count = 0

    def run(self) -> None:
        """Writes until the file is there."""
        sent = list(sent_requests(self._journal))
        if sent and not sent[-1][1]:
            self._send(sent[-1][0])
        while not (self._directory / STOP).exists():
            replayed = self._replayed() if self._source.random() < _REPLAYED else None
            request = replayed or random_request(self._source, self._number)
            self._note(base64.b64encode(request.SerializeToString()))
            self._send(request)

    def _send(self, request: Request) -> None:
        """Sends a batch until it is acknowledged."""
        while True:
            try:
                response = self._store.submit(request.SerializeToString(), CancelToken(60.0)).wait()
            except PegcountError as error:
                if self._ends_at_damage and isinstance(error, DataDamagedError):
                    raise
                self.refused_count += 1
            else:
                counted = response.accepted + response.replaced + response.duplicates
                assert counted + len(response.rejected) == len(request.records), response
                self._note(b"acknowledged")
                return

    def _replayed(self) -> Request | None:
        """Returns a batch of any writer, in another order, or None."""
        journal = journal_of(self._directory, self._source.randrange(3))
        # A correction that comes again after another one would be one more.
        sent = [request for request, _ in sent_requests(journal) if not request.correct]
        if not sent:
            return None
        request = Request()
        records = list(self._source.choice(sent).records)
        self._source.shuffle(records)
        request.records.extend(records)
        return request

    def _note(self, line: bytes) -> None:
        with self._journal.open("ab", 0) as journal:
            journal.write(line + b"\n")


def _unique_token(number: str) -> Callable[..., str]:
    numbers = count()

    def token(day: int, seq: int, epoch: int) -> str:
        # The load itself: a writer may be slow between its look at the head and its insert.
        time.sleep(_SLOW_SECONDS)
        return f"{number} {os.getpid()} {next(numbers)}"

    return token


def _opened(url: str) -> store_module.ClickHouseStore:
    """Opens the store, again and again while a shard is away, as those do who start a server."""
    opened: list[store_module.ClickHouseStore] = []

    def is_open() -> bool:
        with suppress(StoreUnavailableError, StoreOpenError):
            opened.append(
                store_module.ClickHouseStore(ClusterAddress.parse(url), CONFIG, clock=lambda: NOW_US)
            )
        return bool(opened)

    wait_until(is_open, "an open store", look_seconds=0.1)
    return opened[0]


def main(url: str, directory: str, number: str, seed: str, tokens: str = "compared") -> None:
    """Runs a writer, and writes what it counted beside its journal."""
    is_unique = tokens == "unique"
    if is_unique:
        commit.commit_token = _unique_token(number)
    made = list[GroupCommit]()

    def noted(*arguments: Any) -> GroupCommit:
        made.append(GroupCommit(*arguments))
        return made[-1]

    vars(store_module)["GroupCommit"] = noted
    store = _opened(url)
    writer = _Writer(store, Path(directory), int(number), seed, ends_at_damage=is_unique)
    writer.run()
    counts = {"lost": made[-1].lost_count, "joined": made[-1].joined_count}
    store.close()
    path = Path(directory) / f"counts-{number}-{os.getpid()}"
    path.write_text(json.dumps({**counts, "refused": writer.refused_count}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
