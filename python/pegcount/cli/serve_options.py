"""Options of the commands that read the settings of a server.

A command has a parameter `sources`, in whose place `reads_settings` puts the options. `pegcount.settings`
reads the environment and checks all values, so that one error has everything that is wrong.
"""

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from pegcount.settings import SETTINGS, Kind, Setting, Sources
from pegcount.settings.setting import ACTIVE_TTL, DATA, STORE_KEY

_Command: TypeAlias = Callable[..., None]

_ADDRESSES, _CALLERS, _TLS, _LOG, _SETTINGS = "Addresses", "Callers", "TLS", "Log", "Settings"
_FILE: Final = "config"
_SET: Final = "set_values"
_PARAMETER: Final = "sources"

_FileOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML file with settings.", rich_help_panel=_SETTINGS),
]
_SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any limit or time of docs/configuration.md, such as query_seconds_max=10 or"
        " tuning.row_cost_ns=60; repeatable.",
        rich_help_panel=_SETTINGS,
    ),
]

_HELP: Final[Mapping[str, tuple[str, str, str | None]]] = {
    "store": (
        "DIR|URL",
        "Data directory, or clickhouse://USER@HOST,HOST/DATABASE; given for both, in this order, all that is"
        " written goes to both.",
        None,
    ),
    "create": ("", "Make the data directory if it is missing or empty.", None),
    "accept_loss_of": (
        "FILE",
        "Go on without the records of this file of the directory, as an error named it; repeatable.",
        None,
    ),
    "listen": ("ADDRESS", "HOST:PORT, where port 0 takes any free port, or unix:PATH.", _ADDRESSES),
    "admin_listen": (
        "ADDRESS",
        "Where AdminService and reflection answer, instead of at --listen.",
        _ADDRESSES,
    ),
    "metrics_listen": ("ADDRESS", "HOST:PORT at which Prometheus reads metrics, or none.", _ADDRESSES),
    "no_admin": ("", "Offer no AdminService.", _ADDRESSES),
    "no_reflection": ("", "Offer no reflection.", _ADDRESSES),
    "insecure_listen": (
        "",
        "Listen without TLS or credentials where other hosts reach the server.",
        _ADDRESSES,
    ),
    "no_auth": ("", "Let everybody in, although the store has credentials.", _CALLERS),
    "token_config": (
        "FILE",
        "Accept JSON web tokens of the issuers that this TOML file names.",
        _CALLERS,
    ),
    "tls_cert": (
        "FILE",
        "PEM file of the certificate, followed by its intermediate authorities. Changed files of TLS are"
        " read within a second.",
        _TLS,
    ),
    "tls_key": ("FILE", "PEM file of the certificate's key.", _TLS),
    "client_ca": ("FILE", "PEM file of the authorities that sign client certificates.", _TLS),
    "require_client_cert": ("", "Refuse clients without a certificate of --client-ca.", _TLS),
    "log_format": ("text|json", "Lines for people, or JSON objects for programs.", _LOG),
    "log_level": ("LEVEL", "Least level of the lines: debug, info, warning or error.", _LOG),
    "log_file": ("FILE", "File to append to instead of standard error, opened again on SIGHUP.", _LOG),
    "no_call_log": ("", "Write no line per call.", _LOG),
    "slow_call_seconds": (
        "SECONDS",
        "Seconds from which the line of a call is a warning with its phases.",
        _LOG,
    ),
    "traces": ("", "Export calls as OpenTelemetry traces; the variables OTEL_* say where to.", _LOG),
    "stop_delay_seconds": (
        "SECONDS",
        "Seconds for which a server that was told to stop still answers, for load balancers.",
        _SETTINGS,
    ),
    "active_ttl": (
        "SECONDS",
        "Seconds without an event after which an active session is abandoned.",
        None,
    ),
}
"""The form of the value, the help and the panel of each option, by its parameter."""


def reads_settings(command: _Command) -> _Command:
    """Gives a command the options of a server in place of its parameter `sources`, which gets Sources."""
    signature = inspect.signature(command)
    parameters = dict(signature.parameters)
    del parameters[_PARAMETER]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    added = [context, *(_keyword(name, option) for name, option in _options().items())]

    @functools.wraps(command)
    def run(context: typer.Context, **values: Any) -> None:
        own = {name: values[name] for name in parameters}
        command(**own, **{_PARAMETER: _sources(context)})

    own_keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters.values()]
    vars(run)["__signature__"] = signature.replace(parameters=[*added, *own_keywords])
    return run


def reads_its_environment(command: Any) -> bool:
    """Returns whether a command has `reads_settings`."""
    return any(parameter.name == _SET for parameter in command.params)


def _keyword(name: str, annotation: Any) -> inspect.Parameter:
    default = False if annotation.__origin__ is bool else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _options() -> dict[str, Any]:
    """Returns the annotations of all options by their parameters, in the order of the help."""
    of_parameter = {each.parameter: each for each in (*SETTINGS.values(), ACTIVE_TTL) if each.parameter}
    options = {name: _option(of_parameter[name]) for name in _HELP}
    return {**options, _FILE: _FileOption, _SET: _SetOption}


def _option(setting: Setting) -> Any:
    metavar, text, panel = _HELP[setting.parameter]
    texts = list[str] | None
    kinds: dict[Kind, Any] = {Kind.FLAG: bool, Kind.TEXTS: texts, Kind.STORES: texts}
    info = typer.Option(
        setting.flag,
        *((DATA.flag,) if setting.key == STORE_KEY else ()),
        metavar=metavar or None,
        help=text,
        rich_help_panel=panel,
        show_default=False if setting.default in (None, False, True, ()) else str(setting.default),
    )
    return Annotated[kinds.get(setting.kind, str | None), info]


def _sources(context: typer.Context) -> Sources:
    """Returns what the command line says, and where else to look."""
    typed = {name: value for name, value in context.params.items() if _is_typed(context, name)}
    file, fields = typed.pop(_FILE, None), typed.pop(_SET, None)
    return Sources(file, dict(os.environ), typed, tuple(fields or ()))


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
