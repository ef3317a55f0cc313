"""`pegcount audit`."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, Final, TypeAlias

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.local_admin import local_admin
from pegcount.cli.report.figures import printable
from pegcount.cli.store_option import LocalStore
from pegcount.errors import PegcountError, quoted
from pegcount.server.audited_requests import CHANGING, READING
from pegcount.store import StoreLocation
from pegcount.suggestion import did_you_mean
from pegcount.v1 import admin_pb2

_FIELDS: Final = tuple(field.name for field in admin_pb2.AuditEntry.DESCRIPTOR.fields)
_CALLER_KIND: Final = "caller_kind"
_PAGE_LENGTH: Final = 1_000
"""Entries of one answer, the most that a server allows, where only some of them are wanted."""
_Entry: TypeAlias = Mapping[str, int | str | None]


class AuditOptionError(PegcountError):
    """An option of `pegcount audit` is wrong."""


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
    method: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only calls of this method, such as EraseParties.")
    ] = None,
    caller: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only calls of this caller, by its name or id.")
    ] = None,
    output_format: Annotated[
        AuditFormat, typer.Option("--format", help="A table for people, or JSON, or CSV.")
    ] = AuditFormat.TABLE,
    store: LocalStore = None,
    server: Connection | None = None,
) -> None:
    """List who changed what: deletions, erasures, retention, masking, credentials and code decks."""
    with errors_as_exit_status():
        _require_known(method)
        with _admin(store, server) as admin:
            wanted = (
                entry
                for entry in _entries(admin, limit if method is caller is None else _PAGE_LENGTH, before)
                if method in (None, entry.method) and caller in (None, entry.caller_name, entry.caller_id)
            )
            listed = list(islice(wanted, limit))
        for line in _LINES_OF[output_format]([_values(entry) for entry in listed]):
            typer.echo(line)


@contextmanager
def _admin(store: StoreLocation | None, server: Connection | None) -> Iterator[Any]:
    if server is not None:
        with server.client() as client:
            yield client.admin
    elif store is not None:
        with local_admin(store) as admin:
            yield admin


def _require_known(method: str | None) -> None:
    known = CHANGING | READING
    if method is not None and method not in known:
        near = did_you_mean(method, known)
        raise AuditOptionError(f"--method: {quoted(method)} is not a method of AdminService{near}")


def _entries(admin: Any, page_length: int, before: int | None) -> Iterator[admin_pb2.AuditEntry]:
    """Yields the entries, the newest first, and asks for a page whenever the last one is used up."""
    while True:
        request = admin_pb2.ListAuditEntriesRequest(limit=page_length, before_entry_id=before)
        listed = admin.ListAuditEntries(request).entries
        yield from listed
        if len(listed) < page_length:
            return
        before = listed[-1].entry_id


def _values(entry: admin_pb2.AuditEntry) -> _Entry:
    values = {name: getattr(entry, name) if entry.HasField(name) else None for name in _FIELDS}
    return {**values, _CALLER_KIND: _kind_of_caller(entry)}


def _kind_of_caller(entry: admin_pb2.AuditEntry) -> str | None:
    """Returns whether a credential or token called, or a user of the machine; None: nobody authenticated."""
    if entry.HasField("caller_id"):
        return "credential"
    return "user" if entry.HasField("caller_name") else None


def _caller(entry: _Entry) -> str:
    """Names the caller: a name in quotes is that of a credential, so that none passes for a user."""
    if entry[_CALLER_KIND] == "user":
        return f"user {entry['caller_name']} of the machine"
    name = entry["caller_name"] or entry["caller_id"]
    return quoted(str(name)) if name else "nobody authenticated"


def _table_lines(entries: Sequence[_Entry]) -> Iterator[str]:
    for entry in entries:
        outcome = entry["outcome"] or "no outcome: at work, or ended by a crash"
        called = f"{entry['method']} {entry['request']}"
        line = f"{entry['entry_id']} {entry['time']} {_caller(entry)}: {called}: {outcome}"
        # A name or a text of a request must not reach the terminal as a control sequence.
        yield printable(line)
    if not entries:
        yield "there are no entries"


def _json_lines(entries: Sequence[_Entry]) -> Iterator[str]:
    yield json.dumps(entries, ensure_ascii=False, indent=2)


def _csv_lines(entries: Sequence[_Entry]) -> Iterator[str]:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, (*_FIELDS, _CALLER_KIND), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(entries)
    yield text.getvalue().removesuffix("\n")


_LINES_OF: Final[Mapping[AuditFormat, Callable[[Sequence[_Entry]], Iterator[str]]]] = {
    AuditFormat.TABLE: _table_lines,
    AuditFormat.JSON: _json_lines,
    AuditFormat.CSV: _csv_lines,
}
