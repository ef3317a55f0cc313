"""A store in the memory of one process, in plain Python: a demonstration of `pegcount.store.interface`.

It was written from the text of the interface, and uses what that offers to each store: the core decodes and
merges its records, and takes the cells of its scans. It is slow, and keeps nothing when the process ends.
"""

import json
import operator
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pegcount import core, errors, model
from pegcount.config import Config
from pegcount.store import PendingWrite
from pegcount.store.retention import first_retained_day
from pegcount.traffic import TrafficScan
from pegcount.v1 import records_pb2

from conformance.memory_conditions import DEFAULTS, columns_read, condition_of
from conformance.memory_privacy import PrivacyDisk, PrivacyStore
from conformance.memory_rows import TEXTS, Row, columns_of, measured, rates_of
from conformance.memory_traffic import read_columns, traffic_partials

_DAY_US = 86_400_000_000
_ABSENT = -(2**63)
_FIELDS = records_pb2.SessionRecord.DESCRIPTOR.fields
_COLUMNS = {one.name for one in _FIELDS} | {"duration_ms", "received_time"}
_COUNTS = ("accepted", "replaced", "duplicates", "outranked", "suspected_reuse")
_Refusal = tuple[Any, str]


@dataclass
class Session:
    """The versions of a session, and the columns of the record that they merge to."""

    versions: core.Versions
    row: Row


@dataclass
class Disk(PrivacyDisk):
    """What a store leaves behind when it is closed."""

    decks: dict[int, list[list[str]]] = field(default_factory=dict)
    documents: dict[str, model.Document] = field(default_factory=dict)
    document_version: int = 0
    retention: model.Retention = field(default_factory=model.Retention)


@dataclass
class Written(PendingWrite):
    """A batch of a store that makes it durable at once."""

    response: records_pb2.WriteRecordsResponse

    def wait_for_response(self) -> bytes:
        return self.response.SerializeToString()

    @property
    def rejected_bytes(self) -> int:
        return sum(one.ByteSize() for one in self.response.rejected)


