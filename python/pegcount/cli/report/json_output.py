"""A report as a JSON document with exact figures."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from pegcount.cli.report.report_table import ReportTable, Row, Value


def json_text(table: ReportTable, *, one_line: bool) -> str:
    """Returns the document; a value that the answer lacks is null, integers keep all digits."""
    document: dict[str, object] = {
        "report": table.report,
        "range": asdict(table.range),
        "rows": [_fields(table, row) for row in table.rows],
        "totals": dict(table.totals),
        "notices": [asdict(notice) for notice in table.notices],
    }
    if table.alerts is not None:
        document["alerts"] = [asdict(alert) for alert in table.alerts]
    if table.subtotals:
        document["subtotals"] = [{**_fields(table, row), "level": row.level} for row in table.subtotals]
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=None if one_line else 2)


def _fields(table: ReportTable, row: Row) -> Mapping[str, Value]:
    return {column.name: value for column, value in zip(table.columns, row.values, strict=True)}
