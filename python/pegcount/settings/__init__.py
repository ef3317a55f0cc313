"""The settings of a server, whatever they come from."""

from pegcount.settings.contradictions import contradictions
from pegcount.settings.loading import Loaded, Sources, load, require_consistent, settings_of, values_of
from pegcount.settings.origin import Origin, Problem, SettingsError, Source
from pegcount.settings.serve_settings import (
    LogFormat,
    LogSettings,
    ServeSettings,
    TlsPaths,
)
from pegcount.settings.setting import RELOADABLE_FIELDS, SETTINGS, Kind, Setting, Value
from pegcount.settings.shown import ShownAs, shown, toml_value, value_text
from pegcount.settings.unknown_variables import unknown_variables

__all__ = [
    "RELOADABLE_FIELDS",
    "SETTINGS",
    "Kind",
    "Loaded",
    "LogFormat",
    "LogSettings",
    "Origin",
    "Problem",
    "ServeSettings",
    "Setting",
    "SettingsError",
    "ShownAs",
    "Source",
    "Sources",
    "TlsPaths",
    "Value",
    "contradictions",
    "load",
    "require_consistent",
    "settings_of",
    "shown",
    "toml_value",
    "unknown_variables",
    "value_text",
    "values_of",
]
