"""`pegcount audit`."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.local_admin import local_admin
from pegcount.cli.report.figures import printable
from pegcount.v1 import admin_pb2

_FIELDS: Final = tuple(field.name for field in admin_pb2.AuditEntry.DESCRIPTOR.fields)
_Entry: TypeAlias = Mapping[str, int | str | None]


class AuditFormat(StrEnum):
    """How entries are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@calls_server()
def audit(
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many entries, the newest first.")] = 100,
    before: Annotated[
        int | None, typer.Option(min=1, metavar="ID", help="Entries before this one. Default: the newest.")
    ] = None,
    output_format: Annotated[
        AuditFormat, typer.Option("--format", help="A table for people, or JSON, or CSV.")
    ] = AuditFormat.TABLE,
    data: Annotated[Path | None, typer.Option(help="Data directory that no server owns.")] = None,
    server: Connection | None = None,
) -> None:
    """List who changed what: deletions, erasures, retention, masking, credentials and code decks."""
    request = admin_pb2.ListAuditEntriesRequest(limit=limit, before_entry_id=before)
    with errors_as_exit_status(), _admin(data, server) as admin:
        listed = admin.ListAuditEntries(request).entries
        for line in _LINES_OF[output_format]([_values(entry) for entry in listed]):
            typer.echo(line)


@contextmanager
def _admin(data: Path | None, server: Connection | None) -> Iterator[Any]:
    if server is not None:
        with server.client() as client:
            yield client.admin
    elif data is not None:
        with local_admin(data) as admin:
            yield admin


def _values(entry: admin_pb2.AuditEntry) -> _Entry:
    return {name: getattr(entry, name) if entry.HasField(name) else None for name in _FIELDS}


def _table_lines(entries: Sequence[_Entry]) -> Iterator[str]:
    for entry in entries:
        caller = entry["caller_name"] or entry["caller_id"] or "nobody authenticated"
        outcome = entry["outcome"] or "no outcome: at work, or ended by a crash"
        line = (
            f"{entry['entry_id']} {entry['time']} {caller}: {entry['method']} {entry['request']}: {outcome}"
        )
        # A name or a text of a request must not reach the terminal as a control sequence.
        yield printable(line)
    if not entries:
        yield "there are no entries"


def _json_lines(entries: Sequence[_Entry]) -> Iterator[str]:
    yield json.dumps(entries, ensure_ascii=False, indent=2)


def _csv_lines(entries: Sequence[_Entry]) -> Iterator[str]:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _FIELDS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(entries)
    yield text.getvalue().removesuffix("\n")


_LINES_OF: Final[Mapping[AuditFormat, Callable[[Sequence[_Entry]], Iterator[str]]]] = {
    AuditFormat.TABLE: _table_lines,
    AuditFormat.JSON: _json_lines,
    AuditFormat.CSV: _csv_lines,
}
