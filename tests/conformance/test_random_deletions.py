"""Random writes, deletions, lifts, flushes and restarts leave the same records as in the store in memory."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.model import Deletion, Measure, Scan
from pegcount.store import EmbeddedStore, Store
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest

from conformance.memory_store import Disk, MemoryStore

CONFIG = Config(maintenance_seconds=3_600.0)
NOW_US = 1_774_900_000_000_000
NO_LIMIT = CancelToken(None)
KEYS = ("source", "session_id", "setup_time", "end_time", "folder")

DAYS = st.integers(0, 3)
"""UTC days, of which the first and the last are too far apart for one session."""
SETUPS_S = st.builds(lambda day, second: 1_774_742_400 + day * 86_400 + second, DAYS, st.integers(0, 2))
SOURCES = st.sampled_from(["", "a"])
IDS = st.sampled_from(["x", "y", "z"])


@st.composite
def records(draw: st.DrawFn) -> SessionRecord:
    setup_s = draw(SETUPS_S)
    record = SessionRecord(
        source=draw(SOURCES),
        session_id=draw(IDS),
        setup_time=Timestamp(seconds=setup_s),
        folder=draw(st.sampled_from(["", "f", "g"])),
        revision=draw(st.integers(0, 2)),
    )
    if draw(st.booleans()):
        record.end_time.seconds = setup_s + 9
    return record


DELETIONS = st.builds(
    Deletion,
    source=st.none() | SOURCES,
    from_us=st.none() | SETUPS_S.map(lambda second: second * 1_000_000),
    to_us=st.none() | SETUPS_S.map(lambda second: second * 1_000_000 + 1),
    session_ids=st.lists(IDS, unique=True, max_size=2).map(tuple),
    once=st.booleans(),
)
STEPS = st.lists(
    st.one_of(
        st.lists(records(), min_size=1, max_size=4),
        st.lists(records(), min_size=1, max_size=4),
        DELETIONS,
        st.sampled_from(["flush", "flush without active", "maintain", "restart", "lift"]),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=40)
@given(STEPS)
def test_deletions_leave_the_same_records_in_both_stores(steps: Sequence[Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="pegcount-") as folder:
        model = MemoryStore(Disk(), CONFIG, lambda: NOW_US)
        store = open_store(Path(folder) / "data")
        for step in steps:
            if step == "restart":
                store.close()
                store = open_store(Path(folder) / "data")
            elif isinstance(step, str):
                run(step, store, model)
            elif isinstance(step, Deletion):
                assert store.delete(step, NO_LIMIT) == model.delete(step, NO_LIMIT)
            else:
                batch = WriteRecordsRequest(records=step).SerializeToString()
                assert outcome(store, batch) == outcome(model, batch)
            assert lines(store) == lines(model)
            assert list(store.deletions()) == list(model.deletions())
        store.close()


def open_store(directory: Path) -> EmbeddedStore:
    return EmbeddedStore(directory, CONFIG, create=True, clock=lambda: NOW_US)


def run(step: str, store: EmbeddedStore, model: MemoryStore) -> None:
    if step == "maintain":
        store.maintain()
    elif step != "lift":
        store.flush(with_active=step == "flush")
    elif rules := model.deletions():
        for each in (store, model):
            each.lift_deletion(rules[0].rule_id, CancelToken(None))


def outcome(store: Store, batch: bytes) -> tuple[object, ...]:
    """Returns the counts of a batch, and the rejected records without the words."""
    written = store.write(batch)
    rejected = [(each.index, each.reason) for each in written.rejected]
    return written.accepted, written.replaced, written.duplicates, rejected


def lines(store: Store) -> list[tuple[Any, ...]]:
    """Returns a line for each group of equal records, sorted."""
    found = store.partials(Scan(None, (), KEYS, Measure("sessions")), 1_000, NO_LIMIT)
    columns = [
        [key[1][code] for code in key[0]] if isinstance(key, tuple) else key.tolist() for key in found.keys
    ]
    return sorted(zip(*columns, found.sums[:, 0].tolist(), strict=True))
