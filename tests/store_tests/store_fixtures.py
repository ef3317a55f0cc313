"""Record builders and a store harness for the store tests."""

import contextlib
import resource
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import calendar, core
from pegcount.config import Config
from pegcount.model import Measure, Predicate, Scan, WriteOutcome
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2, reports_pb2

DAY_S = 86_400
SETUP_S = 1_774_771_200
"""2026-03-29T08:00:00Z."""
NOW_US = (SETUP_S + DAY_S) * 1_000_000
"""The harness clock until a test moves it: the time at which batches are received."""
NO_LIMIT = core.CancelToken(None)
"""A token of work that nothing ends."""
MANUAL_MAINTENANCE = Config(maintenance_seconds=3_600.0)
"""Turns background maintenance off: the store flushes and compacts only when the test calls for it."""

_COLUMN_OF_FIELD = {"session_setup_time": "setup_time", "session_start_time": "answer_time"}


class StoreHarness:
    """Opens a store with a settable clock, can reopen it, and closes it at the end of the `with` block.

    Time passes for the clock and for the monotonic clock when a test changes `now_us`; only the clock jumps
    when it changes `clock_error_us`. Another `boot` stands for a machine that was started again.
    """

    def __init__(self, directory: Path, config: Config) -> None:
        self.directory = directory
        self.config = config
        self.now_us = NOW_US
        self.clock_error_us = 0
        self.boot = 1
        self._killed: list[EmbeddedStore] = []
        self.store = self.open(create=True)

    def open(self, create: bool = False) -> EmbeddedStore:
        """Returns a store over the directory, with the clock of the harness."""
        return EmbeddedStore(
            self.directory,
            self.config,
            create=create,
            clock=lambda: self.now_us + self.clock_error_us,
            monotonic=lambda: self.now_us / 1_000_000,
            boot=lambda: self.boot,
        )

    def reopen(self) -> None:
        self.store.close()
        self.store = self.open()

    def reopen_after_kill(self) -> None:
        """Reopens a copy of the directory as it is now, as after a kill; the old store goes on unused."""
        self._killed.append(self.store)
        self.directory = Path(
            shutil.copytree(self.directory, self.directory.with_name(f"{self.directory.name}'"))
        )
        self.store = self.open()

    def flush(self) -> None:
        self.store.flush()

    def flush_and_reopen(self) -> None:
        self.flush()
        self.reopen()

    def maintain(self) -> None:
        self.store.maintain()

    def flush_without_active_snapshot(self) -> None:
        """Flushes as the store does when there are too many active sessions to copy at each flush."""
        self.store.flush(with_active=False)

    def files(self) -> list[str]:
        """Returns the relative paths of all segments, active snapshots and temporary files."""
        found = [*self.directory.glob("segments/*/*"), *self.directory.glob("active/*")]
        return sorted(path.relative_to(self.directory).as_posix() for path in found)

    def segment(self, day: str = "2026-03-29") -> Path:
        """Returns the newest segment of a UTC day."""
        return max(self.directory.glob(f"segments/{day}/*"))

    def journal(self) -> list[Path]:
        """Returns the journal files, oldest first."""
        return sorted(self.directory.glob("journal/*"))

    def __enter__(self) -> "StoreHarness":
        return self

    def __exit__(self, *_: object) -> None:
        for store in [*self._killed, self.store]:
            store.close()


def finished(session_id: str, setup_s: int = SETUP_S, **more: Any) -> records_pb2.SessionRecord:
    """Builds a call that rings for 10 s and then lasts for 60 s."""
    times = {"answer_time": Timestamp(seconds=setup_s + 10), "end_time": Timestamp(seconds=setup_s + 70)}
    return active(session_id, setup_s, **{**times, **more})


def active(session_id: str, setup_s: int = SETUP_S, **more: Any) -> records_pb2.SessionRecord:
    """Builds an unanswered call without an end."""
    return records_pb2.SessionRecord(session_id=session_id, setup_time=Timestamp(seconds=setup_s), **more)


def batch(*records: records_pb2.SessionRecord) -> bytes:
    """Encodes a `WriteRecordsRequest`."""
    return records_pb2.WriteRecordsRequest(records=records).SerializeToString()


def write(store: EmbeddedStore, *records: records_pb2.SessionRecord) -> tuple[int, int, int]:
    """Writes a batch, asserts that no record is rejected, and returns (accepted, replaced, duplicates)."""
    outcome: WriteOutcome = store.write(batch(*records))
    assert outcome.rejected == ()
    return outcome.accepted, outcome.replaced, outcome.duplicates


def rows(
    store: EmbeddedStore,
    *fields: str,
    predicates: Sequence[Predicate] = (),
    code_deck: int | None = None,
) -> list[reports_pb2.ActiveSessionRow]:
    """Returns ActiveSessions rows grouped by `fields` over all matching records, finished ones included."""
    utc = calendar.zone("UTC")
    assert utc is not None
    keys = tuple(_COLUMN_OF_FIELD.get(name, name) for name in fields)
    scan = Scan(None, tuple(predicates), keys, Measure("sessions"), code_deck)
    body = core.active_response(
        store.partials(scan, 10**6, core.CancelToken(None)),
        header=b"",
        limits=core.AnswerLimits(core.CancelToken(None), 2**30, 2**30),
        fields=[*fields, "quantity"],
        order=[],
        limit=None,
        rollup=False,
        zone=utc,
    )
    return list(reports_pb2.QueryActiveSessionsResponse.FromString(body).rows)


def session_ids(store: EmbeddedStore, predicates: Sequence[Predicate] = ()) -> list[str]:
    """Returns the session ids of all stored records, repeated for each copy that the store counts."""
    found = rows(store, "session_id", predicates=predicates)
    return [row.session_id for row in found for _ in range(row.quantity)]


@contextlib.contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Simulates a full disk: writes beyond `limit` bytes of any file fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


ACKNOWLEDGED = ["active", "journaled", "sealed"]
"""Session ids of the fixture `harness` of conftest.py, sorted."""


def all_files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name not in {"lock", "catalog.db-journal"}
    }
