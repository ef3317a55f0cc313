"""Frames have the values of the rows, and types that do not depend on them."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from pegcount.v1 import reports_pb2
from pegcount_client.reports import ActiveSessions, AsrUsage, FolderStats, OriginationQuality
from pegcount_client.requests import (
    RETURN_FIELDS,
)
from pegcount_client.rows import Convertible, Rows
from pegcount_client.times import UnknownZoneError
from service import Service

from client_tests import asked_reports
from client_tests.report_records import ODD_ID

RANGE = reports_pb2.ResolvedRange(time_zone="Europe/Berlin", from_time="2026-03-29T00:00:00+01:00")


def usage(service: Service) -> AsrUsage:
    return asked_reports.asr_usage(service, granularity="day", sma_period=2)[0]


def quality(service: Service) -> OriginationQuality:
    span = {
        "from_time": "2026-03-29T01:00:00",
        "to_time": "2026-03-29T05:00:00",
        "time_zone": "Europe/Berlin",
    }
    return asked_reports.quality(service, **span)[0]


def folders(service: Service) -> FolderStats:
    return asked_reports.folders(service, from_date="2026-03-29", to_date="2026-03-30")[0]


def agents(service: Service) -> Rows[Any]:
    return folders(service).agents


def active(service: Service) -> ActiveSessions:
    query = {"return_fields": RETURN_FIELDS, "time_zone": "Europe/Berlin", "grouping": "rollup"}
    return asked_reports.active(service, **query)[0]


def subtotals(service: Service) -> Rows[Any]:
    return active(service).subtotals


EMPTY: Mapping[Any, Convertible] = {
    usage: AsrUsage.from_response(reports_pb2.QueryAsrUsageResponse(range=RANGE)),
    quality: OriginationQuality.from_response(reports_pb2.QueryOriginationQualityResponse(range=RANGE)),
    folders: FolderStats.from_response(reports_pb2.QueryFolderStatsResponse(range=RANGE)),
    agents: FolderStats.from_response(reports_pb2.QueryFolderStatsResponse(range=RANGE)).agents,
    active: ActiveSessions.from_response(reports_pb2.QueryActiveSessionsResponse(range=RANGE), RETURN_FIELDS),
    subtotals: ActiveSessions.from_response(
        reports_pb2.QueryActiveSessionsResponse(range=RANGE), RETURN_FIELDS
    ).subtotals,
}
each_report = pytest.mark.parametrize("ask", EMPTY)


def table_of(report: Convertible) -> dict[str, list[Any]]:
    """The values of the rows by column, each read row by row."""
    rows = getattr(report, "bins", getattr(report, "rows", report))
    assert isinstance(rows, Rows)
    return {column.name: [getattr(row, column.name) for row in rows] for column in rows.columns}


def none_for_absent(value: Any) -> Any:
    """A value of a numpy array or a pandas frame as a row has it."""
    return None if value is np.ma.masked or pd.isna(value) else value


@each_report
def test_arrow_has_the_values_of_the_rows(ask: Any, records_service: Service) -> None:
    report = ask(records_service)
    expected = table_of(report)
    table = report.to_arrow()
    assert table.to_pydict() == expected
    assert table.schema == EMPTY[ask].to_arrow().schema
    assert min(len(values) for values in expected.values()) > 0


@each_report
def test_polars_has_the_values_of_the_rows(ask: Any, records_service: Service) -> None:
    report = ask(records_service)
    frame = report.to_polars()
    assert frame.to_dict(as_series=False) == table_of(report)
    assert frame.schema == EMPTY[ask].to_polars().schema


@each_report
def test_pandas_has_the_values_of_the_rows(ask: Any, records_service: Service) -> None:
    report = ask(records_service)
    frame = report.to_pandas()
    values = {name: [none_for_absent(value) for value in frame[name]] for name in frame}
    assert values == table_of(report)
    pd.testing.assert_series_equal(frame.dtypes, EMPTY[ask].to_pandas().dtypes)


@each_report
def test_numpy_has_the_values_of_the_rows(ask: Any, records_service: Service) -> None:
    report = ask(records_service)
    arrays = report.to_numpy()
    in_utc = {
        name: [
            each.astimezone(UTC).replace(tzinfo=None) if isinstance(each, datetime) else each
            for each in values
        ]
        for name, values in table_of(report).items()
    }
    assert {
        name: [none_for_absent(each) for each in array.tolist()] for name, array in arrays.items()
    } == in_utc
    empty = EMPTY[ask].to_numpy()
    assert {name: array.dtype for name, array in arrays.items()} == {
        name: array.dtype for name, array in empty.items()
    }
    assert {name: type(array) for name, array in arrays.items()} == {
        name: type(array) for name, array in empty.items()
    }
    assert {array.shape for array in empty.values()} == {(0,)}


def test_types_of_arrow(records_service: Service) -> None:
    time = pa.timestamp("us", tz="Europe/Berlin")
    schema = quality(records_service).to_arrow().schema
    assert list(zip(schema.names, schema.types, strict=True)) == [
        ("start_time", time),
        ("total_calls", pa.int64()),
        ("answered_calls", pa.int64()),
        ("duration_ms", pa.int64()),
        ("acd", pa.float64()),
        ("asr", pa.float64()),
        ("cps", pa.float64()),
    ]
    assert usage(records_service).to_arrow().schema.types == [time, pa.int64(), pa.float64(), pa.bool_()]
    assert agents(records_service).to_arrow().schema.types[:4] == [
        pa.date32(),
        pa.string(),
        pa.string(),
        pa.int64(),
    ]
    found = active(records_service).to_arrow().schema
    assert found.field("session_start_time").type == time
    assert found.field("equipment_id").type == pa.int64()


def test_types_of_pandas(records_service: Service) -> None:
    frame = quality(records_service).to_pandas()
    assert [str(dtype) for dtype in frame.dtypes] == [
        "datetime64[us, Europe/Berlin]",
        *["int64"] * 3,
        *["float64"] * 3,
    ]
    types = active(records_service).to_pandas().dtypes.astype(str).to_dict()
    assert types["session_start_time"] == "datetime64[us, Europe/Berlin]"
    assert types["equipment_id"] == types["term_clients_id"] == "Int64"
    assert types["orig_clients_name"] == types["term_clients_name"] == "string"
    assert types["quantity"] == "int64"
    assert folders(records_service).to_pandas()["date"].tolist()[0] == date(2026, 3, 29)
    assert str(usage(records_service).to_pandas()["complete"].dtype) == "bool"


def test_types_of_polars(records_service: Service) -> None:
    schema = active(records_service).to_polars().schema
    assert schema["session_start_time"] == pl.Datetime("us", "Europe/Berlin")
    assert schema["equipment_id"] == pl.Int64
    assert schema["orig_clients_name"] == pl.String
    assert folders(records_service).to_polars().schema["date"] == pl.Date


def test_types_of_numpy(records_service: Service) -> None:
    arrays = active(records_service).to_numpy()
    assert arrays["session_start_time"].dtype == np.dtype("datetime64[us]")
    assert isinstance(arrays["equipment_id"], np.ma.MaskedArray)
    assert arrays["equipment_id"].dtype == np.int64
    assert arrays["orig_clients_name"].dtype == object
    assert not isinstance(arrays["quantity"], np.ma.MaskedArray)
    assert folders(records_service).to_numpy()["date"].dtype == np.dtype("datetime64[D]")
    assert np.isnan(quality(records_service).to_numpy()["acd"]).tolist() == [True, False, True]


def test_columns_are_in_the_order_asked_for(records_service: Service) -> None:
    names = ["quantity", "session_id", "duration", "equipment_id"]
    report, _ = asked_reports.active(records_service, return_fields=names, order=[])
    assert list(report.to_numpy()) == report.to_arrow().column_names == names
    assert list(report.to_pandas().columns) == report.to_polars().columns == names


def test_ids_beyond_doubles_stay_exact(records_service: Service) -> None:
    report = active(records_service)
    expected = [ODD_ID, 0]
    assert report.rows.column("equipment_id") == expected
    assert report.to_numpy()["equipment_id"].tolist() == expected
    assert report.to_arrow()["equipment_id"].to_pylist() == expected
    assert report.to_pandas()["equipment_id"].tolist() == expected
    assert report.to_polars()["equipment_id"].to_list() == expected


def test_the_clock_that_shows_an_hour_twice_keeps_its_instants() -> None:
    response = reports_pb2.QueryAsrUsageResponse(
        range=RANGE,
        bins=[
            reports_pb2.AsrUsageBin(start_time="2026-10-25T02:00:00+02:00"),
            reports_pb2.AsrUsageBin(start_time="2026-10-25T02:00:00+01:00"),
        ],
    )
    report = AsrUsage.from_response(response)
    in_utc = [datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
    for times in (
        report.bins.column("start_time"),
        report.to_arrow()["start_time"].to_pylist(),
        report.to_pandas()["start_time"].tolist(),
        report.to_polars()["start_time"].to_list(),
    ):
        assert [time.astimezone(UTC) for time in times] == in_utc
        assert [time.utcoffset().total_seconds() for time in times] == [7_200, 3_600]


def test_frames_of_a_zone_that_only_the_server_knows(records_service: Service) -> None:
    response = reports_pb2.QueryAsrUsageResponse(
        bins=[reports_pb2.AsrUsageBin(start_time="2026-03-29T00:00:00Z")]
    )
    response.range.time_zone = "Mars/Olympus"
    report = AsrUsage.from_response(response)
    assert report.to_numpy()["start_time"].tolist() == [datetime(2026, 3, 29)]
    assert str(report.to_arrow().schema.field("start_time").type) == "timestamp[us, tz=Mars/Olympus]"
    with pytest.raises(UnknownZoneError, match="next step: pip install tzdata"):
        report.to_pandas()


@pytest.mark.parametrize(
    ("convert", "missing", "extra"),
    [
        ("to_numpy", "numpy", "numpy"),
        ("to_arrow", "pyarrow", "arrow"),
        ("to_pandas", "pandas", "pandas"),
        ("to_polars", "polars", "polars"),
    ],
)
def test_a_library_that_is_not_installed(
    convert: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    report = AsrUsage.from_response(reports_pb2.QueryAsrUsageResponse(range=RANGE))
    with pytest.raises(ImportError) as error:
        getattr(report, convert)()
    assert (
        str(error.value) == f'{missing} is not installed; next step: pip install "pegcount-client[{extra}]"'
    )


_ALONE = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {absent}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from pegcount.v1 import reports_pb2
from pegcount_client.reports import AsrUsage, ActiveSessions
bins = [reports_pb2.AsrUsageBin(start_time="2026-03-29T00:00:00.000001+01:00", session_count=3)]
span = reports_pb2.ResolvedRange(time_zone="Europe/Berlin")
usage = AsrUsage.from_response(reports_pb2.QueryAsrUsageResponse(range=span, bins=bins))
rows = [reports_pb2.ActiveSessionRow(orig_clients_id=1), reports_pb2.ActiveSessionRow(session_id="x")]
fields = ["orig_clients_id", "session_id", "session_setup_time"]
active = ActiveSessions.from_response(reports_pb2.QueryActiveSessionsResponse(range=span, rows=rows), fields)
assert usage.bins[0].session_count == 3
assert len(usage.{convert}()) in (1, 4) and len(active.{convert}()) in (2, 3)
"""


@pytest.mark.parametrize(
    ("convert", "absent"),
    [
        ("to_numpy", ["pyarrow", "pandas", "polars"]),
        ("to_arrow", ["numpy", "pandas", "polars"]),
        ("to_pandas", ["pyarrow", "polars"]),
        ("to_polars", ["numpy", "pyarrow", "pandas"]),
    ],
)
def test_a_conversion_needs_only_its_extra(convert: str, absent: list[str]) -> None:
    """In a process of its own, as imports of this one would count."""
    code = _ALONE.format(convert=convert, absent=absent)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_client_imports_no_library_of_frames() -> None:
    code = "import sys, pegcount_client.reports, pegcount_client.requests; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numpy", "pyarrow", "pandas", "polars"} & set(done.stdout.split()) == set()
