"""A store in the memory of one process, in plain Python: a demonstration of `pegcount.store.interface`.

It was written from the text of the interface, and shares with the embedded store only what takes the cells of
a scan, `core.Partials`. It is slow, and keeps nothing when the process ends.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from pegcount import core, errors, model
from pegcount.config import Config
from pegcount.store.retention import first_retained_day
from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import SessionRecord

from conformance.memory_records import (
    DAY_US,
    DEFAULTS,
    Row,
    Session,
    changes,
    check_column,
    columns_of,
    condition_of,
    differs,
    is_other_call,
    key_column,
    measured,
    merge,
    micros,
    rank_of,
    rates_of,
    reject_reason,
    rejection_of_new,
)

_OUTCOMES = ("accepted", "replaced", "duplicate", "outranked", "suspected")


@dataclass
class Disk:
    """What a store leaves behind when it is closed."""

    sessions: dict[tuple[str, str], list[Session]] = field(default_factory=dict)
    decks: dict[int, list[list[str]]] = field(default_factory=dict)
    documents: dict[str, model.Document] = field(default_factory=dict)
    document_version: int = 0
    retention: model.Retention = field(default_factory=model.Retention)


@dataclass
class Written:
    """A `PendingWrite` of a store that makes batches durable at once."""

    outcome: model.WriteOutcome

    def wait(self) -> model.WriteOutcome:
        return self.outcome

    def wait_for_response(self) -> bytes:
        names = ("accepted", "replaced", "duplicates", "outranked", "suspected_reuse")
        counts = {name: getattr(self.outcome, name) for name in names}
        batch_id = self.outcome.batch_id
        rejected = self._rejected()
        message = records_pb2.WriteRecordsResponse(batch_id=batch_id, rejected=rejected, **counts)
        return message.SerializeToString()

    @property
    def rejected_bytes(self) -> int:
        return sum(message.ByteSize() for message in self._rejected())

    def _rejected(self) -> list[records_pb2.RejectedRecord]:
        return [
            records_pb2.RejectedRecord(index=r.index, reason=r.reason, description=r.description)  # type: ignore[arg-type]
            for r in self.outcome.rejected
        ]


class MemoryStore:
    """A `Store` over a `Disk`."""

    write_fault: str | None = None

    def __init__(self, disk: Disk, config: Config, clock: Callable[[], int]) -> None:
        self._disk = disk
        self._config = config
        self._clock = clock
        self._lock = threading.RLock()
        self._resources = core.QueryResources(config)

    def submit(self, batch: bytes, cancel_token: core.CancelToken) -> Written:
        cancel_token.check()
        message = _parsed(batch)
        _check_limit(errors.BatchLimitError, len(message.records), self._config.batch_row_count_max)
        _check_limit(
            errors.BatchIdTooLongError, len(message.batch_id.encode()), self._config.batch_id_bytes_max
        )
        outcomes: list[str] = []
        rejected = []
        with self._lock:
            for index, record in enumerate(message.records):
                found = reject_reason(record)
                if not message.accept_stored:
                    found = found or rejection_of_new(record, self._config.call_seconds_max)
                found = found or self._too_old(record)
                if found is None:
                    outcomes += self._add(record)
                else:
                    rejected.append(model.RejectedRecord(index, *found))
        accepted, replaced, duplicates, outranked, suspected = map(outcomes.count, _OUTCOMES)
        batch_id = message.batch_id if message.HasField("batch_id") else None
        counts = (accepted, replaced, duplicates, tuple(rejected), batch_id, outranked, suspected)
        return Written(model.WriteOutcome(*counts))

    def write(self, batch: bytes) -> model.WriteOutcome:
        return self.submit(batch, core.CancelToken(None)).wait()

    def partials(
        self, scan: model.Scan, cell_count_max: int, cancel_token: core.CancelToken
    ) -> core.Partials:
        deck = None if scan.code_deck is None else self._deck(scan.code_deck)
        edges = None if scan.edge_us is None else scan.edge_us.tolist()
        bin_count = 1 if edges is None else max(0, len(edges) - 1)
        cells: dict[tuple[Any, ...], list[int]] = {}
        if not scan.keys:
            cells = {(number,): [0, 0, 0] for number in range(bin_count)}
        tests = [condition_of(predicate) for predicate in scan.predicates]
        for name in scan.keys:
            check_column(name)
        for row in self._rows(cancel_token, deck):
            number = 0 if edges is None else int(np.searchsorted(edges, row["setup_time"], side="right")) - 1
            if not (0 <= number < bin_count and all(test(row) for test in tests)):
                continue
            sums = cells.setdefault(
                (number, *(row.get(key, DEFAULTS.get(key)) for key in scan.keys)), [0, 0, 0]
            )
            if scan.keys and len(cells) > cell_count_max:
                _check_limit(errors.CellLimitError, len(cells), cell_count_max)
            for position, value in enumerate(measured(row, scan.measure)):
                sums[position] += value
        columns = list(zip(*cells, strict=True)) or [()] * (1 + len(scan.keys))
        return core.Partials(
            self._resources,
            bin_count=bin_count,
            sums=np.array(list(cells.values()), np.int64).reshape(-1, 3),
            bins=np.array(columns[0], np.int64),
            keys=[key_column(name, values) for name, values in zip(scan.keys, columns[1:], strict=True)],
        )

    def estimate(self, scan: model.Scan) -> int | None:
        return None

    def any_match(self, predicates: Sequence[model.Predicate], cancel_token: core.CancelToken) -> bool:
        tests = [condition_of(predicate) for predicate in predicates]
        return any(all(test(row) for test in tests) for row in self._rows(cancel_token, None))

    def first_day(self, cancel_token: core.CancelToken) -> int | None:
        return min((row["setup_time"] // DAY_US for row in self._all_rows()), default=None)

    def put_code_deck(self, deck_id: int, deck: core.CodeDeck) -> None:
        self._disk.decks[deck_id] = json.loads(deck.json_piece(0, deck.entry_count) or b"[]")

    def code_decks(self) -> Mapping[int, int]:
        return {deck_id: len(entries) for deck_id, entries in self._disk.decks.items()}

    def retention(self) -> model.Retention:
        return self._disk.retention

    def set_retention(self, retention: model.Retention) -> None:
        with self._lock:
            self._disk.retention = retention
            first, active_us = (
                self._first_retained_day(),
                self._clock() - self._config.active_ttl_seconds * 1_000_000,
            )
            for key, sessions in self._disk.sessions.items():
                self._disk.sessions[key] = [
                    session
                    for session in sessions
                    if session.row["setup_time"] // DAY_US >= first
                    or ("end_time" not in session.row and session.row["received_time"] > active_us)
                ]

    def accept_clock(self) -> None:
        """The clock is always believed."""

    def refused_clock(self) -> model.RefusedClock | None:
        return None

    @property
    def session_now_us(self) -> int:
        return self._clock()

    def document(self, name: str) -> model.Document | None:
        return self._disk.documents.get(name)

    def documents(self) -> Mapping[str, int]:
        return {name: document.version for name, document in sorted(self._disk.documents.items())}

    def put_document(self, name: str, content: bytes | None, expected_version: int | None) -> int:
        with self._lock:
            version = self.documents().get(name)
            if version != expected_version:
                raise errors.DocumentChangedError(name, expected_version, version)
            if content is not None and len(content) > self._config.document_bytes_max:
                raise errors.DocumentTooLargeError(name, len(content), self._config.document_bytes_max)
            self._disk.document_version += 1
            self._disk.documents.pop(name, None)
            if content is not None:
                self._disk.documents[name] = model.Document(self._disk.document_version, content)
            return self._disk.document_version

    def info(self) -> model.StoreInfo:
        rows = self._all_rows()
        times = [row["setup_time"] for row in rows]
        active = sum("end_time" not in row for row in rows)
        return model.StoreInfo(
            len(rows), len(rows), active, 0, 0, min(times, default=None), max(times, default=None)
        )

    def close(self) -> None:
        """Nothing is open."""

    def _add(self, record: SessionRecord) -> list[str]:
        """Adds a version of a session, and returns as which of `_OUTCOMES` it counts."""
        version, day = columns_of(record), micros(record.setup_time) // DAY_US
        sessions = self._disk.sessions.setdefault((record.source, record.session_id), [])
        joined = [one for one in sessions if one.first_day - 1 <= day <= one.last_day + 1]
        suspected = ["suspected"] if any(is_other_call(one, version) for one in joined) else []
        rank = rank_of(record)
        if len(joined) == 1 and not changes(joined[0], rank, version, day):
            return ["duplicate", *suspected, *(["outranked"] if differs(joined[0], version) else [])]
        versions = {rank: version} | {key: row for one in joined for key, row in one.versions.items()}
        days = [day, *(one.first_day for one in joined), *(one.last_day for one in joined)]
        merged = {**merge(versions), "received_time": self._clock()}
        rest = [one for one in sessions if one not in joined]
        self._disk.sessions[record.source, record.session_id] = [
            *rest,
            Session(versions, min(days), max(days), merged),
        ]
        return ["replaced", *suspected] if joined else ["accepted"]

    def _too_old(self, record: SessionRecord) -> tuple[int, str] | None:
        day = micros(record.setup_time) // DAY_US
        sessions = self._disk.sessions.get((record.source, record.session_id), [])
        joined = (one for one in sessions if one.first_day - 1 <= day <= one.last_day + 1)
        if day >= self._first_retained_day() or any("end_time" not in one.row for one in joined):
            return None
        return records_pb2.REJECT_REASON_BEFORE_RETENTION, "setup_time is before the retained days"

    def _first_retained_day(self) -> int:
        sizes = [(row["setup_time"] // DAY_US, len(repr(row))) for row in self._all_rows()]
        return first_retained_day(self._disk.retention, sizes, self._clock()) or 0

    def _all_rows(self) -> list[Row]:
        with self._lock:
            return [one.row for sessions in self._disk.sessions.values() for one in sessions]

    def _rows(
        self, cancel_token: core.CancelToken, deck: Mapping[str, Sequence[str]] | None
    ) -> Iterator[Row]:
        cancel_token.check()
        for row in self._all_rows():
            cancel_token.check()
            yield row if deck is None else {**row, **rates_of(row, deck)}

    def _deck(self, deck_id: int) -> Mapping[str, Sequence[str]]:
        if deck_id not in self._disk.decks:
            message = f"there is no code deck {deck_id}"
            raise errors.NotFoundError("CODE_DECK_NOT_FOUND", "code_deck", message, code_deck=deck_id)
        return {entry[0]: entry for entry in self._disk.decks[deck_id]}


def _parsed(batch: bytes) -> records_pb2.WriteRecordsRequest:
    try:
        return records_pb2.WriteRecordsRequest.FromString(batch)
    except DecodeError as error:
        raise errors.MalformedMessageError(str(error)) from error


def _check_limit(error: type[errors.PegcountError], asked: int, allowed: int) -> None:
    if asked > allowed:
        raise error(f"there are {asked}; {allowed} are allowed", asked=asked, allowed=allowed)
