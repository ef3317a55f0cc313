"""Two stores: one has all records of a world, the other one those within a data scope."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from decks import deck_of
from google.protobuf.message import Message
from pegcount import core, errors
from pegcount.config import Config, Tuning
from pegcount.data_scope import DataScope
from pegcount.server import status
from pegcount.server.call_clock import CallClock
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import SessionRecord
from store_reports import StoreReports

from .scoped_worlds import NOW_US, Session

_DECK = (("49", "Germany", "DE"), ("4930", "Berlin", "DE"), ("44", "Kingdom", "GB"))
_SMALL = Tuning(rollup_rows_per_row_min=0, histogram_row_count_min=1, account_row_count_estimate=1)
"""Rollups and histograms of few rows, as those of a large store."""
_WRITE_MINUTES = 30


def merged(session: Session) -> SessionRecord:
    """Returns the record that a store has of the messages of a session."""
    held: list[core.Versions] = []
    for index, message in enumerate(session.messages):
        corrects = session.has_correction and index == len(session.messages) - 1
        batch = records_pb2.WriteRecordsRequest(records=[message], correct=corrects)
        decoded = core.decode_batch(batch.SerializeToString(), Config())
        [(_, version)] = decoded.versions
        joined, _ = version.correct(held) if corrects else version.join(held)
        held = [joined]
    return SessionRecord.FromString(held[0].record)


class ScopedStore:
    """A store that has some sessions of a world, written in the order of the world."""

    def __init__(self, directory: Path, dice: random.Random) -> None:
        config = Config(tuning=dice.choice((Tuning(), _SMALL)))
        self._config = config
        self._dice = dice
        self._now_us = NOW_US - 3_600_000_000
        self._store = EmbeddedStore(directory, config, create=True, clock=lambda: self._now_us)
        self._store.put_code_deck(1, deck_of(*_DECK))
        self._reports: dict[DataScope | None, StoreReports] = {}

    def write(self, sessions: Sequence[Session]) -> None:
        """Writes all first messages, then all second ones, and so on, a minute apart."""
        for number in range(3):
            begin_us = self._now_us
            for corrects in (False, True):
                self._write_batch(_messages(sessions, number, corrects), corrects)
            if self._dice.random() < 0.3:
                self._store.flush(with_active=self._dice.random() < 0.5)
            self._now_us = begin_us + 60_000_000

    def outcome(self, method: str, request: Message, scope: DataScope | None) -> tuple[str, bytes]:
        """Returns what a caller with a data scope gets: `OK` and the answer, or a reason and the status."""
        if scope not in self._reports:
            self._reports[scope] = StoreReports(self._config, self._store, lambda: NOW_US, scope)
        token = core.CancelToken(None)
        try:
            report = self._reports[scope].prepare(method, request.SerializeToString(), token)
            answer = report.answer(token, CallClock())
            notices = b"" if answer.search is None else answer.search.notices(token)
            return "OK", answer.data + notices
        except errors.PegcountError as error:
            return error.reason, status.status_of(error, "request").SerializeToString()

    def _write_batch(self, messages: Iterable[SessionRecord], corrects: bool) -> None:
        batch = records_pb2.WriteRecordsRequest(records=messages, correct=corrects)
        if batch.records:
            self._store.write(batch.SerializeToString())

    def __enter__(self) -> "ScopedStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()


def _messages(sessions: Sequence[Session], number: int, corrects: bool) -> Iterable[SessionRecord]:
    for session in sessions:
        is_last = number == len(session.messages) - 1
        if number < len(session.messages) and corrects == (session.has_correction and is_last):
            yield session.messages[number]
