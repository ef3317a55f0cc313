"""`pegcount export`: other tools can read the files, and importing them restores every record."""

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import polars
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SessionRecord
from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    SETUP_S,
    StoreHarness,
    active,
    finished,
    rows,
    write,
)
from store_tests.test_segments import full_record

from cli_tests.test_command_line import SAMPLES, import_into, pegcount, serving

REPORTED = [field.name for field in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields]
AWKWARD = [
    'say "no"',
    '"',
    "a, b",
    ",",
    " leading and trailing ",
    "é 漢字 🎉",
    "carriage\rreturn",
    "tab\tin it",
    "line\u2028separator",
    "=1+1",
    "NULL",
    "null",
    "NaN",
    "true",
    "0010",
    "'",
    "\\",
    "\x1a",
    "\ufeffmark",
]
PRICES = ["0", "0.000000001", "-0.000000001", "9223372036.854775807", "-9223372036.854775807", "-1.50", "100"]


def awkward_records() -> list[SessionRecord]:
    """Builds records with all fields, with few fields, and with values that are easily misread."""
    records = [full_record("full"), finished("bare"), active("active", event=1), active("update", event=2)]
    records += [
        finished(f"text {number} {text}", source=text, company=text, orig_leg_id=text, account_id="1001")
        for number, text in enumerate(AWKWARD)
    ]
    records += [finished(f"price {price}", customer_price=price) for price in PRICES]
    records += [finished("numbers", tenant_id=2**63 - 1, app_id=-(2**63) + 1, comp_id=0, revision=-5)]
    records += [finished("cost", vendor_price="-0.5", currency="EUR", vendor_currency="€ 1", sip_status=699)]
    records += [finished("flag", is_last_attempt=True, kind=3), finished("cause", disconnect_cause=16)]
    odd = active("odd time", end_time=Timestamp(seconds=SETUP_S + 1))
    odd.setup_time.nanos = 123_456_000
    return [*records, odd, finished("first instant", 0), finished("late", 7_258_118_399, **without_times())]


def without_times() -> dict[str, None]:
    return {"answer_time": None, "end_time": None}


def all_rows(directory: Path) -> list[str]:
    """Returns all grouped rows of a directory, over several combinations of fields that cover every field."""
    with StoreHarness(directory, MANUAL_MAINTENANCE) as harness:
        fields = [name for name in REPORTED if name not in ("quantity", "duration", "level")]
        groups = [set(fields[:20]), set(fields[20:]), {"session_id", "customer_price", "is_last_attempt"}]
        found = []
        for group in groups:
            names = ["session_id", *sorted(group - {"session_id"})]
            reported = [name for name in names if name in fields or name == "session_id"]
            found += [
                row.SerializeToString(deterministic=True).hex() for row in rows(harness.store, *reported)
            ]
        return sorted(found)


@pytest.fixture
def awkward_directory(tmp_path: Path) -> Path:
    """Returns a closed directory with flushed, replaced, journaled and active records."""
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        records = awkward_records()
        write(harness.store, *records[:-8], active("merged", company="from the start"))
        harness.flush()
        write(harness.store, *records[-8:], finished("merged", event=3, organization="from the end"))
    return tmp_path / "data"


def export(data: Path, out: Path | str, *more: str) -> subprocess.CompletedProcess[str]:
    process = pegcount("export", "--data", data, *more, out)
    assert (process.returncode, process.stderr) == (0, "")
    return process


def test_importing_an_export_restores_every_record(awkward_directory: Path, tmp_path: Path) -> None:
    process = export(awkward_directory, tmp_path / "all.csv", "--format", "csv")
    count = len(awkward_records()) + 1
    assert process.stdout == f"{tmp_path / 'all.csv'}: {count} records\n"
    imported = pegcount(
        *("import", "--data", tmp_path / "again", "--format", "pegcount-csv", "--source", ""),
        *("--accept-stored", tmp_path / "all.csv"),
        cwd=tmp_path,
    )
    assert (imported.returncode, imported.stderr) == (0, "")
    assert (
        f"{count} rows, {count} accepted, 0 replaced, 0 identical, 0 outranked, 0 rejected" in imported.stdout
    )
    assert all_rows(tmp_path / "again") == all_rows(awkward_directory)
    # The reports do not cover every field; a second export does.
    export(tmp_path / "again", tmp_path / "again.csv", "--format", "csv")
    lines = [sorted((tmp_path / name).read_bytes().split(b"\n")) for name in ("all.csv", "again.csv")]
    assert lines[0] == lines[1]


