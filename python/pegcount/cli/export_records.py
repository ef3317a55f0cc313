"""`pegcount export`."""

from pathlib import Path
from typing import Annotated

import typer

from pegcount.cli.exit_status import REJECTED_STATUS, errors_as_exit_status
from pegcount.cli.export_archive import write_archive_file
from pegcount.cli.extras import required_by
from pegcount.cli.store_option import require_directory, source_option
from pegcount.cli.time_zone import instant_of_option, zone_of_option
from pegcount.errors import PegcountError
from pegcount.store import StoreLocation
from pegcount.store.outside import require_outside
from pegcount.zone import US_PER_DAY

_ARCHIVE = "archive"
_FORMATS = ("parquet", "csv", _ARCHIVE)
_STANDARD_OUTPUT = Path("-")
_ALL_DAYS = (0, 84_006)
"""1970-01-01 to 2200-01-01, in days since 1970-01-01: the setup times that a store accepts."""


class ExportOptionError(PegcountError):
    """An option of `pegcount export` has an invalid value."""


def export(
    out: Annotated[Path, typer.Argument(help="File to write or replace; - is standard output.")],
    store: Annotated[
        StoreLocation,
        source_option("Data directory, which a server may own; for an archive, also a cluster."),
    ],
    from_time: Annotated[
        str | None, typer.Option("--from", help="First setup time: YYYY-MM-DD[THH:mm:ss]. Default: all.")
    ] = None,
    to_time: Annotated[
        str | None, typer.Option("--to", help="End of the setup times, exclusive. Default: all.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="IANA zone of times without a UTC offset.")] = "UTC",
    format_name: Annotated[str, typer.Option("--format", help=f"One of {', '.join(_FORMATS)}.")] = "parquet",
) -> None:
    """Write the records of a range of setup times into a file that other programs read, or a whole store.

    csv is the format pegcount-csv, which can be imported again. archive has all records with all their
    versions, and the settings: import it to move a store. Exits with 1 if the format cannot represent some
    of the records.
    """
    with errors_as_exit_status():
        if format_name == _ARCHIVE:
            _export_archive(store, out, is_whole=from_time is None and to_time is None)
            return
        from_us, to_us = _range(from_time, to_time, time_zone)
        if format_name not in _FORMATS or (out == _STANDARD_OUTPUT and format_name != "csv"):
            formats = "csv" if format_name in _FORMATS else f"{', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}"
            raise ExportOptionError(f"--format: {out} cannot be {format_name!r}, only {formats}")
        data = require_directory(
            store, "export", "export an archive, or let each server write its records into a file"
        )
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


def _export_archive(store: StoreLocation, out: Path, *, is_whole: bool) -> None:
    if out == _STANDARD_OUTPUT:
        raise ExportOptionError("--format: an archive is written into a file, and not to standard output")
    if not is_whole:
        raise ExportOptionError("--from and --to: an archive has the whole store; leave them out")
    if store.directory is not None:
        require_outside(store.directory, out, "the export")
    record_count = write_archive_file(store, out)
    typer.echo(f"{out}: {record_count:,} records with all their versions, and the settings")
    typer.echo("keep it as safe as the store: it has the digests of keys and of erased numbers")


def _range(from_time: str | None, to_time: str | None, time_zone: str) -> tuple[int, int]:
    zone = zone_of_option(time_zone)
    first, end = (day * US_PER_DAY for day in _ALL_DAYS)
    from_us = first if from_time is None else instant_of_option("--from", from_time, zone)
    to_us = end if to_time is None else instant_of_option("--to", to_time, zone)
    if from_us >= to_us:
        raise ExportOptionError("--from is not before --to")
    return from_us, to_us
