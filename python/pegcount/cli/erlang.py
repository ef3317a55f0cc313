"""`pegcount erlang`."""

import json
from typing import Annotated

import typer
from pegcount_client import erlang_b

from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.errors import PegcountError

_PERCENT = "%"


class ErlangOptionError(PegcountError):
    """The options are not two of the three, or one has a value that it cannot have."""


def erlang(
    traffic: Annotated[
        float | None, typer.Option(metavar="ERLANGS", help="Offered traffic, such as 33.3.")
    ] = None,
    lines: Annotated[int | None, typer.Option(metavar="N", help="Lines, or channels of a trunk.")] = None,
    blocking: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Calls that find no line: 0.01 or 1%.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Lines, traffic or lost calls by Erlang B, each from the other two."""
    with errors_as_exit_status():
        given = sum(value is not None for value in (traffic, lines, blocking))
        if given != 2:
            raise ErlangOptionError(
                f"erlang takes two of --traffic, --lines and --blocking, not {given}, and computes the third"
            )
        try:
            found = _solved(traffic, lines, None if blocking is None else _share(blocking))
        except ValueError as error:
            raise ErlangOptionError(str(error)) from error
        typer.echo(json.dumps(found) if as_json else _sentence(**found))


def _solved(traffic: float | None, lines: int | None, blocking: float | None) -> dict[str, float]:
    """Returns all three; the blocking is that which the lines have."""
    if lines is None:
        assert traffic is not None
        assert blocking is not None
        lines = erlang_b.lines_for(traffic, blocking)
    elif traffic is None:
        assert blocking is not None
        traffic = erlang_b.traffic_for(lines, blocking)
    return {"traffic": traffic, "lines": lines, "blocking": erlang_b.blocking(traffic, lines)}


def _share(text: str) -> float:
    """Returns the share of `0.01` or `1%`; raises ErlangOptionError."""
    try:
        share = float(text.removesuffix(_PERCENT))
    except ValueError as error:
        raise ErlangOptionError(f"--blocking: {text!r} is not a share, such as 0.01 or 1%") from error
    return share / 100 if text.endswith(_PERCENT) else share


def _sentence(traffic: float, lines: float, blocking: float) -> str:
    plural = "" if lines == 1 else "s"
    return f"{lines:,} line{plural}, {traffic:,.3f} E, {100 * blocking:.4f}% of the calls find no line"
