"""What a store makes of the rows of some calls: they are written into a temporary one and read again."""

import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pegcount import core
from pegcount.config import Config
from pegcount.importers import ReportedCall
from pegcount.model import Measure, Scan
from pegcount.store import EmbeddedStore
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest

_TIMES = ("setup_time", "answer_time", "end_time")
_TEXTS = ("source", "session_id", "orig_src_party_id", "orig_dst_party_id", "term_dst_party_id")
_KEYS = (*_TIMES, *_TEXTS, "disconnect_cause")
_ABSENT = -(2**63)

_Id = tuple[str, str]


@dataclass(slots=True)
class StoredCall:
    """The records that the rows of one id became, and the reasons of its rejected rows by line.

    It is one record, unless rows of far days have the same id. Each has the fields in `_KEYS`.
    """

    records: list[SessionRecord] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)


def stored_calls(calls: Sequence[ReportedCall], config: Config, accept_stored: bool) -> list[StoredCall]:
    """Returns what each call is in a store that has no other rows."""
    if not calls:
        return []
    stored: dict[_Id, StoredCall] = {_id(call.rows[0][1]): StoredCall() for call in calls}
    rows = [row for call in calls for row in call.rows]
    with (
        tempfile.TemporaryDirectory(prefix="pegcount-") as directory,
        closing(EmbeddedStore(Path(directory) / "data", config, create=True)) as store,
    ):
        for start in range(0, len(rows), config.import_batch_row_count):
            batch = rows[start : start + config.import_batch_row_count]
            records = [record for _, record in batch]
            request = WriteRecordsRequest(records=records, accept_stored=accept_stored)
            for rejected in store.write(request.SerializeToString()).rejected:
                line, record = batch[rejected.index]
                stored[_id(record)].rejected[line] = rejected.description
        for record in _records(store, len(rows)):
            stored[_id(record)].records.append(record)
    return list(stored.values())


def _id(record: SessionRecord) -> _Id:
    return record.source, record.session_id


def _records(store: EmbeddedStore, count_max: int) -> list[SessionRecord]:
    """Returns the records of a store in the order of setup, with the fields in `_KEYS`."""
    # A scan with all these keys has a cell for each record.
    found = store.partials(Scan(None, (), _KEYS, Measure("sessions")), count_max, core.CancelToken(None))
    columns = [_values(column) for column in found.keys]
    records = [_record(dict(zip(_KEYS, values, strict=True))) for values in zip(*columns, strict=True)]
    return sorted(records, key=lambda record: record.setup_time.ToMicroseconds())


def _values(column: Any) -> list[Any]:
    """Returns the values of a key column, None for absent ones."""
    if isinstance(column, tuple):
        codes, texts = column
        return [texts[code] or None for code in codes]
    return [None if number == _ABSENT else number for number in column.tolist()]


def _record(values: dict[str, Any]) -> SessionRecord:
    record = SessionRecord(**{name: value for name, value in values.items() if name not in _TIMES})
    for name in _TIMES:
        if values[name] is not None:
            getattr(record, name).FromMicroseconds(values[name])
    return record
