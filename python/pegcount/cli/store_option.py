"""The option `--store` of the commands that open a store themselves; `--data` is its older name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pegcount.errors import PegcountError
from pegcount.store import StoreLocation

STORE_NAMES: Final = ("--store", "--data")
OLDER_VARIABLE: Final = "PEGCOUNT_DATA"
"""The variable of the older name."""
_VARIABLE: Final = "PEGCOUNT_STORE"


class TwoStoresError(PegcountError):
    """The variables of both names of `--store` name different stores."""


def require_one_variable(variables: Mapping[str, str]) -> None:
    """Raises TwoStoresError if the environment names two stores; an empty variable names none."""
    if len({variables.get(name) for name in (OLDER_VARIABLE, _VARIABLE)} - {None, ""}) > 1:
        raise TwoStoresError(
            f"{OLDER_VARIABLE} and {_VARIABLE} are two names of one setting: give the second one only"
        )


def store_location(text: str) -> StoreLocation:
    """Reads an option that names a store; a wrong one ends the command."""
    try:
        return StoreLocation.parse(text)
    except PegcountError as error:
        raise typer.BadParameter(str(error)) from error


def _option(help_text: str) -> Any:
    return typer.Option(*STORE_NAMES, metavar="DIR|URL", parser=store_location, help=help_text)


LocalStore = Annotated[
    StoreLocation | None,
    _option("Data directory that no server owns, or clickhouse://USER@HOST,HOST/DATABASE."),
]
TargetStore = Annotated[
    StoreLocation | None,
    _option("Data directory, created if it does not exist; or clickhouse://USER@HOST,HOST/DATABASE."),
]
ClusterStore = Annotated[
    StoreLocation,
    typer.Option(
        "--store",
        metavar="URL",
        parser=store_location,
        help="Cluster: clickhouse://USER@HOST,HOST/DATABASE.",
    ),
]


class ClusterRefusedError(PegcountError):
    """A command that reads the files of a data directory is given a cluster."""


def directory_option(help_text: str) -> Any:
    """Returns the option of a command that needs a data directory."""
    return typer.Option(*STORE_NAMES, metavar="DIR", parser=store_location, help=help_text)


def source_option(help_text: str) -> Any:
    """Returns the option of a command that reads a data directory or a cluster, and needs one."""
    return _option(help_text)


def require_directory(location: StoreLocation, command: str, instead: str) -> Path:
    """Returns the data directory; raises ClusterRefusedError, which says what to do for a cluster instead."""
    if location.directory is None:
        raise ClusterRefusedError(
            f"{location} is a cluster, and `pegcount {command}` reads the files of a data directory:"
            f" {instead}; docs/clickhouse.md says how"
        )
    return location.directory
