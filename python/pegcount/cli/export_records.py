"""`pegcount export`."""

from pathlib import Path
from typing import Annotated

import typer

from pegcount.cli.exit_status import REJECTED_STATUS, errors_as_exit_status
from pegcount.cli.extras import required_by
from pegcount.cli.time_zone import zone_of_option
from pegcount.errors import PegcountError
from pegcount.store.outside import require_outside
from pegcount.time_hints import time_problem
from pegcount.time_text import REQUEST, TimeTextError, read_time
from pegcount.zone import US_PER_DAY, Zone

_FORMATS = ("parquet", "csv")
_STANDARD_OUTPUT = Path("-")
_ALL_DAYS = (0, 84_006)
"""1970-01-01 to 2200-01-01, in days since 1970-01-01: the setup times that a store accepts."""


class ExportOptionError(PegcountError):
    """An option of `pegcount export` has an invalid value."""


def export(
    out: Annotated[Path, typer.Argument(help="File to write or replace; - is standard output.")],
    data: Annotated[Path, typer.Option(help="Data directory; a server may own it.")],
    from_time: Annotated[
        str | None, typer.Option("--from", help="First setup time: YYYY-MM-DD[THH:mm:ss]. Default: all.")
    ] = None,
    to_time: Annotated[
        str | None, typer.Option("--to", help="End of the setup times, exclusive. Default: all.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="IANA zone of times without a UTC offset.")] = "UTC",
    format_name: Annotated[str, typer.Option("--format", help=f"One of {', '.join(_FORMATS)}.")] = "parquet",
) -> None:
    """Write the records of a range of setup times into a file that other programs read.

    csv is the format pegcount-csv, which can be imported again. Exits with 1 if the format
    cannot represent some of the records.
    """
    with errors_as_exit_status():
        from_us, to_us = _range(from_time, to_time, time_zone)
        if format_name not in _FORMATS or (out == _STANDARD_OUTPUT and format_name != "csv"):
            formats = "csv" if format_name in _FORMATS else " or ".join(_FORMATS)
            raise ExportOptionError(f"--format: {out} cannot be {format_name!r}, only {formats}")
        if out != _STANDARD_OUTPUT:
            require_outside(data, out, "the export")
        with required_by("pegcount export"):
            from pegcount.cli.export_file import Export, write_export  # noqa: PLC0415
        file = None if out == _STANDARD_OUTPUT else out
        counts = write_export(Export(data, from_us, to_us, format_name, file))
    typer.echo(f"{out}: {counts.written:,} records", err=out == _STANDARD_OUTPUT)
    if counts.left_out:
        typer.echo(f"left out: {counts.left_out:,} records with a line break or NUL in a text", err=True)
        raise typer.Exit(REJECTED_STATUS)


def _range(from_time: str | None, to_time: str | None, time_zone: str) -> tuple[int, int]:
    zone = zone_of_option(time_zone)
    first, end = (day * US_PER_DAY for day in _ALL_DAYS)
    from_us = first if from_time is None else _instant_us("--from", from_time, zone)
    to_us = end if to_time is None else _instant_us("--to", to_time, zone)
    if from_us >= to_us:
        raise ExportOptionError("--from is not before --to")
    return from_us, to_us


def _instant_us(option: str, text: str, zone: Zone) -> int:
    try:
        return read_time(text, REQUEST).instant_us(zone)
    except TimeTextError as error:
        raise ExportOptionError(f"{option}: {time_problem(text, error).description}") from error
