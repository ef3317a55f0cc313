"""The options of `pegcount report traffic` that say what is asked, for another command that asks the same."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from pegcount.cli.connection import ABOUT_A_SERVER
from pegcount.cli.report.traffic import traffic

_QUERY: Final = "query"
_OF_RANGE: Final = ("from_time", "to_time", "last", "compare")
_OF_OUTPUT: Final = ("as_json", "as_csv", "parquet", "arrow", "plot", "watch")
_PARAMETERS: Final = inspect.signature(traffic).parameters
_GRANULARITY: Final = Annotated[
    str | None, typer.Option(help="Width of the bins, MINUTE to MONTH. Required.")
]


def takes_query(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of the query in place of its parameter `query`, which gets all of them.

    Those of the range, which it has none of, have their defaults. It checks that there is a granularity.
    """
    signature = inspect.signature(command, eval_str=True)
    left_out = {"context", *ABOUT_A_SERVER, *_OF_OUTPUT}
    given = {name: each for name, each in _PARAMETERS.items() if name not in {*left_out, *_OF_RANGE}}
    given["granularity"] = given["granularity"].replace(annotation=_GRANULARITY)

    @functools.wraps(command)
    def run(**values: Any) -> None:
        query = {name: values.pop(name) for name in given}
        for name in _OF_RANGE:
            if name in _PARAMETERS:
                query[name] = _PARAMETERS[name].default
        command(**values, query=query)

    parameters: list[inspect.Parameter] = []
    for name, each in signature.parameters.items():
        parameters += (
            given.values() if name == _QUERY else [each.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
        )
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    return run


def set_query(context: typer.Context, query: dict[str, Any]) -> None:
    """Lets `traffic_request` find the options of a query among those of a command."""
    for name, value in query.items():
        context.params.setdefault(name, value)
