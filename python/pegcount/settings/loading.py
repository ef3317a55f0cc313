"""Reads all sources and makes the settings of a server of them: flag before environment, file, default."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pegcount.config import Config, Tuning
from pegcount.settings.contradictions import contradictions, without_effect
from pegcount.settings.given import Found, Given, of_environment, of_file, of_flags
from pegcount.settings.named_files import unusable_files
from pegcount.settings.origin import BY_DEFAULT, Origin, Problem, SettingsError
from pegcount.settings.serve_settings import LogFormat, LogSettings, ServeSettings, TlsPaths
from pegcount.settings.setting import (
    CONFIG,
    FILE_VARIABLE,
    SETTINGS,
    STORE_KEY,
    TUNING,
    Value,
    default_values,
    is_url,
)
from pegcount.settings.unknown_variables import unknown_variables
from pegcount.settings.values import WrongValueError, checked


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the settings of one server come from."""

    file: Path | None = None
    environment: Mapping[str, str] | None = None
    """Environment variables; None: none is read."""
    options: Mapping[str, Any] | None = None
    """Values of the options on the command line, by their parameters."""
    fields: Sequence[str] = ()
    """The texts of `--set`."""

    def file_path(self) -> Path | None:
        """Returns the file to read: that of the command line, or of the environment."""
        if self.file is not None or self.environment is None:
            return self.file
        path = self.environment.get(FILE_VARIABLE)
        return Path(path) if path else None


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings that can be used, by their keys."""

    values: Mapping[str, Value]
    origins: Mapping[str, Origin]
    unknown: Sequence[Problem] = ()
    """Environment variables that nothing reads, although a setting seems to be meant."""

    def settings(self) -> ServeSettings:
        """Returns the settings of a server; raises SettingsError without a store."""
        if self.values[STORE_KEY] is None:
            text = (
                "the data directory, or the URL of a cluster, is missing: give --store, PEGCOUNT_STORE, or"
                " store in the file"
            )
            raise SettingsError([Problem("", text)])
        return settings_of(self.values)

    def is_changed(self, key: str) -> bool:
        """Returns whether the value of a key is not its default."""
        return self.values[key] != SETTINGS[key].default

    def warnings(self) -> tuple[Problem, ...]:
        """Returns the settings that are given and have no effect, and variables that no setting has."""
        return (*without_effect(self.values, self.origins), *self.unknown)


def load(sources: Sources, *, looks_for_files: bool = False) -> Loaded:
    """Returns the settings of all sources; raises SettingsError with everything that is wrong with them.

    With `looks_for_files`, also with the files that they name and this process cannot use.
    """
    found: list[Found] = []
    if (path := sources.file_path()) is not None:
        found += of_file(path)
    if sources.environment is not None:
        found += of_environment(sources.environment)
    found += of_flags(sources.options or {}, sources.fields)
    values, origins = default_values(), dict.fromkeys(SETTINGS, BY_DEFAULT)
    problems = list(_taken(found, values, origins))
    # What contradicts the default of a setting may go with the value that is meant.
    wrong = {key for problem in problems for key in problem.keys}
    problems += [each for each in contradictions(values, origins) if not wrong.intersection(each.keys)]
    if looks_for_files:
        problems += [each for each in unusable_files(values, origins) if not wrong.intersection(each.keys)]
    if problems:
        raise SettingsError(problems)
    return Loaded(values, origins, tuple(unknown_variables(sources.environment or {})))


def _taken(found: Iterable[Found], values: dict[str, Value], origins: dict[str, Origin]) -> Iterable[Problem]:
    """Puts values and origins into two mappings, in the order of the sources, and yields the problems."""
    for each in found:
        if isinstance(each, Given):
            try:
                values[each.key] = checked(each)
                origins[each.key] = each.origin
            except WrongValueError as error:
                yield Problem(each.origin.place, _with_key(each, str(error)), (each.key,))
        else:
            yield each


def _with_key(given: Given, text: str) -> str:
    """Returns a text that names the key where the place of the value does not."""
    return text if given.is_text else f"{given.key}: {text}"


def require_consistent(settings: ServeSettings) -> None:
    """Raises SettingsError if settings contradict each other, whoever made them."""
    problems = list(contradictions(values_of(settings), {}))
    if problems:
        raise SettingsError(problems)


def settings_of(values: Mapping[str, Any]) -> ServeSettings:
    """Returns settings by the values of all keys."""
    stores = values["store"]
    primary, follower = stores if isinstance(stores, tuple) else (stores, None)
    return ServeSettings(
        store=primary if is_url(primary) else Path(primary),
        follower=follower,
        listen=values["listen"],
        admin_listen=values["admin_listen"],
        metrics_listen=values["metrics_listen"],
        has_admin=not values["no_admin"],
        has_reflection=not values["no_reflection"],
        insecure_listen=values["insecure_listen"],
        has_authentication=not values["no_auth"],
        token_config=_path(values["token_config"]),
        tls=TlsPaths(
            _path(values["tls.certificate"]),
            _path(values["tls.key"]),
            _path(values["tls.client_authorities"]),
            values["tls.require_client_certificate"],
        ),
        create=values["create"],
        accepted_losses=values["accept_loss_of"],
        stop_delay_seconds=values["stop_delay_seconds"],
        log=LogSettings(
            LogFormat(values["log.format"]),
            values["log.level"],
            _path(values["log.file"]),
            values["log.calls"],
            values["log.slow_call_seconds"],
        ),
        traces=values["traces"],
        config=Config(**_of_table(CONFIG, values), tuning=Tuning(**_of_table(TUNING, values))),
    )


def values_of(settings: ServeSettings) -> dict[str, Value]:
    """Returns the values of all keys of settings; the inverse of `settings_of`."""
    tls, log, config, store = settings.tls, settings.log, settings.config, settings.store
    return {
        "store": str(store) if settings.follower is None else (str(store), settings.follower),
        "create": settings.create,
        "accept_loss_of": settings.accepted_losses,
        "listen": settings.listen,
        "admin_listen": settings.admin_listen,
        "metrics_listen": settings.metrics_listen,
        "no_admin": not settings.has_admin,
        "no_reflection": not settings.has_reflection,
        "insecure_listen": settings.insecure_listen,
        "no_auth": not settings.has_authentication,
        "token_config": _text(settings.token_config),
        "stop_delay_seconds": settings.stop_delay_seconds,
        "traces": settings.traces,
        "tls.certificate": _text(tls.certificate),
        "tls.key": _text(tls.key),
        "tls.client_authorities": _text(tls.client_authorities),
        "tls.require_client_certificate": tls.require_client_certificate,
        "log.format": str(log.format),
        "log.level": log.level,
        "log.file": _text(log.file),
        "log.calls": log.calls,
        "log.slow_call_seconds": log.slow_call_seconds,
        **_fields_of(CONFIG, config),
        **_fields_of(TUNING, config.tuning),
    }


def _of_table(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    prefix = f"{table}."
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def _fields_of(table: str, values: Config | Tuning) -> dict[str, Value]:
    keys = {field.name: f"{table}.{field.name}" for field in fields(values)}
    return {key: getattr(values, name) for name, key in keys.items() if key in SETTINGS}


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
