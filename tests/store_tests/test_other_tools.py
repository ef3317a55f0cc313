"""Reads the files of a data directory with other tools, by the code snippets of docs/storage.md."""

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from store_tests.store_fixtures import (
    MANUAL_MAINTENANCE,
    NOW_US,
    SETUP_S,
    StoreHarness,
    active,
    finished,
    write,
)
from store_tests.test_segments import full_record

STORAGE = (Path(__file__).parents[2] / "docs/storage.md").read_text(encoding="utf-8")
TIMES = ("setup_time", "alert_time", "answer_time", "end_time", "received_time")
SNIPPETS = re.findall(r"```python\n(.*?)```", STORAGE, re.DOTALL)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoreHarness:
    """Closes a directory `data` with one replaced row and two batches in its journal."""
    monkeypatch.chdir(tmp_path)
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        calls = [finished(f"f{i}", SETUP_S + i, account_id=f"100{i % 2}") for i in range(6)]
        write(harness.store, *calls, full_record("full"), active("a1"))
        harness.flush()
        write(harness.store, finished("f1", SETUP_S + 1, revision=1, account_id="2000"))
        harness.flush_without_active_snapshot()
        write(harness.store, finished("f9"), active("a2", company='é, "x"'))
    return harness


def test_the_documented_snippets_print_what_they_should(
    harness: StoreHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(SNIPPETS) == 4
    namespace: dict[str, Any] = {}
    printed = []
    for snippet in SNIPPETS:
        exec(snippet, namespace)
        printed.append(capsys.readouterr().out)
    namespace["catalog"].close()
    # One of the seven records of the first segment has a tombstone.
    assert printed[0] == "6 2026-03-29 08:00:00+00:00\n"
    calls = [("1000", 3), ("1001", 2), ("text of account_id", 1)]
    assert re.findall(r"│ (\S.*?\S) +┆ (\d+) ", printed[1]) == [(name, str(count)) for name, count in calls]
    assert printed[2] == f"{calls}\n"
    lines = [f"{NOW_US} 1 ['f1']", f"{NOW_US} 2 ['f9', 'a2']"]
    assert printed[3].splitlines() == lines
    assert namespace["batch"]["company"].to_pylist() == [None, 'é, "x"']


def by_pyarrow(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.ipc.open_file(path).read_all().to_pylist()
    return rows


def by_polars(path: Path) -> list[dict[str, Any]]:
    frame = polars.read_ipc(path)
    return frame.to_dicts()


def by_duckdb(path: Path) -> list[dict[str, Any]]:
    segment = pa.ipc.open_file(path).read_all()
    with duckdb.connect() as connection:
        # In microseconds, because DuckDB needs a time zone package to return instants.
        times = ", ".join(f"epoch_us({name}::TIMESTAMPTZ) AS {name}" for name in TIMES)
        connection.register("segment", segment)
        rows = connection.execute(f"SELECT * REPLACE ({times}) FROM segment").fetchall()
    return [dict(zip(segment.column_names, row, strict=True)) for row in rows]


@pytest.mark.parametrize("rows_of", [by_pyarrow, by_polars, by_duckdb])
def test_every_tool_reads_an_active_snapshot(
    rows_of: Callable[[Path], list[dict[str, Any]]], harness: StoreHarness
) -> None:
    (path,) = harness.directory.glob("active/*")
    (row,) = rows_of(path)
    assert row["session_id"] == "a1"
    assert row["end_time"] is row["company"] is None


@pytest.mark.parametrize("rows_of", [by_pyarrow, by_polars, by_duckdb])
def test_every_tool_reads_every_value_of_a_segment(
    rows_of: Callable[[Path], list[dict[str, Any]]], harness: StoreHarness
) -> None:
    (path,) = harness.directory.glob("segments/*/2*.arrow")
    found = {row["session_id"]: row for row in rows_of(path)}
    assert sorted(found) == ["f0", "f1", "f2", "f3", "f4", "f5", "full"]
    full = full_record("full")
    for field in full.DESCRIPTOR.fields:
        value = getattr(full, field.name)
        if isinstance(value, Timestamp):
            assert seconds(found["full"][field.name]) == value.seconds, field.name
        else:
            assert found["full"][field.name] == (-12_500_000 if field.name.endswith("_price") else value)
    assert [seconds(found[f"f{i}"]["setup_time"]) for i in range(6)] == list(range(SETUP_S, SETUP_S + 6))


def test_every_tool_reads_a_batch_of_the_journal(harness: StoreHarness) -> None:
    (journal,) = harness.journal()
    content = journal.read_bytes()
    start = content.rindex(b"\xff\xff\xff\xff", 0, content.rindex(b"setup_time"))
    stream = content[start:]
    table = pa.ipc.open_stream(stream).read_all()
    frame = polars.read_ipc_stream(io.BytesIO(stream))
    with duckdb.connect() as connection:
        connection.register("batch", table)
        query = "SELECT session_id, epoch_us(setup_time), company FROM batch"
        assert connection.execute(query).fetchall() == [
            ("f9", SETUP_S * 1_000_000, None),
            ("a2", SETUP_S * 1_000_000, 'é, "x"'),
        ]
    for ids in (table["session_id"].to_pylist(), frame["session_id"].to_list()):
        assert ids == ["f9", "a2"]
    for company in (table["company"].to_pylist(), frame["company"].to_list()):
        assert company == [None, 'é, "x"']
    for ends in (table["end_time"].to_pylist(), frame["end_time"].to_list()):
        assert (seconds(ends[0]), ends[1]) == (SETUP_S + 70, None)


def seconds(instant: datetime | int) -> float:
    """Returns seconds since 1970 for a time as either tool returns it."""
    return instant / 1_000_000 if isinstance(instant, int) else instant.astimezone(UTC).timestamp()
