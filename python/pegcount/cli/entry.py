"""Runs the command line: environment variables for all options, and help where a command is missing."""

import sys
from collections.abc import Iterator
from typing import Any

import typer

_PROGRAM = "pegcount"
_PREFIX = "PEGCOUNT_"
_WITHOUT_VARIABLE = {"help", "version", "install_completion", "show_completion"}
_OF_DELETE = {"data", "server", "time_zone", "timeout"}
"""Options of `pegcount delete` that a variable may give: what it deletes must stand on its command line."""


def run(app: typer.Typer) -> None:
    """Runs the command that the process was started with, and ends the process with its status."""
    command = typer.main.get_command(app)
    add_environment_variables(command)
    command(_with_help(command, sys.argv[1:]), prog_name=_PROGRAM)


def add_environment_variables(command: Any) -> None:
    """Lets `PEGCOUNT_<OPTION>` give each option of a command and of those below it; the help says so."""
    for option in options(command):
        option.envvar = variable_of(option)
        option.show_envvar = True


def options(command: Any) -> Iterator[Any]:
    """Yields the options of a command and of those below it that a variable may give."""
    for parameter in command.params:
        is_allowed = command.name != "delete" or parameter.name in _OF_DELETE
        if parameter.param_type_name == "option" and parameter.name not in _WITHOUT_VARIABLE and is_allowed:
            yield parameter
    for inner in getattr(command, "commands", {}).values():
        yield from options(inner)


def variable_of(option: Any) -> str:
    """Returns the name of the variable of an option, from its longest name."""
    name: str = max(option.opts, key=len)
    return _PREFIX + name.lstrip("-").replace("-", "_").upper()


def _with_help(command: Any, arguments: list[str]) -> list[str]:
    """Returns the arguments; where they end with a group of commands, its help is asked for."""
    for argument in arguments:
        command = getattr(command, "commands", {}).get(argument)
        if command is None:
            return arguments
    return [*arguments, "--help"] if hasattr(command, "commands") else arguments
