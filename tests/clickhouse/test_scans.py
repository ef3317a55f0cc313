"""A cluster answers random scans as the embedded store and the store in memory do."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import seeds
from conformance.memory_store import Disk, MemoryStore
from conformance.stores import EMBEDDED
from decks import deck_of
from pegcount import core
from pegcount.config import Config
from pegcount.errors import CodeDeckNotFoundError
from pegcount.model import Scan
from pegcount.store.clickhouse.reading.reader import LedgerReader
from pegcount.store.clickhouse.reading.sql import projection_of
from pegcount.store.clickhouse.shared.decks import DeckInUse
from pegcount.store.clickhouse.tables import schema
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.v1.records_pb2 import WriteRecordsRequest
from properties.scoped_worlds import NOW_US

from clickhouse.ledger_rows import load
from clickhouse.random_scans import DECK, DECK_ID, ScanDice, records
from clickhouse.rig import LONG, Rig

SCAN_COUNT = int(os.environ.get("PEGCOUNT_SCANS", "2000" if LONG else "200")) // 2
"""Scans over the parts as they were written, and as many over merged ones."""
CONFIG = Config(maintenance_seconds=3_600.0)
NO_LIMIT = core.CancelToken(None)
_DATABASE = "q_scans"
_RECORD_COUNT = 400
_BATCH_SIZE = 50
FORCED = "force_optimize_projection"
_PROMISED = 0.02
"""Share of the scans at least that projections must have answered. An eighth of those drawn can be."""


class AskedOtherwise(Cluster):
    """A cluster whose scans have some settings of the test."""

    settings: Mapping[str, str | int] = {}

    def ask_all(self, query: Query, cancel_token: core.CancelToken) -> list[bytes]:
        asked = replace(query, settings={**query.settings, **self.settings})
        if FORCED not in self.settings:
            return super().ask_all(asked, cancel_token)
        # A shard that leaves out all of its parts uses nothing, which it takes for a fault.
        plain = super().ask_all(query, cancel_token)
        return [
            shard.select(asked if rows else query, cancel_token)
            for shard, rows in zip(self.shards, plain, strict=True)
        ]


class OneDeck:
    """The deck of the scans, whose entries each shard has."""

    def deck(self, deck_id: int, cancel_token: core.CancelToken) -> DeckInUse:
        if deck_id != DECK_ID:
            raise CodeDeckNotFoundError(deck_id, [DECK_ID])
        return DeckInUse(DECK_ID, 7, tuple({len(code) for code, _, _ in DECK}), deck_of(*DECK))


def put_deck(cluster: Cluster) -> None:
    """Gives each shard the entries of the deck."""
    entries = "\n".join(f"{DECK_ID}\t7\t{code}\t{name}\t{country}" for code, name, country in DECK)
    for shard in cluster.shards:
        shard.insert("deck_entries", f"{entries}\n".encode(), NO_LIMIT, row_format="TabSeparated")


class World:
    """The same records in three stores."""

    def __init__(self, directory: Path, rig: Rig) -> None:
        self.dice = seeds.chance("scans in SQL")
        self._clock_us = NOW_US - 1_000
        disk = Disk()
        self.memory = MemoryStore(disk, CONFIG, self.now_us)
        self.embedded = EMBEDDED.open(directory, CONFIG, self.now_us)
        for store in (self.memory, self.embedded):
            store.put_code_deck(DECK_ID, deck_of(*DECK))
        messages = records(self.dice, _RECORD_COUNT)
        for start in range(0, len(messages), _BATCH_SIZE):
            self._clock_us += 1
            batch = WriteRecordsRequest(records=messages[start : start + _BATCH_SIZE], accept_stored=True)
            data = batch.SerializeToString()
            assert self.memory.write(data) == self.embedded.write(data)
        self.rows = [one.row for sessions in disk.sessions.values() for one in sessions]
        assert len(self.rows) > _RECORD_COUNT // 2
        for statement in (f"DROP DATABASE IF EXISTS {_DATABASE} SYNC", f"CREATE DATABASE {_DATABASE}"):
            rig.ask(statement)
        self.cluster = AskedOtherwise(ClusterAddress.parse(rig.url(_DATABASE)), 30.0)
        schema.create(self.cluster)
        rig.ask("SYSTEM STOP MERGES ledger", database=_DATABASE)
        load(self.cluster, self.rows, self.dice)
        put_deck(self.cluster)
        resources = core.QueryResources(CONFIG)
        self.reader = LedgerReader(self.cluster, CONFIG, resources, OneDeck())

    def now_us(self) -> int:
        return self._clock_us

    def close(self) -> None:
        self.embedded.close()
        self.cluster.close()


@pytest.fixture(scope="module")
def world(cluster: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("scans") / "data", cluster)
    yield made
    made.close()


def cells(partials: core.Partials) -> dict[Any, Any]:
    """Returns the sums by bin and group."""
    columns: list[Any] = [partials.bins.tolist()]
    for key in partials.keys:
        if isinstance(key, tuple):
            columns.append([key[1][code] for code in key[0]])
        else:
            columns.append(key.tolist())
    return dict(zip(zip(*columns, strict=True), partials.sums.tolist(), strict=True))


@pytest.mark.parametrize("is_merged", [False, True], ids=["as written", "merged"])
def test_random_scans_equal_the_other_stores(world: World, cluster: Rig, is_merged: bool) -> None:
    if is_merged:
        cluster.ask("SYSTEM START MERGES ledger", database=_DATABASE)
        cluster.ask("OPTIMIZE TABLE ledger FINAL", database=_DATABASE)
    drawn = ScanDice(world.dice, world.rows)
    promised_count = full_count = 0
    for _ in range(SCAN_COUNT):
        scan = drawn.scan()
        expected = cells(world.embedded.partials(scan, 100_000, NO_LIMIT))
        assert cells(world.memory.partials(scan, 100_000, NO_LIMIT)) == expected, scan
        has_records = any(sums[0] for sums in expected.values())
        full_count += has_records
        for settings in _settings_of(scan, has_records):
            world.cluster.settings = settings
            found = cells(world.reader.partials(scan, 100_000, NO_LIMIT))
            assert found == expected, f"{scan} with {settings}"
            promised_count += FORCED in settings
    assert full_count > SCAN_COUNT // 4
    assert promised_count > SCAN_COUNT * _PROMISED


def _settings_of(scan: Scan, has_records: bool) -> Iterator[Mapping[str, str | int]]:
    yield {"optimize_use_projections": 0}
    yield {}
    if projection_of(scan) is not None and has_records:
        yield {FORCED: 1}
