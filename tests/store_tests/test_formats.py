"""Directories of past formats: each opens with all its records, and keeps them.

`formats/N` holds a small directory that a program of catalogue format N wrote, with segments, tombstones, an
active snapshot, a journal and a code deck, and its records as that program exported them.
"""

import csv
import io
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.errors import StoreOpenError
from pegcount.export import export_records
from pegcount.export.csv_sink import CsvSink
from pegcount.model import Document
from pegcount.store import EmbeddedStore, deck_files
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_migration import migrate
from pegcount.store.catalog_tables import FORMAT_VERSION
from pegcount.store.check import check
from pegcount.store.directory import DirectoryLock
from pegcount.store.snapshot import back_up, open_snapshot
from pegcount.v1 import records_pb2

from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness, finished, write
from store_tests.test_backup import content_of

_FORMATS = Path(__file__).parent / "formats"
_INT64_MAX = 2**63 - 1


@pytest.mark.parametrize("name", sorted(path.name for path in _FORMATS.iterdir()))
def test_a_directory_of_a_past_format_keeps_its_records(tmp_path: Path, name: str) -> None:
    directory = shutil.copytree(_FORMATS / name / "directory", tmp_path / "data")
    expected = _sorted((_FORMATS / name / "records.csv").read_text(encoding="utf-8"))
    for _ in range(2):
        store = EmbeddedStore(directory, Config())
        assert store.code_decks() == {7: 2}
        store.flush()
        store.close()
        assert _fields_of(_exported(directory), expected[0]) == expected


def test_a_directory_of_format_6_keeps_its_rules_and_documents(tmp_path: Path) -> None:
    directory = shutil.copytree(_FORMATS / "6" / "directory", tmp_path / "data")
    with closing(EmbeddedStore(directory, Config())) as store:
        assert [(rule.rule_id, rule.source) for rule in store.deletions()] == [(1, "test")]
        assert store.document("note") == Document(1, b"kept")
        assert store.credentials() == []


def test_a_directory_of_format_7_keeps_its_credentials(tmp_path: Path) -> None:
    directory = shutil.copytree(_FORMATS / "7" / "directory", tmp_path / "data")
    for _ in range(2):
        with closing(EmbeddedStore(directory, Config())) as store:
            [kept] = store.credentials()
            assert (kept.name, kept.scopes, kept.keys[0].prefix) == ("wallboard", (1,), "pk_abcdefgh")
            assert (kept.data_scope, kept.limits) == (None, None)


def test_a_directory_of_format_8_takes_records_with_later_fields(tmp_path: Path) -> None:
    """Records of both kinds, and versions that add the fields to records that were stored without them."""
    directory = shutil.copytree(_FORMATS / "8" / "directory", tmp_path / "data")
    later: dict[str, Any] = {
        "vendor_price": "0.0625",
        "currency": "EUR",
        "vendor_currency": "USD",
        "sip_status": 200,
        "release_party": records_pb2.RELEASE_PARTY_TERMINATION,
    }
    with closing(EmbeddedStore(directory, Config())) as store:
        before = store.info().records
        again = _call_of_format_8()
        assert write(store, again) == (0, 0, 1)
        added = _call_of_format_8(**later)
        added.alert_time.FromJsonString("2026-03-27T08:01:02Z")
        new = _call_of_format_8(**later)
        new.session_id = "new"
        assert write(store, added, new) == (1, 1, 0)
        store.flush()
    for _ in range(2):
        with closing(EmbeddedStore(directory, Config())) as store:
            assert store.info().records == before + 1
            assert write(store, again, added, new) == (0, 0, 3)
            store.flush()
    header, *records = _exported(directory)
    by_id = {record[1]: dict(zip(header, record, strict=True)) for record in records}
    shown = ("alert_time", *later)
    values = ["0.0625", "EUR", "USD", "200", "TERMINATION"]
    assert [by_id["call -2 1"][name] for name in shown] == ["2026-03-27T08:01:02.000000Z", *values]
    assert [by_id["new"][name] for name in shown] == ["", *values]
    assert [by_id["call -2 3"][name] for name in shown] == [""] * 6


