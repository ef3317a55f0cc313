"""The thread that keeps the settings of the follower those of the primary."""

import logging
from collections.abc import Callable
from threading import Condition, Thread
from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import PegcountError, cause_of
from pegcount.store.dual.settings import FollowerSettings

_LOG = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 2.0
"""Seconds between two comparisons: what others change in the follower is undone then."""
_DRAIN_SECONDS_MAX: Final = 30.0


class SettingsCopier:
    """Copies when something has changed, and every two seconds. Thread-safe."""

    def __init__(self, settings: FollowerSettings, wait_until_idle: Callable[[CancelToken], None]) -> None:
        """`wait_until_idle` returns once no batch is on its way; none begins while `fault` is set."""
        self._settings = settings
        self._wait_until_idle = wait_until_idle
        self.fault: str | None = None
        """What of the settings the follower lacks, None if nothing: it must get no batch meanwhile."""
        self._changed = Condition()
        self._wanted = 0
        """Number of the last change, and below, of the last one that was tried."""
        self._tried = 0
        self._is_closed = False
        self._closing = CancelToken(None)
        self._thread = Thread(target=self._run, name="dual-settings", daemon=True)
        self._thread.start()

    def copy(self, seconds_max: float) -> None:
        """Has what has changed copied, and waits until it is, or could not be, or for some seconds."""
        with self._changed:
            self._wanted += 1
            wanted = self._wanted
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._tried >= wanted, seconds_max):
                self.fault = "it has not got the settings yet that changed last"

    def close(self) -> None:
        """Copies what is not copied yet, once more; deletions, which may take long, the next start copies."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._closing.cancel()
        self._thread.join()
        if self.fault is not None:
            self._try()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._tried < self._wanted, _LOOK_SECONDS)
                if self._is_closed:
                    return
                wanted = self._wanted
            fault = self._try()
            with self._changed:
                # A change that came meanwhile is not copied yet.
                if fault is not None or self._wanted == wanted:
                    self.fault = fault
                self._tried = wanted
                self._changed.notify_all()

    def _try(self) -> str | None:
        """Copies all that differs; returns why it could not."""
        try:
            self._settings.copy()
            if not self._is_closed and self._settings.have_other_deletions():
                self.fault = "it gets deletions of the directory"
                self._wait_until_idle(CancelToken(_DRAIN_SECONDS_MAX))
                self._settings.copy_deletions(self._closing)
        except Exception as error:
            fault = f"it may lack settings of the directory: {cause_of(error)}"
            if fault != self.fault:
                is_bug = not isinstance(error, PegcountError)
                _LOG.error("the follower takes no batches: %s", fault, exc_info=error if is_bug else None)
            return fault
        return None
