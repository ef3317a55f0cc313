"""Takes changed settings into a running server: all of them, or none."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from pegcount.config import LiveConfig
from pegcount.errors import PegcountError
from pegcount.settings import (
    SETTINGS,
    Loaded,
    ServeSettings,
    SettingsError,
    Value,
    contradictions,
    settings_of,
    value_text,
    values_of,
)

_LOG = logging.getLogger(__name__)


class Reloadable(Protocol):
    """A part of the process that takes changed settings while it runs."""

    def reload(self, settings: ServeSettings) -> None:
        """Takes settings; called at each reload, also for settings that are the same.

        Raises OSError or PegcountError, and goes on as before, if it cannot.
        """


class ReloadRequest:
    """A request to reload the settings, and how to read them."""

    def __init__(self, read: Callable[[], Loaded]) -> None:
        """`read` raises SettingsError with everything that is wrong."""
        self.read = read
        self._is_wanted = threading.Event()

    def ask(self) -> None:
        """Asks for a reload; any thread may do so, but not the handler of a signal."""
        self._is_wanted.set()

    def taken(self) -> bool:
        """Returns whether a reload was asked for, once."""
        if not self._is_wanted.is_set():
            return False
        # What is asked for from here on makes another reload, or is part of the one that begins now.
        self._is_wanted.clear()
        return True


class Reloader:
    """Has the present settings of a server, and takes new ones. Used by one thread."""

    def __init__(
        self, settings: ServeSettings, request: ReloadRequest | None, live: LiveConfig, *others: Reloadable
    ) -> None:
        """`others` are asked first, in this order, as they may fail; `live` cannot."""
        self.settings = settings
        """What the server does now: those of its start, with all changes that it has taken."""
        self._request = request
        self._live = live
        self._others: Sequence[Reloadable] = others

    def look(self) -> None:
        """Reloads if that was asked for."""
        if self._request is not None and self._request.taken():
            self._reload(self._request.read)

    def _reload(self, read: Callable[[], Loaded]) -> None:
        """Takes what can change while the server runs; logs each change, or why nothing changes."""
        before = values_of(self.settings)
        try:
            loaded = read()
            found = values_of(loaded.settings())
            changed = [key for key in SETTINGS if found[key] != before[key]]
            taken = [key for key in changed if SETTINGS[key].is_reloadable]
            after = {**before, **{key: found[key] for key in taken}}
            # A changed setting may fit only with one that needs a restart, and contradict the present value.
            if problems := list(contradictions(after, {})):
                raise SettingsError(problems)
            settings = settings_of(after)
            self._apply(settings)
        except (PegcountError, OSError) as error:
            for each in error.problems if isinstance(error, SettingsError) else (error,):
                _LOG.error("not reloaded: %s", each)
            _log_nothing_reloaded()
            return
        except Exception:
            # A server must not end with what was meant to go on without a restart.
            _LOG.exception("not reloaded: a fault of the server")
            _log_nothing_reloaded()
            return
        for warning in loaded.warnings():
            _LOG.warning("%s", warning)
        _log_changes(before, found, changed)

    def _apply(self, settings: ServeSettings) -> None:
        done: list[Reloadable] = []
        try:
            for each in self._others:
                each.reload(settings)
                done.append(each)
        except Exception:
            for each in done:
                _take_back(each, self.settings)
            raise
        self._live.now = settings.config
        self.settings = settings


def _take_back(part: Reloadable, settings: ServeSettings) -> None:
    """Hands a part the settings that it had; the others have theirs taken back whether or not that fails."""
    try:
        part.reload(settings)
    except Exception:
        _LOG.exception("%s cannot take back changed settings", type(part).__name__)


def _log_nothing_reloaded() -> None:
    _LOG.error("nothing is reloaded; the server goes on with the settings that it has")


def _log_changes(before: dict[str, Value], found: dict[str, Value], changed: Sequence[str]) -> None:
    for key in changed:
        setting = SETTINGS[key]
        change = f"{key}: {value_text(setting, before[key])} -> {value_text(setting, found[key])}"
        if setting.is_reloadable:
            _LOG.info("reloaded %s", change)
        else:
            _LOG.warning("%s needs a restart; the server goes on with the first", change)
    _LOG.info("reloaded the settings: %s", _outcome(changed))


def _outcome(changed: Sequence[str]) -> str:
    """Returns how many changed settings are in use from now on, and how many are not."""
    if not changed:
        return "none has changed"
    taken_count = sum(SETTINGS[key].is_reloadable for key in changed)
    outcome = f"{taken_count or 'none'} took effect"
    if waiting_count := len(changed) - taken_count:
        outcome += f", {waiting_count} {'needs' if waiting_count == 1 else 'need'} a restart"
    return outcome