def _call_of_format_8(**later: Any) -> records_pb2.SessionRecord:
    record = records_pb2.SessionRecord(
        source="switch",
        session_id="call -2 1",
        is_last_attempt=True,
        disconnect_cause=16,
        account_id="customer 1",
        customer_price="0.125",
        orig_clients_name="Northwind",
        term_accounts_id=21,
        term_accounts_name="Vendor",
        dst_prefix_routing="442079460300",
        orig_src_party_id="+12025550100",
        orig_dst_party_id="+442079460300",
        auth_orig_ip="192.0.2.10",
        **later,
    )
    for name, second in (("setup", "01:00"), ("answer", "01:05"), ("end", "02:05")):
        getattr(record, f"{name}_time").FromJsonString(f"2026-03-27T08:{second}Z")
    return record


def back_up_beside(directory: Path, _: Config) -> None:
    back_up(directory, directory.with_name("backup"))


@pytest.mark.parametrize("read", [check, open_snapshot, back_up_beside])
def test_reading_a_directory_of_a_past_format_leaves_it_to_the_program_that_wrote_it(
    read: Callable[[Path, Config], object], tmp_path: Path
) -> None:
    """Only the process that owns a directory brings it up to date, as earlier programs then refuse it."""
    directory = shutil.copytree(_FORMATS / "3" / "directory", tmp_path / "data")
    before = content_of(directory)
    with pytest.raises(StoreOpenError, match=f"format 3; `pegcount serve` makes it format {FORMAT_VERSION}"):
        read(directory, Config())
    after = content_of(directory)
    # A check takes the lock.
    after.pop("lock", None)
    assert after == before


def test_a_server_may_start_while_an_export_opens_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("f1"))
    owners = list[DirectoryLock]()
    real_init = DirectoryLock.__init__

    def count(lock: DirectoryLock, directory: Path) -> None:
        owners.append(lock)
        real_init(lock, directory)

    monkeypatch.setattr(DirectoryLock, "__init__", count)
    assert open_snapshot(tmp_path / "data", MANUAL_MAINTENANCE).info().records == 1
    assert owners == []


def _exported(directory: Path) -> list[list[str]]:
    file = io.BytesIO()
    export_records(open_snapshot(directory, Config()), -_INT64_MAX, _INT64_MAX, CsvSink(file), 1_000)
    return _sorted(file.getvalue().decode())


def _fields_of(records: list[list[str]], names: list[str]) -> list[list[str]]:
    """Returns the first fields of records; those that were added later must be absent."""
    count = len(names)
    assert all(not any(record[count:]) for record in records if record[:count] != names)
    return [record[:count] for record in records]


def _sorted(text: str) -> list[list[str]]:
    return sorted(csv.reader(io.StringIO(text)))


def test_a_deck_of_a_past_format_keeps_its_entries(tmp_path: Path) -> None:
    directory = shutil.copytree(_FORMATS / "3" / "directory", tmp_path / "data")
    store = EmbeddedStore(directory, Config())
    deck = core.CodeDeck.from_json(
        b'[["1202", "Washington DC", "United States"], ["1", "North America", "United States"]]'
    )
    store.close()
    with closing(Catalog(directory)) as catalog:
        stored = deck_files.read(directory, catalog.code_decks()[7])
    assert stored.json_piece(0, 2) == deck.json_piece(0, 2)


def test_a_migration_that_may_not_write_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = shutil.copytree(_FORMATS / "3" / "directory", tmp_path / "data")
    connect = sqlite3.connect

    def connect_to_read(path: Path, **options: Any) -> sqlite3.Connection:
        opened: sqlite3.Connection = connect(f"{path.as_uri()}?mode=ro", uri=True, **options)
        return opened

    monkeypatch.setattr(sqlite3, "connect", connect_to_read)
    with pytest.raises(StoreOpenError, match=rf"cannot be brought to format {FORMAT_VERSION}: .*; check"):
        migrate(directory)
