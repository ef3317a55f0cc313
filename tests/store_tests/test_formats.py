"""Directories of past formats: each opens with all its records, and keeps them.

`formats/N` holds a small directory that a program of catalogue format N wrote, with segments, tombstones, an
active snapshot, a journal and a code deck, and its records as that program exported them.
"""

import csv
import io
import shutil
from pathlib import Path

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.export import export_records
from pegcount.export.csv_sink import CsvSink
from pegcount.store import EmbeddedStore
from pegcount.store.snapshot import open_snapshot

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
        assert _exported(directory) == expected


def _exported(directory: Path) -> list[list[str]]:
    file = io.BytesIO()
    export_records(open_snapshot(directory, Config()), -_INT64_MAX, _INT64_MAX, CsvSink(file), 1_000)
    return _sorted(file.getvalue().decode())


def _sorted(text: str) -> list[list[str]]:
    return sorted(csv.reader(io.StringIO(text)))


def test_a_deck_of_a_past_format_keeps_its_entries(tmp_path: Path) -> None:
    directory = shutil.copytree(_FORMATS / "3" / "directory", tmp_path / "data")
    store = EmbeddedStore(directory, Config())
    deck = core.CodeDeck.from_json(
        b'[["1202", "Washington DC", "United States"], ["1", "North America", "United States"]]'
    )
    assert store._decks.get(7, core.CancelToken(None)).json_piece(0, 2) == deck.json_piece(0, 2)
    store.close()
