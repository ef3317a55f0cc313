"""Runs the golden cases, one file of `tests/cases/` each, against a whole service over each store."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from case_file import Call, Cells, PutCodeDeck, Restart, Seal, Section, SetClock, Step, Write, read_case
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pegcount.model import WriteOutcome
from pegcount.v1 import records_pb2, reports_pb2
from service import Service

from conformance.stores import StoreFactory
from conformance.traffic_tables import traffic_tables

CASES = sorted((Path(__file__).parents[1] / "cases").glob("*.case"))

Row = Mapping[str, object]

# Sections that an answer may have only if the case expects them.
_ALWAYS_COMPARED = ("error", "notice", "rejections", "subtotals", "total")


@dataclass
class Answer:
    """An answer in the form of a case file; absent values are None."""

    lines: dict[str, Cells] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)


@pytest.mark.sampled(25)
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, stores: StoreFactory, tmp_path: Path) -> None:
    service = Service(tmp_path / "store", stores=stores)
    try:
        for step in read_case(path):
            if isinstance(step, Restart):
                service.close()
                service = Service(tmp_path / "store", now_us=service.now_us, stores=stores)
            else:
                _run_step(step, service, path)
    finally:
        service.close()


def test_there_are_cases() -> None:
    assert CASES


def _run_step(step: Step, service: Service, path: Path) -> None:
    match step:
        case SetClock():
            service.now_us = step.now_us
        case Seal():
            service.stores.flush(service.store)
        case PutCodeDeck():
            service.admin.PutCodeDeck(step.request)
        case Write():
            outcome = service.store.write(step.request.SerializeToString())
            _check(step.expected or (), _of_write(outcome), f"{path.name}:{step.line}")
        case Call():
            _check(step.expected or (), _ask(step, service), f"{path.name}:{step.line}")


def _check(expected: tuple[Section, ...], answer: Answer, where: str) -> None:
    """Compares an answer with the expected sections; a failure shows both as text and their diff."""
    actual = _in_form_of(expected, answer)
    if actual == expected:
        return
    expected_lines, actual_lines = _as_lines(expected), _as_lines(actual)
    diff = "\n".join(
        difflib.unified_diff(expected_lines, actual_lines, "expected", "actual", n=1, lineterm="")
    )
    pytest.fail(f"{where}\n\nexpect\n" + "\n".join(actual_lines) + f"\n\n{diff}", pytrace=False)


def _in_form_of(expected: tuple[Section, ...], answer: Answer) -> tuple[Section, ...]:
    names = {section.name for section in expected}
    extra_sections = [_complete_section(name, answer) for name in _ALWAYS_COMPARED if name not in names]
    return (
        *(_section_like(section, answer) for section in expected),
        *(section for section in extra_sections if section),
    )


def _complete_section(name: str, answer: Answer) -> Section | None:
    """Returns a section with all of its columns, or None if the answer lacks it."""
    if name in answer.lines:
        return _section_like(Section(name, answer.lines[name]), answer)
    rows = answer.tables.get(name, [])
    columns = tuple(
        column for column in (rows[0] if rows else ()) if any(row[column] is not None for row in rows)
    )
    return _table(Section(name, columns), rows) if rows else None


def _section_like(section: Section, answer: Answer) -> Section:
    if section.name == "count":
        main = next((name for name in ("bins", "data", "rows") if name in answer.tables), None)
        return Section("count", (str(len(answer.tables[main])),) if main else ())
    if section.name == "error":
        rows = tuple(tuple(map(str, row.values())) for row in answer.tables.get("error", []))
        is_same = sorted(rows) == sorted(section.rows)  # The order of violations is not significant
        return Section("error", answer.lines.get("error", ("none",)), section.rows if is_same else rows)
    if section.name in answer.tables:
        # Rows of agents are included only if the expected table has an agent_id column.
        has_agents = "agent_id" in section.head
        table = answer.tables[section.name]
        return _table(section, [row for row in table if has_agents or row.get("agent_id") is None])
    return Section(section.name, answer.lines.get(section.name, ()))


def _table(section: Section, rows: Sequence[Row]) -> Section:
    """Formats rows with the expected columns and decimals; returns the expected rows if `...` matches."""
    decimals = [_decimals(column) for column in zip(*_complete_rows(section), strict=True)] or [0] * len(
        section.head
    )
    printed = [
        tuple(
            _cell(_value(row, name), decimal_count)
            for name, decimal_count in zip(section.head, decimals, strict=True)
        )
        for row in rows
    ]
    is_match = ("...",) in section.rows and _matches(section.rows, printed)
    return Section(section.name, section.head, section.rows if is_match else tuple(printed))


def _complete_rows(section: Section) -> list[Cells]:
    rows = [row for row in section.rows if row != ("...",)]
    assert all(len(row) == len(section.head) for row in rows), (
        f"{section.name}: a row needs a cell per column"
    )
    return rows


def _value(row: Row, name: str) -> object:
    assert name in row, f"no column is called {name!r}, only {', '.join(row)}"
    return row[name]


def _matches(pattern: Sequence[Cells], rows: Sequence[Cells]) -> bool:
    """Returns whether the rows match a pattern, in which `...` stands for any number of rows."""
    if not pattern:
        return not rows
    if pattern[0] == ("...",):
        return any(_matches(pattern[1:], rows[i:]) for i in range(len(rows) + 1))
    return bool(rows) and rows[0] == pattern[0] and _matches(pattern[1:], rows[1:])


def _decimals(cells: Iterable[str]) -> int:
    return max(len(cell.partition(".")[2]) for cell in cells)


def _cell(value: object, decimals: int) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return "NaN" if math.isnan(value) else f"{value:.{decimals}f}"
        case str():
            return value if value and value != "-" and value.split() == value.split(" ") else f'"{value}"'
        case _:
            return str(value)


def _as_lines(sections: Iterable[Section]) -> list[str]:
    """Formats sections as lines of a case file."""
    lines = []
    for section in sections:
        rows = [("", row) for row in section.rows]
        table = [(section.name, section.head), *rows]
        lines += _aligned(table) if rows else [f"{section.name} {'  '.join(section.head)}".rstrip()]
    return lines


def _aligned(table: Sequence[tuple[str, Cells]]) -> list[str]:
    cells = [(name, *row) for name, row in table]
    widths = [max(len(row[i]) for row in cells if i < len(row)) for i in range(max(map(len, cells)))]
    return ["  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip() for row in cells]


def _ask(step: Call, service: Service) -> Answer:
    stubs: dict[str, Any] = {"GetStoreInfo": service.admin, "QueryTraffic": service.traffic}
    stub = stubs.get(step.method, service.reports)
    try:
        response = getattr(stub, step.method)(step.request)
    except grpc.RpcError as error:
        return _of_error(error)
    answer = Answer(tables=_TABLES[step.method](response))
    if step.method != "GetStoreInfo":
        answer.lines.update(_lines(response))
    return answer


def _lines(response: Any) -> dict[str, Cells]:
    resolved = response.range
    granularity = reports_pb2.Granularity.Name(resolved.granularity).removeprefix("GRANULARITY_")
    bins = [granularity] if resolved.HasField("granularity") else []
    lines: dict[str, Cells] = {"range": (resolved.from_time, resolved.to_time, resolved.time_zone, *bins)}
    if response.notices:
        codes = [reports_pb2.NoticeCode.Name(notice.code) for notice in response.notices]
        lines["notice"] = tuple(code.removeprefix("NOTICE_CODE_") for code in codes)
    if "compared" in response.DESCRIPTOR.fields_by_name and response.HasField("compared"):
        lines["then"] = (response.compared.range.from_time, response.compared.range.to_time)
    for name in ("as_of", "row_count", "group_count"):
        if name in response.DESCRIPTOR.fields_by_name:
            lines[name] = (str(getattr(response, name)),)
    return lines


def _of_error(error: grpc.RpcError) -> Answer:
    """Returns the code, and field and reason of each violation; the metadata is that of ErrorInfo."""
    status = rpc_status.from_call(error)
    assert status is not None
    refused, missing, info = (
        error_details_pb2.BadRequest(),
        error_details_pb2.ResourceInfo(),
        error_details_pb2.ErrorInfo(),
    )
    for packed in status.details:
        for detail in (refused, missing, info):
            packed.Unpack(detail)
    rows: list[Row] = [{"field": v.field, "reason": v.reason} for v in refused.field_violations]
    rows = rows or [{"field": missing.resource_type or "-", "reason": info.reason}]
    limits = {name: info.metadata[name] for name in ("asked", "allowed") if name in info.metadata}
    return Answer({"error": (error.code().name,)}, {"error": rows, "metadata": [limits] if limits else []})


def _of_write(outcome: WriteOutcome) -> Answer:
    counts = {name: getattr(outcome, name) for name in ("accepted", "replaced", "duplicates")}
    rejections: list[Row] = [
        {"index": r.index, "reason": records_pb2.RejectReason.Name(r.reason).removeprefix("REJECT_REASON_")}
        for r in outcome.rejected
    ]
    return Answer(tables={"write": [counts | {"rejected": len(rejections)}], "rejections": rejections})


def _row(message: Message, **extra_columns: object) -> Row:
    """Returns the singular fields of a message, None for absent ones."""
    fields = [one for one in message.DESCRIPTOR.fields if not one.is_repeated]
    return extra_columns | {
        f.name: getattr(message, f.name) if message.HasField(f.name) else None for f in fields
    }


def _usage(response: reports_pb2.QueryAsrUsageResponse) -> dict[str, list[Row]]:
    starts = [datetime.fromisoformat(b.start_time) for b in response.bins]
    ends = [*starts[1:], datetime.fromisoformat(response.range.to_time)]
    minutes = [int((end - start).total_seconds()) // 60 for start, end in zip(starts, ends, strict=False)]
    bins = [_row(b, minutes=m) for b, m in zip(response.bins, minutes, strict=False)]
    return {"bins": bins, "totals": [_row(response.totals)]}


def _active(response: reports_pb2.QueryActiveSessionsResponse) -> dict[str, list[Row]]:
    total = [_row(response.total)] if response.HasField("total") else []
    return {
        "rows": [*map(_row, response.rows)],
        "subtotals": [*map(_row, response.subtotals)],
        "total": total,
    }


def _folders(response: reports_pb2.QueryFolderStatsResponse) -> dict[str, list[Row]]:
    """Returns the row of each folder, followed by those of its agents."""
    rows: list[Row] = []
    for row in response.rows:
        rows.append(_row(row, agent_id=None))
        rows += [{**_row(agent), "date": row.date, "folder": row.folder} for agent in row.agents]
    return {"rows": rows, "totals": [_row(response.totals)]}


def _quality(response: reports_pb2.QueryOriginationQualityResponse) -> dict[str, list[Row]]:
    data = response.data
    columns = {f.name: list(getattr(data, f.name)) for f in data.DESCRIPTOR.fields}
    columns["start_time"] = [datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for t in data.t]
    assert {len(column) for column in columns.values()} == {response.rows}
    rows: list[Row] = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {"data": rows, "totals": [_row(response.totals)]}


_TABLES: dict[str, Any] = {
    "QueryAsrUsage": _usage,
    "QueryActiveSessions": _active,
    "QueryFolderStats": _folders,
    "QueryOriginationQuality": _quality,
    "QueryTraffic": traffic_tables,
    "GetStoreInfo": lambda response: {"info": [_row(response)]},
}
