"""`pegcount masking`."""

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.counts import counted
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.privacy_methods import PrivacyMethods, privacy_methods
from pegcount.cli.store_option import LocalStore
from pegcount.errors import PegcountError
from pegcount.v1 import admin_pb2


class MaskingOptionError(PegcountError):
    """Options of `pegcount masking` contradict each other."""


@calls_server(has_timeout=False)
def masking(
    store: LocalStore = None,
    server: Connection | None = None,
    after_days: Annotated[
        int | None,
        typer.Option(min=1, max=2**63 - 1, help="Keep numbers whole for DAYS UTC days, today included."),
    ] = None,
    keep_digits: Annotated[
        int | None, typer.Option(min=0, max=32, help="Digits that stay of a masked number.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Mask no more; what was masked stays so.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the records, and mask nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Mask without asking.")] = False,
) -> None:
    """Show after how many days numbers of parties are masked, or set it.

    Numbers of older days are masked in the background, for good: each digit after the first ones becomes `*`.
    """
    with errors_as_exit_status():
        wanted = admin_pb2.Masking(after_days=after_days, keep_digits=keep_digits)
        _require_one_purpose(wanted, off, dry_run or yes)
        with privacy_methods(store, server) as methods:
            if dry_run:
                typer.echo(f"{_would_be_masked(wanted, methods)}; nothing is masked now")
            elif off:
                methods.set_masking(admin_pb2.SetMaskingRequest(masking=wanted))
                typer.echo("numbers of parties are masked no more; what was masked stays masked")
            elif not wanted.ListFields():
                _show(methods)
            elif yes or _is_confirmed(wanted, methods):
                _set(wanted, methods)


def _require_one_purpose(wanted: admin_pb2.Masking, off: bool, is_about_wanted: bool) -> None:
    given = [wanted.HasField(name) for name in ("after_days", "keep_digits")]
    if off and (any(given) or is_about_wanted):
        raise MaskingOptionError("--off goes without --after-days, --keep-digits, --dry-run and --yes")
    if any(given) and not all(given):
        raise MaskingOptionError("--after-days and --keep-digits go together")
    if is_about_wanted and not any(given):
        raise MaskingOptionError("--dry-run and --yes go with --after-days and --keep-digits")


def _is_confirmed(wanted: admin_pb2.Masking, methods: PrivacyMethods) -> bool:
    if not sys.stdin.isatty():
        raise MaskingOptionError("to mask numbers is for good: give --yes, or --dry-run to count the records")
    return typer.confirm(f"{_would_be_masked(wanted, methods)}; mask them for good?")


def _would_be_masked(wanted: admin_pb2.Masking, methods: PrivacyMethods) -> str:
    """Says what a masking would do by the clock of this host, which that of the server should agree with."""
    first_day = _first_whole_day(wanted.after_days)
    before = admin_pb2.DeleteRecordsRequest(to_time=first_day.isoformat(), dry_run=True)
    records = methods.count_records(before).deleted
    segments = methods.store_info(admin_pb2.GetStoreInfoRequest()).segments
    return (
        f"{counted(records, 'record')} from before {first_day} would keep the first"
        f" {counted(wanted.keep_digits, 'digit')} of each number, and so would later ones in time;"
        f" {first_day} is the first day that stays whole, and the store has {counted(segments, 'segment')}"
    )


def _first_whole_day(after_days: int) -> date:
    today = datetime.now(UTC).date()
    # Records are set up after 1970.
    return max(today - timedelta(days=min(after_days, today.toordinal()) - 1), date(1970, 1, 1))


def _set(wanted: admin_pb2.Masking, methods: PrivacyMethods) -> None:
    earlier = methods.get_masking(admin_pb2.GetMaskingRequest()).masking
    methods.set_masking(admin_pb2.SetMaskingRequest(masking=wanted))
    _show(methods)
    is_more = wanted.keep_digits > earlier.keep_digits or wanted.after_days > earlier.after_days
    if earlier.HasField("after_days") and is_more:
        typer.echo("what was masked before stays as it is: no digit comes back")


def _show(methods: PrivacyMethods) -> None:
    answer = methods.get_masking(admin_pb2.GetMaskingRequest())
    if not answer.masking.HasField("after_days"):
        typer.echo(
            "no masking is set: numbers of parties stay as they are, also those that were masked before"
        )
        return
    waiting = answer.waiting_segments
    verb = "waits" if waiting == 1 else "wait"
    waiting_text = f"; {counted(waiting, 'segment')} {verb} for that" if waiting else ""
    typer.echo(
        f"after {counted(answer.masking.after_days, 'UTC day')}, numbers of parties keep their first"
        f" {counted(answer.masking.keep_digits, 'digit')}{waiting_text}"
    )
