"""A thread that takes the steps of the background work, again and again."""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Lock, Thread

from pegcount.core import CancelToken
from pegcount.errors import CancelledError, PegcountError, cause_of

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """A step, which ends by its token at the latest."""

    name: str
    """What it does, for the log."""
    seconds_max: float
    take: Callable[[CancelToken], None]


class StepThread:
    """Takes all steps, waits, and takes them again. Thread-safe."""

    def __init__(self, steps: Sequence[Step], pause_seconds: float) -> None:
        """`pause_seconds` is how long it waits between two rounds on average."""
        self._steps = steps
        self._pause_seconds = pause_seconds
        self._failing: dict[str, str] = {}
        """What the log has said of each step that fails."""
        self._token = CancelToken(0)
        """That of the step at work."""
        self._working = Lock()
        self._stopping = Event()
        self._due = Event()
        self._chance = random.Random()
        """Not the global generator, which belongs to whoever seeds it."""
        self._thread = Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Takes the steps on a thread of its own from now on."""
        self._thread.start()

    def wake(self) -> None:
        """Has the thread take the steps soon."""
        self._due.set()

    def stop(self) -> None:
        """Ends the thread, and the step at work; what that had not done is for another server, or later."""
        self._stopping.set()
        self._due.set()
        self._token.cancel()
        if self._thread.is_alive():
            self._thread.join()

    def run_once(self) -> None:
        """Takes every step, also after one has failed; raises the error of the first that did."""
        with self._working:
            failures = [failure for step in self._steps if (failure := self._failure_of(step)) is not None]
        if failures:
            raise failures[0]

    def _failure_of(self, step: Step) -> PegcountError | None:
        """Takes a step; None if it did what it had to, or if the thread is to end."""
        self._token = CancelToken(step.seconds_max)
        # Looked at after the token is there: `stop` cancels it, or is seen here.
        if self._stopping.is_set():
            return None
        try:
            step.take(self._token)
        except PegcountError as error:
            if self._stopping.is_set() or isinstance(error, CancelledError):
                return None
            self._log_failure(step.name, cause_of(error))
            return error
        self._failing.pop(step.name, None)
        return None

    def _log_failure(self, name: str, text: str) -> None:
        if self._failing.get(name) != text:
            _LOG.error("background work of the cluster failed and will be tried again (%s): %s", name, text)
            self._failing[name] = text

    def _run(self) -> None:
        while True:
            # Cleared before the look: of a call of `stop`, at least one of both is seen.
            self._due.clear()
            if self._stopping.is_set():
                return
            try:
                self.run_once()
            except PegcountError:
                # The log has the error of each step.
                pass
            except Exception:
                _LOG.exception("background work of the cluster failed and will be tried again")
            # Servers that were started together do not work in step.
            self._due.wait(self._pause_seconds * self._chance.uniform(0.5, 1.5))
