"""`pegcount erase`."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.counts import counted
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.privacy_methods import PrivacyMethods, privacy_methods
from pegcount.cli.store_option import LocalStore
from pegcount.errors import PegcountError
from pegcount.v1 import admin_pb2

_STDIN = "-"
_SEVERAL_NUMBERS = re.compile(r"\d\)?\s*(?:[,;]\s*|\t\s*)[+(\"<]*(?:(?:sips?|tel):)?[+(]*\d")
"""Digits on both sides of a comma, semicolon or tab: parameters of addresses begin with a letter."""


class EraseOptionError(PegcountError):
    """Options of `pegcount erase` contradict each other, or a file of numbers cannot be read."""


@calls_server(has_timeout=False)
def erase(
    store: LocalStore = None,
    server: Connection | None = None,
    parties: Annotated[
        list[str] | None,
        typer.Option(
            "--party",
            metavar="NUMBER",
            help="A number, in any form; may be repeated. Other users see it: prefer --party-file.",
        ),
    ] = None,
    party_file: Annotated[
        str | None, typer.Option(metavar="FILE", help='File with a number in each line; "-" is the input.')
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the records, and erase nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    lift: Annotated[
        int | None, typer.Option(min=1, max=2**63 - 1, help="End the erasure with this number.")
    ] = None,
    list_erasures: Annotated[bool, typer.Option("--list", help="List the erasures.")] = False,
) -> None:
    """Erase numbers of parties from all records, whatever form they were written in, for good.

    The records stay, and count as before. Later writes are held to the erasure, until --lift ends it.
    """
    with errors_as_exit_status():
        request = admin_pb2.ErasePartiesRequest(parties=[*(parties or []), *_parties_of(party_file)])
        if dry_run:
            request.dry_run = True
        _require_one_purpose(request, yes, lift, list_erasures)
        _tell_of_names(request.parties)
        with privacy_methods(store, server) as methods:
            if list_erasures:
                _show_erasures(methods)
            elif lift is not None:
                methods.lift_erasure(admin_pb2.LiftErasureRequest(erasure_id=lift))
                typer.echo(f"erasure {lift} is lifted: later writes keep its numbers, and none comes back")
            elif dry_run:
                count = methods.erase(request).records
                typer.echo(f"{_have(count)} one of the numbers")
                _tell_of_none(count)
            elif yes or _is_confirmed(request, methods, party_file):
                _show_outcome(methods.erase(request))


def _parties_of(name: str | None) -> list[str]:
    if name is None:
        return []
    try:
        content = sys.stdin.buffer.read() if name == _STDIN else Path(name).read_bytes()
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise EraseOptionError(f"--party-file: {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        # The text of the error quotes bytes of the file.
        raise EraseOptionError(f"--party-file: {name} is not UTF-8, from byte {error.start} on") from error
    parties = []
    for number, line in enumerate((line.strip() for line in lines), start=1):
        if line.startswith("#"):
            raise EraseOptionError(f"--party-file: {name}, line {number} is a comment: leave it out")
        if _SEVERAL_NUMBERS.search(line):
            raise EraseOptionError(
                f"--party-file: {name}, line {number} has several numbers: write each in a line of its own"
            )
        parties += [line] if line else []
    if not parties:
        raise EraseOptionError(f"--party-file: {name} has no number")
    return parties


def _tell_of_names(parties: Iterable[str]) -> None:
    """Says of texts without a digit how they are compared, as they are seldom meant."""
    count = sum(not any(character.isdecimal() for character in party) for party in parties)
    if count:
        what = "1 text has no digit, and is" if count == 1 else f"{count:,} texts have no digit, and are"
        typer.echo(f"{what} compared as a name, as a whole", err=True)


def _require_one_purpose(
    request: admin_pb2.ErasePartiesRequest, yes: bool, lift: int | None, list_erasures: bool
) -> None:
    purposes = [bool(request.ListFields()) or yes, lift is not None, list_erasures]
    if sum(purposes) > 1:
        raise EraseOptionError("--lift and --list erase nothing, and go with --store or --server only")
    if not request.parties and not any(purposes[1:]):
        raise EraseOptionError("say which numbers: --party-file FILE, or --party NUMBER")


def _is_confirmed(
    request: admin_pb2.ErasePartiesRequest, methods: PrivacyMethods, party_file: str | None
) -> bool:
    if party_file == _STDIN or not sys.stdin.isatty():
        raise EraseOptionError("to erase numbers is for good: give --yes, or --dry-run to count the records")
    count_only = admin_pb2.ErasePartiesRequest(parties=request.parties, dry_run=True)
    count = methods.erase(count_only).records
    return typer.confirm(f"{_have(count)} one of the numbers; erase it for good?")


def _have(count: int) -> str:
    return f"{counted(count, 'record')} {'has' if count == 1 else 'have'}"


def _tell_of_none(count: int) -> None:
    """Says after a count of 0 why numbers may be there in a form that is not found."""
    if not count:
        typer.echo(
            "a number is found with + or 00 in front or neither, with separators, and in sip: and tel:"
            " addresses; national forms (030 23125001) are other numbers, to be given as well; and numbers of"
            " days that are masked already cannot be found"
        )


def _show_outcome(response: admin_pb2.ErasePartiesResponse) -> None:
    number = response.erasure_id
    typer.echo(
        f"{counted(response.records, 'record')} had one of the numbers, and"
        f" {'counts' if response.records == 1 else 'count'} as before without it; erasure"
        f" {number} holds later writes to it, until `pegcount erase --lift {number}`"
    )
    _tell_of_none(response.records)


def _show_erasures(methods: PrivacyMethods) -> None:
    erasures = methods.list_erasures(admin_pb2.ListErasuresRequest()).erasures
    for each in erasures:
        state = "complete" if each.is_complete else "not complete yet: the store goes on with it"
        typer.echo(
            f"erasure {each.erasure_id}: {counted(each.party_count, 'number')}; made {each.create_time},"
            f" {counted(each.records, 'record')} had one; {state}"
        )
    if not erasures:
        typer.echo("later writes keep all numbers")
