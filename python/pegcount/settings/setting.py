"""Every setting of a server by its key, and how the file, the environment and the command line give it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum, auto
from typing import Final

from pegcount.config import Config, Tuning
from pegcount.settings.ranges import Range, range_of
from pegcount.settings.serve_settings import (
    DEFAULT_ADDRESS,
    DEFAULT_METRICS_ADDRESS,
    LOG_LEVELS,
    LogFormat,
    LogSettings,
)

CONFIG: Final = "config"
TUNING: Final = "tuning"
TABLES: Final = ("tls", "log", CONFIG, TUNING)
"""Tables of the file, in the order in which they are shown."""
FILE_VARIABLE: Final = "PEGCOUNT_CONFIG"
"""The variable of the file's path. Those of fields go on with an underscore."""
NONE: Final = "none"
"""The text that stands for no address."""
_UP_TO_A_DAY: Final = Range(0, 86_400)
"""Seconds."""
_PREFIX: Final = "PEGCOUNT_"
SET: Final = "--set"

Value = str | int | float | bool | tuple[str, ...] | None
"""A value as the file has it; paths are texts. None: absent."""


class Kind(Enum):
    """What the values of a setting are."""

    TEXT = auto()
    ADDRESS = auto()
    ADDRESS_OR_NONE = auto()
    PATH = auto()
    STORES = auto()
    TEXTS = auto()
    CHOICE = auto()
    FLAG = auto()
    INTEGER = auto()
    NUMBER = auto()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    key: str
    """Its key in the file, after that of its table and a dot."""
    kind: Kind
    default: Value
    flag: str
    """Its option, or `--set KEY`."""
    variable: str
    """Its environment variable."""
    allowed: Range | tuple[str, ...] | None = None
    """Range of a number, or the texts of a choice."""
    is_reloadable: bool = False
    """Whether a running server takes a change on SIGHUP; if not, it takes it when it starts."""
    flag_value: bool = True
    """What the option of a flag says: `--no-call-log` that `log.calls` is false."""

    @property
    def name(self) -> str:
        """Its key without the table."""
        return self.key.rpartition(".")[2]

    @property
    def parameter(self) -> str:
        """The name of its option as a parameter; "" without an option of its own."""
        return "" if self.flag.startswith(SET) else self.flag.lstrip("-").replace("-", "_")


RELOADABLE_FIELDS: Final = (
    "credential_calls_per_second",
    "credential_wait_seconds_max",
    "credential_calls_in_progress",
    "credential_work_ms_per_second",
    "credential_refusals_per_second",
    "overload_retry_seconds",
    "query_seconds_max",
    "stop_grace_seconds",
)
"""Fields of Config that a running server reads anew for each call; it keeps the others from its start."""

_LOG, _CONFIG = LogSettings(), Config()


def _option(
    key: str,
    kind: Kind,
    default: Value,
    flag: str = "",
    allowed: Range | tuple[str, ...] | None = None,
    is_reloadable: bool = False,
    flag_value: bool = True,
) -> Setting:
    flag = flag or "--" + key.replace("_", "-")
    variable = _PREFIX + flag.lstrip("-").replace("-", "_").upper()
    return Setting(key, kind, default, flag, variable, allowed, is_reloadable, flag_value)


_OPTIONS: Final = (
    _option("store", Kind.STORES, None),
    _option("create", Kind.FLAG, False),
    _option("accept_loss_of", Kind.TEXTS, ()),
    _option("listen", Kind.ADDRESS, DEFAULT_ADDRESS),
    _option("admin_listen", Kind.ADDRESS, None),
    _option("metrics_listen", Kind.ADDRESS_OR_NONE, DEFAULT_METRICS_ADDRESS),
    _option("no_admin", Kind.FLAG, False),
    _option("no_reflection", Kind.FLAG, False),
    _option("insecure_listen", Kind.FLAG, False),
    _option("no_auth", Kind.FLAG, False),
    _option("token_config", Kind.PATH, None),
    _option("stop_delay_seconds", Kind.NUMBER, 0.0, "", _UP_TO_A_DAY, True),
    _option("traces", Kind.FLAG, False),
    _option("tls.certificate", Kind.PATH, None, "--tls-cert"),
    _option("tls.key", Kind.PATH, None, "--tls-key"),
    _option("tls.client_authorities", Kind.PATH, None, "--client-ca"),
    _option("tls.require_client_certificate", Kind.FLAG, False, "--require-client-cert"),
    _option("log.format", Kind.CHOICE, str(_LOG.format), "--log-format", tuple(LogFormat), True),
    _option("log.level", Kind.CHOICE, _LOG.level, "--log-level", LOG_LEVELS, True),
    _option("log.file", Kind.PATH, None, "--log-file", None, True),
    _option("log.calls", Kind.FLAG, True, "--no-call-log", None, True, False),
    _option(
        "log.slow_call_seconds",
        Kind.NUMBER,
        _LOG.slow_call_seconds,
        "--slow-call-seconds",
        _UP_TO_A_DAY,
        True,
    ),
)
DATA: Final = _option("data", Kind.STORES, None)
"""An older option, variable and key of `store`."""
STORE_KEY: Final = "store"
ACTIVE_TTL: Final = _option("active_ttl", Kind.INTEGER, _CONFIG.active_ttl_seconds)
"""An older option and variable of `config.active_ttl_seconds`."""
ACTIVE_TTL_KEY: Final = f"{CONFIG}.active_ttl_seconds"


def _fields(table: str, values: Config | Tuning) -> list[Setting]:
    """Returns the settings of the fields of Config or Tuning."""
    found = []
    for field in fields(values):
        if field.type not in (int, float):
            continue
        default: int | float = getattr(values, field.name)
        kind = Kind.INTEGER if field.type is int else Kind.NUMBER
        found.append(
            Setting(
                key=f"{table}.{field.name}",
                kind=kind,
                default=default,
                flag=f"{SET} {field.name if table == CONFIG else f'{TUNING}.{field.name}'}",
                variable=f"{_PREFIX}{table.upper()}_{field.name.upper()}",
                allowed=range_of(field.name, int if field.type is int else float),
                is_reloadable=table == CONFIG and field.name in RELOADABLE_FIELDS,
            )
        )
    return found


SETTINGS: Final[Mapping[str, Setting]] = {
    setting.key: setting
    for setting in (*_OPTIONS, *_fields(CONFIG, _CONFIG), *_fields(TUNING, _CONFIG.tuning))
}
"""All settings by their keys, in the order in which they are shown."""


def is_url(text: str) -> bool:
    """Returns whether a text is meant as a URL, and not as a path."""
    return "://" in text


def default_values() -> dict[str, Value]:
    """Returns the value of each setting that no source gives."""
    return {key: setting.default for key, setting in SETTINGS.items()}


def field_prefix(table: str) -> str:
    """Returns what the variables of the fields of Config or Tuning begin with."""
    return f"{_PREFIX}{table.upper()}_"
