"""`pegcount deck`."""

import csv
from pathlib import Path
from typing import Annotated

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.errors import ImportFileError
from pegcount.v1 import admin_pb2

deck_app = typer.Typer(help="Code decks: destinations by leading digits.", no_args_is_help=True)

_HEADER = ["code", "name", "country"]


@deck_app.command("import")
@calls_server()
def import_deck(
    file: Annotated[Path, typer.Argument(help="CSV with the header code,name,country.")],
    deck_id: Annotated[int, typer.Option("--id", help="Id of the deck, 1 or greater.")],
    server: Connection,
) -> None:
    """Store a code deck, or replace the one with the same id."""
    with errors_as_exit_status(), server.client() as client:
        answer = client.admin.PutCodeDeck(admin_pb2.PutCodeDeckRequest(id=deck_id, entries=_entries(file)))
        typer.echo(f"code deck {deck_id}: {answer.entry_count:,} entries")


@deck_app.command("list")
@calls_server()
def list_decks(server: Connection) -> None:
    """List the code decks."""
    with errors_as_exit_status(), server.client() as client:
        for deck in client.admin.ListCodeDecks(admin_pb2.ListCodeDecksRequest()).code_decks:
            typer.echo(f"code deck {deck.id}: {deck.entry_count:,} entries")


def _entries(file: Path) -> list[admin_pb2.CodeDeckEntry]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines, strict=True)
            if rows.fieldnames is None or sorted(rows.fieldnames) != sorted(_HEADER):
                raise ImportFileError(f"{file}: the header must be {','.join(_HEADER)}")
            return [admin_pb2.CodeDeckEntry(**_cells(row, file, rows.line_num)) for row in rows]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ImportFileError(f"{file}: {error}") from error


def _cells(row: dict[str | None, str | None], file: Path, line: int) -> dict[str, str]:
    cells = {name: row.get(name) for name in _HEADER}
    if None in row or None in cells.values():
        raise ImportFileError(f"{file}: line {line} has not {len(_HEADER)} cells")
    return {name: cell for name, cell in cells.items() if cell}
