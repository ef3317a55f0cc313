"""Each store answers random traffic scans as their text says, evaluated row by row in plain Python."""

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seeds
from decks import deck_of
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core, errors
from pegcount.config import Config
from pegcount.model import OneOf
from pegcount.store import Store
from pegcount.traffic import INTERVALS, ColumnKey, TrafficMeasure, TrafficScan
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest

from conformance.memory_rows import Row, columns_of, rates_of
from conformance.memory_traffic import values_of
from conformance.random_traffic import DECK, DECK_ID, NOW_US, TrafficDice, records
from conformance.stores import StoreFactory

CONFIG = Config(maintenance_seconds=3_600.0)
SCAN_COUNT = int(os.environ.get("PEGCOUNT_SCANS", "150"))
"""Scans of each world."""
RECORD_COUNT = 250
BATCH_COUNT = 6
NO_LIMIT = core.CancelToken(None)
DECK_ENTRIES = {entry[0]: entry for entry in DECK}

Cells = dict[tuple[Any, ...], tuple[Any, ...]]
"""The measures of each cell, by its bin and keys."""


def rows_of(messages: Sequence[SessionRecord], *, accept_stored: bool = False) -> list[Row]:
    """Returns the columns of records, each of a session of its own."""
    request = WriteRecordsRequest(records=messages, accept_stored=accept_stored)
    batch = core.decode_batch(request.SerializeToString(), CONFIG)
    assert not batch.rejected
    return [{**columns_of(version.record), "received_time": NOW_US} for _, version in batch.versions]


def load(store: Store, stores: StoreFactory, messages: Sequence[SessionRecord], dice: random.Random) -> None:
    """Writes records in batches, some of them first as they never were, and flushes now and then."""
    store.put_code_deck(DECK_ID, deck_of(*DECK))
    for place in range(BATCH_COUNT):
        batch = messages[place::BATCH_COUNT]
        before = [_replaced(message, dice) for message in batch if dice.random() < 0.3]
        write(store, before)
        if dice.random() < 0.5:
            stores.flush(store)
        write(store, batch)
        if dice.random() < 0.5:
            stores.flush(store)


def write(store: Store, messages: Sequence[SessionRecord]) -> None:
    outcome = store.write(WriteRecordsRequest(records=messages).SerializeToString())
    assert not outcome.rejected


def _replaced(message: SessionRecord, dice: random.Random) -> SessionRecord:
    """Returns a version of the same session and day that the message, which replaces it, outranks."""
    found = SessionRecord(session_id=message.session_id, setup_time=message.setup_time, revision=-1)
    if message.HasField("source"):
        found.source = message.source
    found.MergeFrom(SessionRecord(account_id="a1", disconnect_cause=16, customer_price="7"))
    if dice.random() < 0.7:
        seconds = message.setup_time.seconds + 5
        found.end_time.CopyFrom(Timestamp(seconds=seconds))
        found.answer_time.CopyFrom(Timestamp(seconds=seconds))
    return found


def expected_of(scan: TrafficScan, rows: Sequence[Row]) -> Cells:
    rated = rows if scan.code_deck is None else [{**row, **rates_of(row, DECK_ENTRIES)} for row in rows]
    return values_of(scan, rated, DECK_ENTRIES)


def found_in(store: Store, scan: TrafficScan, cell_count_max: int = 100_000) -> Cells:
    partials = store.traffic_partials(scan, cell_count_max, NO_LIMIT)
    keys = [_values_of(key) for key in partials.keys]
    measures = [[_plain(value) for value in partials.measure(i)] for i in range(len(scan.measures))]
    bins = np.asarray(partials.bins).tolist()
    assert len(bins) == partials.cell_count
    found = dict(zip(zip(bins, *keys, strict=True), zip(*measures, strict=True), strict=True))
    assert len(found) == len(bins)
    if not scan.keys:
        assert bins == list(range(max(0, len(scan.edge_us) - 1)))
    return found


def _values_of(key: Any) -> list[Any]:
    if isinstance(key, tuple):
        codes, texts = key
        return [texts[code] or None for code in codes]
    return [None if value == -(2**63) else value for value in key.tolist()]


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else [tuple(pair) for pair in value]