class MemoryStore(PrivacyStore):
    """A store over a `Disk`."""

    write_fault: str | None = None
    _disk: Disk

    def __init__(self, disk: Disk, config: Config, clock: Callable[[], int]) -> None:
        self._disk = disk
        self._config = config
        self._clock = clock
        self._lock = threading.RLock()
        self._resources = core.QueryResources(config)

    def submit(
        self, batch: bytes, cancel_token: core.CancelToken, writer: core.RecordScope | None = None
    ) -> Written:
        cancel_token.check()
        decoded = core.decode_batch(batch, self._config)
        rejected: list[tuple[int, Any, str]] = [(r.index, r.reason, r.description) for r in decoded.rejected]
        counts = []
        with self._lock:
            self._mask_ended_days()
            first_day = self._first_retained_day()
            for index, version in decoded.versions:
                added = self._add(self._scrubbed(version), first_day, decoded.corrects, writer)
                if isinstance(added, core.BatchCounts):
                    counts.append(added)
                else:
                    rejected.append((index, *added))
        sums = {name: sum(getattr(one, name) for one in counts) for name in _COUNTS}
        response = records_pb2.WriteRecordsResponse(batch_id=decoded.batch_id, **sums)
        if decoded.dropped_alert_times:
            response.dropped_alert_times = decoded.dropped_alert_times
        for index, reason, description in sorted(rejected):
            response.rejected.add(index=index, reason=reason, description=description)
        return Written(response)

    def partials(
        self, scan: model.Scan, cell_count_max: int, cancel_token: core.CancelToken
    ) -> core.Partials:
        edge_us = [0, 2**63] if scan.edge_us is None else scan.edge_us.tolist()
        bin_count = max(0, len(edge_us) - 1)
        cells: dict[Any, list[int]] = {} if scan.keys else {(n,): [0, 0, 0] for n in range(bin_count)}
        for row in self._matching_rows(scan, cancel_token):
            number = bisect_right(edge_us, row["setup_time"]) - 1
            if not 0 <= number < bin_count:
                continue
            cell = (number, *(row.get(name, DEFAULTS.get(name)) for name in scan.keys))
            sums = cells.setdefault(cell, [0, 0, 0])
            sums[:] = map(operator.add, sums, measured(row, scan.measure))
            if scan.keys and len(cells) > cell_count_max:
                raise errors.CellLimitError("too many cells", asked=len(cells), allowed=cell_count_max)
        bins, *keys = list(zip(*cells, strict=True)) or [()] * (1 + len(scan.keys))
        return core.Partials(
            self._resources,
            bin_count=bin_count,
            sums=np.array(list(cells.values()), np.int64).reshape(-1, 3),
            bins=np.array(bins, np.int64),
            keys=[_key_column(name, values) for name, values in zip(scan.keys, keys, strict=True)],
            row_count=0,
        )

    def traffic_partials(
        self, scan: TrafficScan, cell_count_max: int, cancel_token: core.CancelToken
    ) -> "core.TrafficPartials":
        _check_columns(read_columns(scan))
        rows = self._rated_rows(scan.code_deck, cancel_token)
        deck = {} if scan.code_deck is None else self._deck(scan.code_deck)
        return traffic_partials(scan, rows, deck, cell_count_max)

    def put_code_deck(self, deck_id: int, deck: core.CodeDeck) -> None:
        self._disk.decks[deck_id] = json.loads(deck.json_piece(0, deck.entry_count))

    def code_decks(self) -> Mapping[int, int]:
        return {deck_id: len(entries) for deck_id, entries in self._disk.decks.items()}

    def retention(self) -> model.Retention:
        return self._disk.retention

    def set_retention(self, retention: model.Retention) -> None:
        with self._lock:
            self._disk.retention = retention
            first_day = self._first_retained_day()
            abandoned_us = self._clock() - self._config.active_ttl_seconds * 1_000_000
            self._remove(
                lambda row: (
                    row["setup_time"] // _DAY_US < first_day
                    and ("end_time" in row or row["received_time"] <= abandoned_us)
                )
            )

    @property
    def session_now_us(self) -> int:
        return self._clock()

    def document(self, name: str) -> model.Document | None:
        return self._disk.documents.get(name)

    def documents(self) -> Mapping[str, int]:
        return {name: document.version for name, document in sorted(self._disk.documents.items())}

    def put_document(self, name: str, content: bytes | None, expected_version: int | None) -> int:
        with self._lock:
            if (version := self.documents().get(name)) != expected_version:
                raise errors.DocumentChangedError(name, expected_version, version)
            if content is not None and len(content) > self._config.document_bytes_max:
                raise errors.DocumentTooLargeError(name, len(content), self._config.document_bytes_max)
            self._disk.document_version += 1
            self._disk.documents.pop(name, None)
            if content is not None:
                self._disk.documents[name] = model.Document(self._disk.document_version, content)
            return self._disk.document_version

    def info(self) -> model.StoreInfo:
        rows = self._rows()
        times = [row["setup_time"] for row in rows]
        active = sum("end_time" not in row for row in rows)
        first_us, last_us = min(times, default=None), max(times, default=None)
        return model.StoreInfo(len(rows), len(rows), active, 0, 0, first_us, last_us)

    def close(self) -> None:
        """Nothing is open."""

    def _add(
        self, added: core.Versions, first_day: int, corrects: bool, writer: core.RecordScope | None
    ) -> core.BatchCounts | _Refusal:
        row = columns_of(added.record)
        if self._disk.rules.cover(row):
            return records_pb2.REJECT_REASON_DELETED, "session_id was deleted"
        key, day = (row.get("source", ""), row["session_id"]), row["setup_time"] // _DAY_US
        sessions = self._disk.sessions.get(key, [])
        joined = [one for one in sessions if (days := one.versions.joinable_days)[0] <= day <= days[1]]
        if day < first_day and all("end_time" in one.row for one in joined):
            return records_pb2.REJECT_REASON_BEFORE_RETENTION, "setup_time is too early"
        if writer is not None and not all(writer.has(one.versions) for one in joined):
            return records_pb2.REJECT_REASON_OUTSIDE_DATA_SCOPE, "session_id is that of a record of others"
        try:
            merged, counts = (added.correct if corrects else added.join)([one.versions for one in joined])
        except OverflowError as error:
            return error.args[0], error.args[1]
        if not counts.duplicates:
            merged = self._scrubbed(merged)
            row = self._row_of(merged, self._clock())
            self._disk.sessions[key] = [*(one for one in sessions if one not in joined), Session(merged, row)]
        return counts

    def _first_retained_day(self) -> int:
        sizes = [(row["setup_time"] // _DAY_US, len(repr(row))) for row in self._rows()]
        return first_retained_day(self._disk.retention, sizes, self._clock()) or 0

    def _row_of(self, versions: core.Versions, received_us: int) -> Row:
        return {**columns_of(versions.record), "received_time": received_us}

    def _rows(self) -> list[Row]:
        with self._lock:
            self._mask_ended_days()
            return [one.row for sessions in self._disk.sessions.values() for one in sessions]

    def _matching_rows(self, scan: model.Scan, cancel_token: core.CancelToken) -> Iterator[Row]:
        """The rows that satisfy all predicates, with the rates of the code deck."""
        conditions = [condition_of(predicate) for predicate in scan.predicates]
        _check_columns([*scan.keys, *(name for one in scan.predicates for name in columns_read(one))])
        for row in self._rated_rows(scan.code_deck, cancel_token):
            if all(holds(row) for holds in conditions):
                yield row

    def _rated_rows(self, code_deck: int | None, cancel_token: core.CancelToken) -> Iterator[Row]:
        """All rows, with the rates of the code deck."""
        cancel_token.check()
        deck = None if code_deck is None else self._deck(code_deck)
        for row in self._rows():
            cancel_token.check()
            yield row if deck is None else {**row, **rates_of(row, deck)}

    def _deck(self, deck_id: int) -> Mapping[str, Sequence[str]]:
        if deck_id not in self._disk.decks:
            raise errors.CodeDeckNotFoundError(deck_id, self._disk.decks)
        return {entry[0]: entry for entry in self._disk.decks[deck_id]}


def _check_columns(names: Iterable[str]) -> None:
    for name in names:
        if name not in _COLUMNS:
            raise ValueError(f"records have no column {name!r}")


def _key_column(name: str, values: Sequence[Any]) -> Any:
    if name not in TEXTS:
        return np.array([_ABSENT if value is None else value for value in values], np.int64)
    codes: dict[str, int] = {"": 0}
    return np.array([codes.setdefault(value or "", len(codes)) for value in values], np.int64), list(codes)
