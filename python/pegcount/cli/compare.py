"""`pegcount compare`."""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Annotated

import typer

from pegcount.cli.comparison import ACTIVE, Comparison, Values, compared, place_of_store, questions
from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.exit_status import FAILED_STATUS, PROBLEM_STATUS, errors_as_exit_status
from pegcount.cli.store_option import LocalStore, store_location
from pegcount.cli.time_zone import instant_of_option, zone_of_option
from pegcount.client import Client
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.store import StoreLocation, opened
from pegcount.time_text import RFC_3339, read_time
from pegcount.v1.admin_pb2 import GetStoreInfoRequest
from pegcount.zone import US_PER_SECOND, Zone

_SHOWN_COUNT_MAX = 10
_SETTLED_SECONDS = 300
"""Records of calls that were set up before have probably arrived."""


class CompareOptionError(PegcountError):
    """The options of `pegcount compare` name nothing that can be compared."""


@calls_server()
def compare(
    store: LocalStore = None,
    server: Connection | None = None,
    with_store: Annotated[
        StoreLocation | None,
        typer.Option(
            "--with",
            metavar="DIR|URL",
            parser=store_location,
            help="The store to compare with: a cluster, or a directory that no server owns.",
        ),
    ] = None,
    question_count: Annotated[
        int, typer.Option("--questions", min=1, help="How many questions to ask.")
    ] = 1_000,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Number that repeats the questions of a run. Default: random.")
    ] = None,
    from_time: Annotated[
        str | None, typer.Option("--from", help="First setup time: YYYY-MM-DD[THH:mm:ss]. Default: all.")
    ] = None,
    to_time: Annotated[
        str | None,
        typer.Option("--to", help="End of the setup times. Default: all but five minutes."),
    ] = None,
    time_zone: Annotated[str, typer.Option(help="IANA zone of times without a UTC offset.")] = "UTC",
) -> None:
    """Ask a server, or a store, and another store the same random questions, and print where answers differ.

    Exits with 0 if all answers are equal, 1 if some differ, and 2 if that cannot be said. A key needs the
    scope admin, and all records: no data scope.
    """
    seed = secrets.randbelow(10**6) if seed is None else seed
    with errors_as_exit_status():
        if with_store is None:
            raise CompareOptionError("say what to compare with: --with DIR|URL")
        config = Config()
        with closing(opened(with_store, config)) as other, _place(store, server) as first:
            timeout = config.query_seconds_max
            with place_of_store(other, timeout) as second:
                from_us, to_us = _range((first, second), from_time, to_time, zone_of_option(time_zone))
                values = Values(other, from_us, to_us, timeout)
                state = compared(first, second, questions(question_count, seed, values))
        raise typer.Exit(_show(state, seed, values))


@contextmanager
def _place(store: StoreLocation | None, server: Connection | None) -> Iterator[Client]:
    if server is not None:
        with server.client() as client:
            yield client
        return
    assert store is not None, "one of both is given"
    config = Config()
    with closing(opened(store, config)) as one, place_of_store(one, config.query_seconds_max) as client:
        yield client


def _range(
    places: Sequence[Client], from_time: str | None, to_time: str | None, zone: Zone
) -> tuple[int, int]:
    """Returns the setup times to ask about: those of all records of both places, as one may lack a part."""
    held = [bound for place in places for bound in _held(place)]
    if not held:
        raise CompareOptionError("neither of the two has a record")
    from_us = min(held) if from_time is None else instant_of_option("--from", from_time, zone)
    settled_us = (int(time.time()) - _SETTLED_SECONDS) * US_PER_SECOND
    end_us = min(settled_us, max(held) + 1)
    to_us = end_us if to_time is None else instant_of_option("--to", to_time, zone)
    if from_us >= to_us:
        raise CompareOptionError("no time lies between --from, or the first record, and --to")
    return from_us, to_us


def _held(place: Client) -> list[int]:
    """Returns the first and the last setup time of a place in microseconds UTC, neither without a record."""
    info = place.admin.GetStoreInfo(GetStoreInfoRequest())
    bounds = (info.first_setup_time, info.last_setup_time)
    return [read_time(bound, RFC_3339).us for bound in bounds if bound]


def _show(state: Comparison, seed: int, values: Values) -> int:
    """Prints what was compared, and returns the exit status."""
    for difference in state.differences[:_SHOWN_COUNT_MAX]:
        typer.echo(f"{difference.question.method} '{difference.request}'")
        typer.echo(f"  first:  {difference.first}")
        typer.echo(f"  --with: {difference.second}")
    asked = state.asked.total()
    typer.echo(f"{asked:,} questions, seed {seed}: {len(state.differences):,} answers differ")
    typer.echo(f"  about setup times from {values.range['from_time']} to {values.range['to_time']}")
    for method, count in state.asked.items():
        typer.echo(f"  {method}: {count:,} asked, {state.counted[method]:,} counted something")
    if state.changing:
        typer.echo(f"  {state.changing:,} could not be compared: the answer changed each time")
    if state.differences:
        return PROBLEM_STATUS
    if not any(state.counted[method] for method in state.asked if method != ACTIVE):
        typer.echo("pegcount: no answer counted a call of the range, so nothing was compared", err=True)
        return FAILED_STATUS
    return 0
