"""`pegcount masking`."""

from pathlib import Path
from typing import Annotated

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.privacy_methods import PrivacyMethods, privacy_methods
from pegcount.errors import PegcountError
from pegcount.v1 import admin_pb2


class MaskingOptionError(PegcountError):
    """Options of `pegcount masking` contradict each other."""


@calls_server(has_timeout=False)
def masking(
    data: Annotated[Path | None, typer.Option(help="Data directory that no server owns.")] = None,
    server: Connection | None = None,
    after_days: Annotated[
        int | None, typer.Option(min=1, help="Keep numbers whole for DAYS UTC days, today included.")
    ] = None,
    keep_digits: Annotated[
        int | None, typer.Option(min=0, max=32, help="Digits that stay of a masked number.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Mask no more; what was masked stays so.")] = False,
) -> None:
    """Show after how many days numbers of parties are masked, or set it.

    Numbers of older days are masked in the background, for good: each digit after the first ones becomes `*`.
    """
    with errors_as_exit_status():
        given = [value is not None for value in (after_days, keep_digits)]
        if off and any(given):
            raise MaskingOptionError("--off goes without --after-days and --keep-digits")
        if any(given) and not all(given):
            raise MaskingOptionError("--after-days and --keep-digits go together")
        with privacy_methods(data, server) as methods:
            if off or any(given):
                wanted = admin_pb2.Masking(after_days=after_days, keep_digits=keep_digits)
                methods.set_masking(admin_pb2.SetMaskingRequest(masking=wanted))
            _show(methods)


def _show(methods: PrivacyMethods) -> None:
    answer = methods.get_masking(admin_pb2.GetMaskingRequest())
    if not answer.masking.HasField("after_days"):
        typer.echo("numbers of parties are kept whole")
        return
    waiting = f"; {answer.waiting_segments:,} segments wait for that" if answer.waiting_segments else ""
    typer.echo(
        f"after {answer.masking.after_days:,} UTC days, numbers of parties keep their first"
        f" {answer.masking.keep_digits:,} digits{waiting}"
    )