def test_reports_are_equal_after_export_and_import(tmp_path: Path) -> None:
    data, imported = tmp_path / "data", tmp_path / "again"
    assert import_into(data, "pegcount-csv", SAMPLES / "pegcount.csv").returncode == 0
    export(data, tmp_path / "all.csv", "--format", "csv")
    assert import_into(imported, "pegcount-csv", tmp_path / "all.csv").returncode == 0
    assert reports_of(data) == reports_of(imported)


def reports_of(data: Path) -> list[str]:
    reports = [
        ("usage", "--from", "2026-03-28", "--to", "2026-03-31", "--sma-period", "2"),
        ("active", "orig_clients_name", "quantity", "--rollup"),
        ("folders", "acme", "support", "--from", "2026-03-28", "--to", "2026-03-30"),
        ("quality", "--account", "1001", "--from", "2026-03-28", "--to", "2026-03-31"),
    ]
    with serving(data) as (address, _):
        printed = [pegcount("report", *report, "--server", address).stdout for report in reports]
    # Removes the time of the query from the titles.
    return [re.sub(r"as of \S+ \S+", "", text) for text in printed]


def test_parquet_has_typed_columns(awkward_directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.parquet"
    export(awkward_directory, out)
    file = pq.ParquetFile(out)
    assert {file.metadata.row_group(0).column(i).compression for i in range(53)} == {"ZSTD"}
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert list(types) == [*(field.name for field in SessionRecord.DESCRIPTOR.fields), "received_time"]
    assert types["setup_time"] == types["received_time"] == "timestamp[us, tz=UTC]"
    assert types["customer_price"] == types["vendor_price"] == "decimal128(19, 9)"
    assert types["kind"] == types["event"] == types["release_party"] == "string"
    assert (types["is_last_attempt"], types["tenant_id"]) == ("bool", "int64")
    found = {row["session_id"]: row for row in file.read().to_pylist()}
    check_full(found["full"])
    assert found["merged"]["company"] == "from the start"
    assert found["merged"]["organization"] == "from the end"
    for price in PRICES:
        assert found[f"price {price}"]["customer_price"] == Decimal(price)
    assert found["odd time"]["setup_time"].microsecond == 123_456
    assert (found["flag"]["is_last_attempt"], found["flag"]["kind"]) == (True, "TTS")
    assert (
        found["bare"]["kind"] is found["bare"]["is_last_attempt"] is found["bare"]["customer_price"] is None
    )


def check_full(row: dict[str, object]) -> None:
    full = full_record("full")
    for field in full.DESCRIPTOR.fields:
        expected = getattr(full, field.name)
        if isinstance(expected, Timestamp):
            expected = expected.ToDatetime(tzinfo=row[field.name].tzinfo)  # type: ignore[attr-defined]
        elif field.name.endswith("_price"):
            expected = Decimal(expected)
        elif field.enum_type is not None:
            name = field.enum_type.values_by_number[expected].name
            expected = name.split("_", 2)[2]
        assert row[field.name] == expected, field.name


def test_three_parquet_readers_agree(awkward_directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.parquet"
    export(awkward_directory, out)
    texts = len(AWKWARD)
    count = len(awkward_records()) + 1
    table = pq.read_table(out, filters=[("account_id", "=", "1001")])
    frame = polars.read_parquet(out)
    query = f"SELECT count(*), count(*) FILTER (account_id = '1001'), sum(customer_price) FROM '{out}'"
    total = Decimal("98.4875")
    assert duckdb.sql(query).fetchall() == [(count, texts, total)]
    assert (pq.read_metadata(out).num_rows, table.num_rows) == (count, texts)
    assert (frame.height, frame.filter(polars.col("account_id") == "1001").height) == (count, texts)
    assert frame["customer_price"].sum() == total


def test_a_range_is_half_open_and_in_its_time_zone(tmp_path: Path) -> None:
    berlin_midnight = SETUP_S - 10 * 3_600
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        edges = [berlin_midnight + 3_600, berlin_midnight + DAY_S]
        seconds = [second for edge in edges for second in (edge - 1, edge)]
        write(harness.store, *(finished(f"s{i}", second) for i, second in enumerate(seconds)))
        harness.flush()
    berlin = ("--time-zone", "Europe/Berlin")
    # 2026-03-29 has 23 hours in Berlin and begins at 23:00 UTC on the day before.
    assert exported(tmp_path, "--from", "2026-03-29", "--to", "2026-03-30", *berlin) == ["s1", "s2"]
    assert exported(tmp_path, "--from", "2026-03-29T00:00:00+01:00", "--to", "2026-03-29T22:00:00Z") == [
        "s1",
        "s2",
    ]
    assert exported(tmp_path, "--to", "2026-03-29", *berlin) == ["s0"]
    assert exported(tmp_path, "--from", "2026-03-30", *berlin) == ["s3"]
    assert exported(tmp_path, "--from", "2030-01-01") == []


def exported(directory: Path, *range_options: str) -> list[str]:
    export(directory / "data", directory / "range.parquet", *range_options)
    ids: list[str] = pq.read_table(directory / "range.parquet")["session_id"].to_pylist()
    return sorted(ids)


def test_a_served_directory_is_exported_to_standard_output(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert import_into(data, "pegcount-csv", SAMPLES / "pegcount.csv").returncode == 0
    with serving(data):
        process = pegcount("export", "--data", data, "--format", "csv", "-")
    assert (process.returncode, process.stderr) == (0, "-: 65 records\n")
    assert len(process.stdout.splitlines()) == 66


def test_texts_that_csv_cannot_represent_are_left_out_and_reported(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(
            harness.store, finished("a", company="two\nlines"), finished("b", folder="nul\0"), finished("c")
        )
    process = pegcount("export", "--data", tmp_path / "data", "--format", "csv", tmp_path / "all.csv")
    assert (process.returncode, process.stdout) == (1, f"{tmp_path / 'all.csv'}: 1 records\n")
    assert process.stderr == "left out: 2 records with a line break or NUL in a text\n"
    export(tmp_path / "data", tmp_path / "all.parquet")
    assert pq.read_metadata(tmp_path / "all.parquet").num_rows == 3


def test_a_failed_export_leaves_the_previous_file(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("a"))
        harness.flush()
        harness.segment().write_bytes(b"damaged")
    out = tmp_path / "all.parquet"
    out.write_text("of yesterday")
    process = pegcount("export", "--data", tmp_path / "data", out)
    assert (process.returncode, ".arrow" in process.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["all.parquet"]
    assert out.read_text() == "of yesterday"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--from", "yesterday"), "--from: 'yesterday' is not of the form"),
        (("--to", "2026-02-30"), "--to: '2026-02-30' is not a date and time: there is no 30 February 2026"),
        (("--from", "2026-03-02", "--to", "2026-03-01"), "--from is not before --to"),
        (("--time-zone", "Mars"), "'Mars' is not an IANA time zone"),
        (("--format", "xls"), "cannot be 'xls', only parquet, csv or archive"),
        (("--data", "nowhere"), "data directory nowhere does not exist"),
    ],
)
def test_export_errors_are_reported_in_one_line(
    options: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE):
        pass
    target = () if "--data" in options else ("--data", "data")
    process = pegcount("export", *target, *options, "out", cwd=tmp_path)
    assert (process.returncode, len(process.stderr.splitlines())) == (2, 1)
    assert sentence in process.stderr
    assert not (tmp_path / "out").exists()


def test_parquet_to_standard_output_is_refused(tmp_path: Path) -> None:
    process = pegcount("export", "--data", tmp_path, "-")
    assert (process.returncode, "only csv" in process.stderr) == (2, True)


EXPORT_AND_PRINT_PEAK = """
import resource, sys
from pathlib import Path
from pegcount.cli.atomic_file import atomic_file
from pegcount.config import Config
from pegcount.export import ParquetSink, export_records
from pegcount.store.snapshot import open_snapshot

engine = open_snapshot(Path(sys.argv[1]), Config())
with atomic_file(Path(sys.argv[2])) as file:
    print(export_records(engine, 0, 2**62, ParquetSink(file), 1_000).written)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kib(data: Path, out: Path, expected: int) -> int:
    process = subprocess.run(
        [sys.executable, "-c", EXPORT_AND_PRINT_PEAK, data, out], capture_output=True, text=True, check=True
    )
    written, peak = map(int, process.stdout.split())
    assert (written, pq.read_metadata(out).num_rows) == (expected, expected)
    return peak


def test_export_memory_is_bounded(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        text = "x" * 250
        for day in range(6):
            setup_s = SETUP_S + day * DAY_S
            write(
                harness.store,
                *(
                    finished(f"{day}/{i}", setup_s, orig_leg_id=f"{i}{text}", folder=f"{i}{text}")
                    for i in range(8_000)
                ),
            )
            harness.flush()
            if day == 0:
                small = peak_kib(tmp_path / "data", tmp_path / "small.parquet", 8_000)
    large = peak_kib(tmp_path / "data", tmp_path / "large.parquet", 48_000)
    data_kib = sum(path.stat().st_size for path in tmp_path.glob("data/segments/*/*")) / 1_024
    # The peak includes mapped segment pages, hence the size of the segments, but no second copy of them.
    assert large - small < data_kib * 1.2
