"""Records for the tests of the store, and what a store holds."""

import contextlib
import resource
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
"""When batches are received, unless a test says otherwise."""
BY_HAND = Config(maintenance_seconds=3_600.0)
"""The store does nothing by itself while a test runs, only when the test says so."""

_COLUMN_OF_FIELD = {"session_setup_time": "setup_time", "session_start_time": "answer_time"}


class Reopening:
    """A store that can be closed and opened again, and its clock; leaving its block closes it."""

    def __init__(self, directory: Path, config: Config) -> None:
        self.directory = directory
        self.config = config
        self.now_us = NOW_US
        self.store = self._opened(create=True)

    def reopen(self) -> None:
        self.store.close()
        self.store = self._opened()

    def flush(self) -> None:
        self.store.flush()

    def flush_and_reopen(self) -> None:
        self.flush()
        self.reopen()

    def maintain(self) -> None:
        self.store.maintain()

    def flush_without_the_active_sessions(self) -> None:
        """As a seal is while so many are active that copying them each time would cost too much."""
        self.store._maintenance.flush(with_active=False)

    def files(self) -> list[str]:
        """Segments, copies of the active sessions, and whatever else stands beside them."""
        found = [*self.directory.glob("segments/*/*"), *self.directory.glob("active/*")]
        return sorted(path.relative_to(self.directory).as_posix() for path in found)

    def segment(self, day: str = "2026-03-29") -> Path:
        """The newest segment of a UTC day."""
        return max(self.directory.glob(f"segments/{day}/*"))

    def journal(self) -> list[Path]:
        """The files of the journal, oldest first."""
        return sorted(self.directory.glob("journal/*"))

    def _opened(self, create: bool = False) -> EmbeddedStore:
        return EmbeddedStore(self.directory, self.config, create=create, clock=lambda: self.now_us)

    def __enter__(self) -> "Reopening":
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()


def finished(session_id: str, setup_s: int = SETUP_S, **more: Any) -> records_pb2.SessionRecord:
    """A call that rang for 10 s and was talked on for 60 s."""
    times = {"answer_time": Timestamp(seconds=setup_s + 10), "end_time": Timestamp(seconds=setup_s + 70)}
    return active(session_id, setup_s, **{**times, **more})


def active(session_id: str, setup_s: int = SETUP_S, **more: Any) -> records_pb2.SessionRecord:
    """A call that has not been answered nor ended."""
    return records_pb2.SessionRecord(session_id=session_id, setup_time=Timestamp(seconds=setup_s), **more)


def batch(*records: records_pb2.SessionRecord) -> bytes:
    """A batch in wire form."""
    return records_pb2.WriteRecordsRequest(records=records).SerializeToString()


def write(store: EmbeddedStore, *records: records_pb2.SessionRecord) -> tuple[int, int, int]:
    """Writes a batch of which nothing is rejected; gives accepted, replaced, duplicates."""
    outcome: WriteOutcome = store.write(batch(*records))
    assert outcome.rejected == ()
    return outcome.accepted, outcome.replaced, outcome.duplicates


def rows(
    store: EmbeddedStore,
    *fields: str,
    predicates: Sequence[Predicate] = (),
    code_deck: int | None = None,
) -> list[reports_pb2.ActiveSessionRow]:
    """Rows of all records that meet the predicates, finished ones too, with any fields of the report."""
    utc = calendar.zone("UTC")
    assert utc is not None
    keys = tuple(_COLUMN_OF_FIELD.get(name, name) for name in fields)
    scan = Scan(None, tuple(predicates), keys, Measure("sessions"), code_deck)
    body = core.active_response(
        store.partials(scan, 10**6, core.CancelToken(None)),
        fields=[*fields, "quantity"],
        order=[],
        limit=None,
        rollup=False,
        zone=utc,
    )
    return list(reports_pb2.QueryActiveSessionsResponse.FromString(body).rows)


def names(store: EmbeddedStore, predicates: Sequence[Predicate] = ()) -> list[str]:
    """Session ids of all records held, each as often as it is held."""
    found = rows(store, "session_id", predicates=predicates)
    return [row.session_id for row in found for _ in range(row.quantity)]


@contextlib.contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Stands for a full disk: no file grows beyond `limit` bytes, nor changes beyond it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
