"""Where the records are, if a report counts none because its range lies elsewhere."""

from dataclasses import replace
from typing import Final

from pegcount import calendar, core
from pegcount.cli.report.report_table import Notice, ReportTable
from pegcount.client import Client
from pegcount.time_text import RFC_3339, read_time
from pegcount.v1.admin_pb2 import GetStoreInfoRequest

_DAY_CHARS: Final = len("2026-03-28")


def with_held_range(table: ReportTable, count: int, client: Client) -> ReportTable:
    """Returns a table of a count of 0 with a notice of the days of all records, if its range has none.

    Asks the server only then, and goes without if that fails: the table is right by itself. With a credential
    it does not ask, as most read reports only: each table would leave a denied call in the audit log.
    """
    if count or not table.rows or client.has_credential:
        return table
    try:
        info = client.admin.GetStoreInfo(GetStoreInfoRequest())
    except Exception:
        return table
    if not info.HasField("first_setup_time"):
        return _with(table, Notice("HELD_RANGE", "the server holds no records yet", {}))
    first_us, last_us = _us(info.first_setup_time), _us(info.last_setup_time)
    if first_us < _us(table.range.to_time) and last_us >= _us(table.range.from_time):
        return table
    first, last = (_day(time_us, table.range.time_zone) for time_us in (first_us, last_us))
    text = f"all records held are from {first} to {last}; --from {first} reaches them"
    return _with(table, Notice("HELD_RANGE", text, {"first_day": first, "last_day": last}))


def _with(table: ReportTable, notice: Notice) -> ReportTable:
    return replace(table, notices=(*table.notices, notice))


def _us(text: str) -> int:
    return read_time(text, RFC_3339).us


def _day(time_us: int, time_zone: str) -> str:
    """Returns the local day of an instant, that of UTC if this program does not know the zone."""
    zone = calendar.zone(time_zone) or calendar.zone("UTC")
    assert zone is not None
    return core.format_time(time_us, zone)[:_DAY_CHARS]