def with_peaks(scan: TrafficScan, cells: Cells) -> Cells:
    """The cells with the greatest value of each occupancy, and its first instant, in place of its changes."""
    is_steps = [measure.how == "occupancy" for measure in scan.measures]
    return {
        place: tuple(
            peak_of(value) if steps else value for steps, value in zip(is_steps, values, strict=True)
        )
        for place, values in cells.items()
    }


def peak_of(changes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The greatest value, and the first instant of it; zeros without changes."""
    counts = list(accumulate(change for _, change in changes))
    greatest = max(counts, default=0)
    return (greatest, changes[counts.index(greatest)][0]) if greatest else (0, 0)


@pytest.mark.parametrize("world", range(2))
def test_random_scans(stores: StoreFactory, tmp_path: Path, world: int) -> None:
    dice = seeds.chance("traffic scans", world)
    messages = records(dice, RECORD_COUNT)
    for message in messages:
        message.replaces = True
    rows = rows_of(messages)
    with_rows = with_several_cells = 0
    store = stores.open(tmp_path / "store", CONFIG, lambda: NOW_US)
    try:
        load(store, stores, messages, dice)
        draw = TrafficDice(dice, rows)
        for _ in range(max(20, round(SCAN_COUNT * stores.example_share))):
            scan = draw.scan()
            expected = expected_of(scan, rows)
            assert found_in(store, scan) == expected, scan
            if not scan.keys:
                peaks = found_in(store, replace(scan, only_peaks=True))
                assert with_peaks(scan, peaks) == with_peaks(scan, expected), scan
            with_rows += any(map(any, expected.values()))
            with_several_cells += len(expected) > 1
    finally:
        store.close()
    assert with_rows > 5
    assert with_several_cells > 5


def test_a_call_that_is_longer_than_new_ones_may_be(stores: StoreFactory, tmp_path: Path) -> None:
    """It was stored before the limit, and counts on each of its days."""
    day_us = 86_400_000_000
    setup_us = NOW_US - 90 * day_us
    message = SessionRecord(session_id="long", account_id="a1")
    for stamp, us in ((message.setup_time, setup_us), (message.answer_time, setup_us + 1)):
        stamp.FromMicroseconds(us)
    message.end_time.FromMicroseconds(NOW_US - day_us)
    assert day_us * 89 > CONFIG.call_seconds_max * 1_000_000
    others = records(seeds.chance("beside a long call"), 40)
    measures = tuple(TrafficMeasure(how, what) for how in INTERVALS for what in ("talk", "seized"))
    store = stores.open(tmp_path / "store", CONFIG, lambda: NOW_US)
    try:
        batch = WriteRecordsRequest(records=[message, *others], accept_stored=True)
        assert not store.write(batch.SerializeToString()).rejected
        stores.flush(store)
        for begin_us in (setup_us, NOW_US - 60 * day_us, NOW_US - 2 * day_us):
            edge_us = np.array([begin_us, begin_us + 10], np.int64)
            of_long = (OneOf("session_id", ("long",)),)
            scan = TrafficScan(edge_us, (), (), measures, None, of_long, NOW_US)
            assert found_in(store, scan) == expected_of(scan, rows_of([message], accept_stored=True))
            assert found_in(store, scan)[0,][1] == 10
    finally:
        store.close()


def test_limits_of_a_scan(stores: StoreFactory, tmp_path: Path) -> None:
    store = stores.open(tmp_path / "store", CONFIG, lambda: NOW_US)
    messages = records(seeds.chance("cell limit"), 40)
    edge_us = np.array([NOW_US - 10 * 86_400_000_000, NOW_US + 1], np.int64)
    scan = TrafficScan(edge_us, (), (ColumnKey("session_id"),), (TrafficMeasure("count", "all"),))
    try:
        store.write(WriteRecordsRequest(records=messages).SerializeToString())
        assert len(found_in(store, scan, 40)) == 40
        with pytest.raises(errors.CellLimitError) as caught:
            found_in(store, scan, 39)
        assert caught.value.metadata["allowed"] == "39"
        assert int(caught.value.metadata["asked"]) > 39
        cancelled = core.CancelToken(None)
        cancelled.cancel()
        with pytest.raises(errors.CancelledError):
            store.traffic_partials(scan, 40, cancelled)
    finally:
        store.close()
