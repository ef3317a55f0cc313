"""Runs the command line: what holds for all commands and their options.

Environment variables give options, an option that takes one value is given once, a missing command shows the
help, and a reader that ends early ends the command quietly.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from pegcount.cli.connection import ABOUT_A_SERVER
from pegcount.cli.exit_status import BROKEN_PIPE_STATUS, errors_as_exit_status
from pegcount.cli.serve_options import reads_its_environment
from pegcount.cli.store_option import OLDER_VARIABLE, STORE_NAMES, require_one_variable
from pegcount.errors import PegcountError

_PROGRAM = "pegcount"
_PREFIX = "PEGCOUNT_"
_WITHOUT_VARIABLE = {"help", "version", "install_completion", "show_completion", "set_values", "seed"}
"""Options that no variable gives. With a seed in the environment, each comparison would ask the same."""
_OF_DELETE = {"store", "time_zone", *ABOUT_A_SERVER}
"""Options of `pegcount delete` that a variable may give: what it deletes must stand on its command line."""
_MEANT: Mapping[str, str] = {
    **dict.fromkeys(("--vendor", "--vendor-id"), "--term-clients-id"),
    **dict.fromkeys(("--customer", "--customer-id", "--client-id"), "--orig-clients-id"),
    "--tenant": "--tenant-id",
    "--company": "--organization",
}
"""Options that people expect, and those that they mean."""


class RepeatedOptionError(PegcountError):
    """An option that takes one value is given several times."""


def run(app: typer.Typer) -> None:
    """Runs the command that the process was started with, and ends the process with its status."""
    command = typer.main.get_command(app)
    add_environment_variables(command)
    suggest_options(command)
    refuse_repeated_options(command)
    try:
        command(_with_help(command, sys.argv[1:]), prog_name=_PROGRAM)
    except SystemExit as end:
        # Where no command has caught the error, as in a help, Typer ends with 1.
        if isinstance(end.__context__, BrokenPipeError):
            raise SystemExit(BROKEN_PIPE_STATUS) from end
        raise


def add_environment_variables(command: Any) -> None:
    """Lets `PEGCOUNT_<OPTION>` give each option of a command and of those below it; the help says so."""
    for option in options(command):
        option.envvar = variables_of(option)
        option.show_envvar = True
        if OLDER_VARIABLE in option.envvar:
            refuse_two_stores(option)
    for each in commands(command):
        if reads_its_environment(each):
            leave_to_command(each)


def refuse_two_stores(option: Any) -> None:
    """Lets an option refuse two variables that name different stores, unless the command line names one."""
    value_from_envvar = option.value_from_envvar

    def value_of_one(context: typer.Context) -> Any:
        with errors_as_exit_status():
            require_one_variable(os.environ)
        return value_from_envvar(context)

    option.value_from_envvar = value_of_one


def leave_to_command(command: Any) -> None:
    """Lets a command read the variables of its options itself; the help names them all the same."""
    for option in command.params:
        option.value_from_envvar = _nothing


def _nothing(_: typer.Context) -> None:
    """Returns the value of an option whose variable is read elsewhere."""


def commands(command: Any) -> Iterator[Any]:
    """Yields a command and those below it."""
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from commands(inner)


def suggest_options(command: Any) -> None:
    """Lets a command, and those below it, suggest the options of the contract for those of other programs."""
    make_parser = command.make_parser
    known = {name for parameter in command.params for name in parameter.opts}

    def make_suggesting_parser(context: typer.Context) -> Any:
        parser = make_parser(context)
        parse = parser.parse_args

        def parse_or_suggest(args: list[str]) -> Any:
            try:
                return parse(args=args)
            except Exception as error:
                # Only the error of an unknown option has them.
                wanted = _MEANT.get(getattr(error, "option_name", ""))
                if wanted in known and hasattr(error, "possibilities"):
                    error.possibilities = [wanted]
                raise

        parser.parse_args = parse_or_suggest
        return parser

    command.make_parser = make_suggesting_parser
    for inner in getattr(command, "commands", {}).values():
        suggest_options(inner)


def refuse_repeated_options(command: Any) -> None:
    """Lets a command, and those below it, refuse an option that takes one value and is given several times.

    Only its parser tells an option from a value that looks like one, so it is asked what it has found.
    """
    make_parser = command.make_parser

    def make_strict_parser(context: typer.Context) -> Any:
        parser = make_parser(context)
        parse = parser.parse_args

        def parse_strictly(args: list[str]) -> Any:
            found = parse(args=args)
            if not context.resilient_parsing:
                _require_single(found[-1])
            return found

        parser.parse_args = parse_strictly
        return parser

    command.make_parser = make_strict_parser
    for inner in getattr(command, "commands", {}).values():
        refuse_repeated_options(inner)


def options(command: Any) -> Iterator[Any]:
    """Yields the options of a command and of those below it that a variable may give."""
    for parameter in command.params:
        is_allowed = command.name != "delete" or parameter.name in _OF_DELETE
        if parameter.param_type_name == "option" and parameter.name not in _WITHOUT_VARIABLE and is_allowed:
            yield parameter
    for inner in getattr(command, "commands", {}).values():
        yield from options(inner)


def variables_of(option: Any) -> list[str]:
    """Returns the names of the variables of an option, of which the first one that is set counts."""
    older = [OLDER_VARIABLE] if set(STORE_NAMES) <= set(option.opts) else []
    return [variable_of(option), *older]


def variable_of(option: Any) -> str:
    """Returns the name of the variable of an option, from its longest name."""
    return _PREFIX + _name(option).lstrip("-").replace("-", "_").upper()


def _require_single(given: Sequence[Any]) -> None:
    """Ends the command with a sentence if one of the parameters given, in their order, is given too often."""
    with errors_as_exit_status():
        for option, count in Counter(given).items():
            takes_one = option.param_type_name == "option" and not (option.is_flag or option.multiple)
            if takes_one and count > 1:
                times = "twice" if count == 2 else f"{count} times"
                raise RepeatedOptionError(f"{_name(option)} is given {times}; it takes one value")


def _name(option: Any) -> str:
    name: str = max(option.opts, key=len)
    return name


def _with_help(command: Any, arguments: list[str]) -> list[str]:
    """Returns the arguments; where they end with a group of commands, its help is asked for."""
    for argument in arguments:
        command = getattr(command, "commands", {}).get(argument)
        if command is None:
            return arguments
    return [*arguments, "--help"] if hasattr(command, "commands") else arguments
