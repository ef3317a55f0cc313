"""The Arrow schema, row order and values of flushed segments."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.ipc  # type: ignore[import-untyped]
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.model import OneOf
from pegcount.v1 import records_pb2

from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    SETUP_S,
    StoreHarness,
    active,
    finished,
    session_ids,
    write,
)

DERIVED_COLUMNS = {
    "received_time": pa.timestamp("us", tz="UTC"),
    "versions": pa.null(),
    "sorted_key_hash": pa.uint64(),
    "row_of_key": pa.uint32(),
    "key_filter": pa.uint16(),
    "setup_minute": pa.uint16(),
    "talk_ms": pa.int32(),
}
"""Columns beyond the fields of the record. `versions` has the null type when no record has several."""
INSTANT = pa.timestamp("us", tz="UTC")
DICTIONARY_ENCODED = pa.dictionary(pa.uint8(), pa.utf8())
PLAIN_TEXTS = {
    "session_id",
    *(f"{leg}_{name}_id" for leg in ("orig", "term") for name in ("leg", "src_party", "dst_party")),
}
"""Plain text columns, whose values differ between records; all other texts are dictionary-encoded."""


def only_segment(directory: Path) -> Path:
    (path,) = directory.glob("segments/2026-03-29/*")
    return path


def read(path: Path) -> pa.Table:
    table = pa.ipc.open_file(pa.BufferReader(path.read_bytes())).read_all()
    table.validate(full=True)
    return table


def full_record(session_id: str) -> records_pb2.SessionRecord:
    """Builds a record with a distinct value in every field."""
    record = finished(
        session_id, revision=3, kind=1, event=3, is_last_attempt=False, customer_price="-0.0125", part_class=2
    )
    record.auth_orig_ip = "192.0.2.10"
    record.alert_time.FromSeconds(SETUP_S + 3)
    record.vendor_price = "-0.0125"
    record.sip_status = 100
    record.release_party = records_pb2.RELEASE_PARTY_SWITCH
    for field in record.DESCRIPTOR.fields:
        if not record.HasField(field.name):
            is_text = field.type == field.TYPE_STRING
            setattr(record, field.name, f"text of {field.name}" if is_text else field.number)
    return record


def test_columns_follow_the_order_of_the_proto_fields(tmp_path: Path) -> None:
    without_end = full_record("a1")
    without_end.event = records_pb2.SESSION_EVENT_START
    without_end.ClearField("end_time")
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        write(harness.store, full_record("f1"), without_end)
        harness.flush()
    for path in (*tmp_path.glob("segments/*/*"), *tmp_path.glob("active/*")):
        schema = read(path).schema
        fields = records_pb2.SessionRecord.DESCRIPTOR.fields
        assert schema.names == [*(field.name for field in fields), *DERIVED_COLUMNS]
        types = {field.name: arrow_type(field.name, field.type == field.TYPE_STRING) for field in fields}
        if path.parent.name == "active":
            types["end_time"] = pa.null()
        assert {name: schema.field(name).type for name in types} == types
        assert {name: schema.field(name).type for name in DERIVED_COLUMNS} == DERIVED_COLUMNS


def arrow_type(name: str, is_text: bool) -> pa.DataType:
    if name.endswith("_time"):
        return INSTANT
    if name.endswith("_price"):
        return pa.int32()
    if not is_text:
        return pa.int8()
    return pa.utf8() if name in PLAIN_TEXTS else DICTIONARY_ENCODED


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        ([None, None], pa.null()),
        ([1, None], pa.int8()),
        ([2**7 - 1, -(2**7) + 1], pa.int8()),
        ([2**7], pa.int16()),
        ([-(2**7), None], pa.int16()),
        ([2**15 - 1, -(2**15) + 1], pa.int16()),
        ([2**15], pa.int32()),
        ([-(2**15)], pa.int32()),
        ([2**31 - 1, -(2**31) + 1], pa.int32()),
        ([2**31], pa.int64()),
        # The least 32-bit integer is reserved for absent values.
        ([-(2**31), 0], pa.int64()),
        ([2**63 - 1, -(2**63) + 1, None], pa.int64()),
    ],
)
def test_integers_have_the_narrowest_type(
    numbers: list[int | None], wanted: pa.DataType, tmp_path: Path
) -> None:
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        write(harness.store, *(finished(f"f{i}", SETUP_S + i, tenant_id=n) for i, n in enumerate(numbers)))
        harness.flush()
        column = read(harness.segment())["tenant_id"]
        harness.reopen()
        present = [number for number in numbers if number is not None]
        assert len(session_ids(harness.store, [OneOf("tenant_id", tuple(present))])) == len(present)
    assert (column.type, column.to_pylist()) == (wanted, numbers)


def test_values_and_nulls(tmp_path: Path) -> None:
    full, bare = full_record("full"), records_pb2.SessionRecord(session_id="bare")
    bare.setup_time.seconds = bare.end_time.seconds = SETUP_S - 1
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        write(harness.store, full, bare)
        harness.flush()
    of_full, of_bare = read(only_segment(tmp_path)).to_pylist()
    for field in full.DESCRIPTOR.fields:
        assert (of_bare[field.name] is not None) == bare.HasField(field.name), field.name
        value, expected = of_full[field.name], getattr(full, field.name)
        if isinstance(expected, Timestamp):
            assert value.timestamp() == expected.seconds
        elif field.name.endswith("_price"):
            assert value == Decimal(expected) * 10**9
        else:
            assert value == expected, field.name
    assert (of_bare["versions"], of_full["versions"]) == (None, None)
    assert of_bare["received_time"] == of_full["received_time"]


def test_rows_are_sorted_by_account_then_setup_time(tmp_path: Path) -> None:
    accounts = ["20", "100", "", "20", "100", "3"]
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        rows = [finished(f"f{i}", SETUP_S - i, account_id=account) for i, account in enumerate(accounts)]
        write(harness.store, *rows)
        harness.flush()
    table = read(harness.segment())
    assert table["session_id"].to_pylist() == ["f4", "f1", "f3", "f0", "f5", "f2"], "absent is last"


def test_setup_minute_and_call_duration_columns(tmp_path: Path) -> None:
    day_s = SETUP_S // DAY_S * DAY_S
    rows = [
        finished("a", day_s),
        active("b", day_s + DAY_S - 1, end_time=Timestamp(seconds=day_s + DAY_S)),
        finished("c", day_s + 60, end_time=Timestamp(seconds=day_s + 70, nanos=1_999_000)),
    ]
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        write(harness.store, *rows)
        harness.flush()
        found = {
            row["session_id"]: (row["setup_minute"], row["talk_ms"])
            for row in read(harness.segment()).to_pylist()
        }
        assert found == {"a": (0, 60_000), "b": (1_439, -1), "c": (1, 1)}
        long = finished("d", day_s, end_time=Timestamp(seconds=day_s + 30 * DAY_S))
        stored = records_pb2.WriteRecordsRequest(records=[long], accept_stored=True)
        assert harness.store.write(stored.SerializeToString()).accepted == 1
        harness.flush()
        assert read(harness.segment())["talk_ms"].to_pylist() == [None], "it would not fit 32 bits"


def test_each_utc_day_has_its_own_file_sorted_by_setup_time(tmp_path: Path) -> None:
    setups = [SETUP_S + 5, SETUP_S, SETUP_S + DAY_S, SETUP_S + 3, SETUP_S - DAY_S, SETUP_S]
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        write(harness.store, *(finished(f"f{i}", setup_s) for i, setup_s in enumerate(setups)))
        harness.flush()
    found = {path.parent.name: read(path)["session_id"].to_pylist() for path in tmp_path.glob("segments/*/*")}
    assert found == {"2026-03-28": ["f4"], "2026-03-29": ["f1", "f5", "f3", "f0"], "2026-03-30": ["f2"]}


def test_a_dictionary_has_each_text_once(tmp_path: Path) -> None:
    folders = ["sales", "support", "", "sales", "support"]
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        write(harness.store, active("a1", folder="of an active session"))
        write(harness.store, *(finished(f"f{i}", SETUP_S + i, folder=name) for i, name in enumerate(folders)))
        harness.flush()
    column = read(only_segment(tmp_path))["folder"].combine_chunks()
    assert column.dictionary.to_pylist() == ["sales", "support", ""], "the last stands beneath nulls"
    assert column.to_pylist() == ["sales", "support", None, "sales", "support"]


def test_key_hashes_are_sorted_and_lead_to_rows(tmp_path: Path) -> None:
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        write(harness.store, *(finished(f"f{i}", SETUP_S - i % 7) for i in range(100)))
        harness.flush()
    table = read(only_segment(tmp_path))
    hashes = table["sorted_key_hash"].to_pylist()
    assert hashes == sorted(hashes)
    assert sorted(table["row_of_key"].to_pylist()) == list(range(100))


@pytest.mark.parametrize("flushed_first", [True, False])
def test_the_versions_column_has_the_layers_of_a_record(flushed_first: bool, tmp_path: Path) -> None:
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("f1", agent_id="7"))
        if flushed_first:
            harness.flush()
        write(harness.store, finished("f1", revision=1, folder="x"))
        harness.flush()
    (row,) = read(max(tmp_path.glob("segments/2026-03-29/*"))).to_pylist()
    assert (row["agent_id"], row["folder"], row["revision"]) == ("7", "x", 1)
    assert row["versions"]
