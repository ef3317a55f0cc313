"""A race of writers over a cluster, whose shards and writers die and freeze, and readers that watch it."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

from conformance.memory_rows import Row
from pegcount.core import CancelToken
from pegcount.errors import PegcountError
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.store.clickhouse.tables import schema
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.writing.commit import commit_token, empty_commit
from waiting import stays, wait_until

from clickhouse.race_requests import CONFIG, DELETION, ERASED, HOT_DAYS, NOW_US, RETENTION, Request
from clickhouse.race_writer import STOP, journal_of, sent_requests
from clickhouse.rig import LONG, Rig, Server

WRITER_COUNT = 3
_LOOK_SECONDS = 0.1 if LONG else 0.4
"""Between two looks of the readers, which take the processors from writers."""
_NUMBERS = count(1)
_COMPARED = (
    "source",
    "session_id",
    "setup_time",
    "answer_time",
    "end_time",
    "account_id",
    "orig_src_party_id",
)
_ABSENT = {"-9223372036854775808", ""}
_RECORDS = (
    f"SELECT {', '.join(_COMPARED)}, sum(sign) FROM ledger WHERE state < 9"
    f" GROUP BY {', '.join(_COMPARED)} HAVING sum(sign) != 0"
)
_DOUBLE = "SELECT key_hash FROM ledger WHERE state < 9 GROUP BY key_hash, day HAVING sum(sign) NOT IN (0, 1)"
_KEYS = (
    "SELECT source, session_id FROM ledger WHERE state < 9 GROUP BY source, session_id HAVING sum(sign) > 0"
)
_PROJECTED = (
    "SELECT state, session_kind, intDiv(setup_time, 300000000) AS five, sum(sign) AS found FROM ledger"
    " WHERE state < 9 GROUP BY state, session_kind, five HAVING found != 0 ORDER BY ALL"
)
_Record = tuple[str, ...]


class Race:
    """Writers in processes of their own, and what happens to them."""

    def __init__(self, rig: Rig, directory: Path, source: random.Random, *, tokens: str = "compared") -> None:
        self.rig = rig
        self.database = f"race_{next(_NUMBERS)}"
        self.directory = directory
        self.events: Counter[str] = Counter()
        self.faults: list[object] = []
        """What readers saw that cannot be."""
        self._source = source
        self._lost: list[tuple[Server, int, int]] = []
        """Home days and numbers of commits that a server has lost."""
        self._tokens = tokens
        self._writers: dict[int, subprocess.Popen[bytes]] = {}
        self._address = ClusterAddress.parse(rig.url(self.database))
        cluster = Cluster(self._address, 30.0)
        schema.create(cluster)
        cluster.close()
        self._stopping = threading.Event()
        self._pausing = threading.Lock()
        """Held while a server is away, as readers fail then."""
        self._reader = threading.Thread(target=self._watch)

    def __enter__(self) -> "Race":
        for number in range(WRITER_COUNT):
            self.start_writer(number)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._reader.join()
        for writer in self._writers.values():
            writer.kill()
            writer.wait()
        self.rig.ask(f"DROP DATABASE {self.database} SYNC")

    def start_writer(self, number: int) -> None:
        arguments = [self.rig.url(self.database), str(self.directory), str(number)]
        command = [sys.executable, "-m", "clickhouse.race_writer", *arguments]
        seed = str(self._source.random())
        log = (self.directory / f"log-{number}").open("ab")
        with log:
            self._writers[number] = subprocess.Popen(
                [*command, seed, self._tokens],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path])},
            )

    def acknowledged(self) -> list[Request]:
        """Returns the batches that were acknowledged, of each writer in their order."""
        journals = [journal_of(self.directory, number) for number in range(WRITER_COUNT)]
        return [request for journal in journals for request, is_done in sent_requests(journal) if is_done]

    def wait_for_batches(self, more: int) -> None:
        """Waits for further acknowledged batches."""
        wanted = self._acknowledged_count() + more
        wait_until(lambda: self._is_over() or self._acknowledged_count() >= wanted, "batches", 120.0, 0.05)
        self._require_writers()

    def finish(self) -> None:
        """Lets the writers end, and adds up what they counted."""
        (self.directory / STOP).touch()
        for number, writer in self._writers.items():
            assert writer.wait(120.0) == 0, self._log_of(number)
        for path in self.directory.glob("counts-*"):
            self.events.update(json.loads(path.read_text(encoding="utf-8")))

    # ---- What happens meanwhile ----

    def kill_shard(self) -> None:
        with self._pausing:
            self._source.choice(self.rig.servers).restart()

    def freeze_shard(self) -> None:
        server = self._source.choice(self.rig.servers)
        with self._pausing:
            server.freeze()
            stays(lambda: True, self._source.uniform(0.1, 0.8))
            server.thaw()

    def kill_writer(self) -> None:
        number = self._source.randrange(WRITER_COUNT)
        self._writers[number].kill()
        self._writers[number].wait()
        self.start_writer(number)

    def freeze_writer(self) -> None:
        writer = self._writers[self._source.randrange(WRITER_COUNT)]
        writer.send_signal(signal.SIGSTOP)
        self.wait_for_batches(5)
        writer.send_signal(signal.SIGCONT)

    def lose_commit(self) -> None:
        """Has a server keep the number of a commit, and lose its part, as a crash between both does."""
        server = self._source.choice(self.rig.servers)
        with self._pausing:
            day = HOT_DAYS[self._source.randrange(len(HOT_DAYS))]
            server.ask("SYSTEM STOP MERGES", database=self.database)
            seq, path = self._empty_commit(server, day)
            self._lost.append((server, day, seq))
            server.kill()
            shutil.rmtree(path)
            server.start()

    def delete_erase_and_retain(self) -> None:
        """Deletes, erases and sets the retention, beside the writers."""
        store = ClickHouseStore(self._address, CONFIG, clock=lambda: NOW_US)
        try:
            self._until_done(lambda: store.erase([ERASED], CancelToken(60.0)))
            self._until_done(lambda: store.delete(DELETION, CancelToken(60.0)))
            self._until_done(lambda: store.set_retention(RETENTION))
        finally:
            store.close()

    def _until_done(self, change: Callable[[], object]) -> None:
        while True:
            try:
                change()
            except PegcountError:
                self.events["refused changes"] += 1
            else:
                return

    # ---- What the cluster has ----

    def require(self, expected: list[Row]) -> None:
        """Asserts that the tables have exactly these records, before and after all merges."""
        wanted = sorted((*(_text(row.get(name)) for name in _COMPARED), "1") for row in expected)
        for step in ("as written", "after all merges"):
            found = self.records()
            assert found == wanted, f"{step}: {_difference(found, wanted)}"
            plain, projected = (self._ask(_PROJECTED, optimize_use_projections=use) for use in (0, 1))
            assert plain == projected, step
            self.rig.ask("OPTIMIZE TABLE ledger FINAL", database=self.database)

    def records(self) -> list[_Record]:
        """Returns the records of all shards, each with how often it is there."""
        rows = (tuple("" if each in _ABSENT else each for each in row) for row in self._ask(_RECORDS))
        return sorted(rows)

    def skipped_count(self) -> int:
        """Returns how many numbers of lost commits have been skipped, by another commit after them."""
        query = "SELECT max(seq), countIf(seq = %d) FROM ledger WHERE state = 9 AND day = %d"
        skipped = 0
        for server, day, seq in self._lost:
            head, there = server.ask(query % (seq, day), database=self.database).split()
            skipped += int(head) > seq and there == "0"
        return skipped

    def _watch(self) -> None:
        try:
            while not self._stopping.wait(_LOOK_SECONDS):
                with self._pausing:
                    if double := self._ask(_DOUBLE):
                        self.faults.append(("a key is there twice, or less than not at all", double))
                    before = self._acknowledged_keys()
                    if missing := before - set(map(tuple, self._ask(_KEYS))):
                        self.faults.append(("acknowledged, and not there", missing))
                    self.events["looks"] += 1
        except BaseException as error:
            self.faults.append(error)

    def _acknowledged_keys(self) -> set[_Record]:
        """Keys of acknowledged records that nothing removes."""
        records = (record for request in self.acknowledged() for record in request.records)
        return {
            (record.source, record.session_id)
            for record in records
            if record.session_id not in DELETION.session_ids and not record.session_id.startswith("old")
        }

    def _ask(self, statement: str, **settings: str | int) -> list[list[str]]:
        answers = self.rig.ask(statement, database=self.database, **settings)
        return [line.split("\t") for answer in answers for line in answer.splitlines()]

    def _empty_commit(self, server: Server, day: int) -> tuple[int, str]:
        """Makes a commit among those of the writers, and returns its number and the path of its part."""
        cluster, number = Cluster(self._address, 30.0), self.rig.servers.index(server)
        marker = f"ledger WHERE state = 9 AND day = {day}"
        try:
            while True:
                head = server.ask(f"SELECT max(seq) FROM {marker}", database=self.database)
                commit = empty_commit(day, int(head) + 1)
                token = commit_token(day, commit.seq, 0)
                cluster.shards[number].insert("ledger", commit.rows, CancelToken(30.0), token=token)
                part = f"SELECT _part FROM {marker} AND writer = {commit.nonce}"
                path = (
                    "SELECT path FROM system.parts WHERE active AND database = currentDatabase()"
                    f" AND table = 'ledger' AND name IN ({part})"
                )
                if found := server.ask(path, database=self.database).strip():
                    return commit.seq, found
        finally:
            cluster.close()

    def _acknowledged_count(self) -> int:
        journals = (journal_of(self.directory, number) for number in range(WRITER_COUNT))
        return sum(each.read_bytes().count(b"acknowledged\n") for each in journals if each.exists())

    def _is_over(self) -> bool:
        return bool(self.faults) or any(each.poll() is not None for each in self._writers.values())

    def _require_writers(self) -> None:
        for number, writer in self._writers.items():
            if (status := writer.poll()) is not None:
                self.faults.append((f"writer {number} ended with {status}", self._log_of(number)))

    def _log_of(self, number: int) -> str:
        return (self.directory / f"log-{number}").read_text(encoding="utf-8")[-3_000:]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _difference(found: list[_Record], wanted: list[_Record]) -> str:
    surplus, missing = sorted(set(found) - set(wanted)), sorted(set(wanted) - set(found))
    return f"{len(found)} records instead of {len(wanted)}; surplus {surplus[:8]}, missing {missing[:8]}"
