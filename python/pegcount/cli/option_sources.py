"""Where the values of options come from, and which one counts of several that exclude each other."""

from collections.abc import Iterable, Mapping

import typer

from pegcount.errors import PegcountError


class ExclusiveOptionsError(PegcountError):
    """Options that exclude each other are given."""


def given(context: typer.Context, names: Iterable[str]) -> list[str]:
    """Returns which of some parameters have a value, from the command line or the environment."""
    return [name for name in names if context.params.get(name) not in (None, False, [], ())]


def typed(context: typer.Context, names: Iterable[str]) -> list[str]:
    """Returns which of some parameters the command line sets."""
    sources = {name: context.get_parameter_source(name) for name in given(context, names)}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def chosen(context: typer.Context, options: Mapping[str, str]) -> str | None:
    """Returns the one parameter of several that has a value; the command line beats the environment.

    `options` has the option of each parameter, for the message of ExclusiveOptionsError.
    """
    found = given(context, options)
    if len(found) > 1:
        found = typed(context, options) or found
    if len(found) > 1:
        raise ExclusiveOptionsError(f"{' and '.join(options[name] for name in found)} exclude each other")
    return found[0] if found else None
