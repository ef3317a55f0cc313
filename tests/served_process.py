"""What `pegcount serve` runs, on a thread, so that a test can hold up the opening of its store."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pegcount import process
from pegcount.errors import PegcountError
from pegcount.process import StoppedWhileOpeningError
from pegcount.settings import ServeSettings
from pegcount.store import EmbeddedStore
from waiting import wait_until


class ServedProcess:
    """A server from its first moment to its last."""

    def __init__(self, settings: ServeSettings) -> None:
        self.announced: list[str] = []
        """The addresses at which it has answered reports."""
        self.error: PegcountError | None = None
        """Why it ended by itself."""
        self.was_starting = False
        """Whether it ended before its store was open."""
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def is_running(self) -> bool:
        return self._thread.is_alive()

    def wait_until_announced(self) -> str:
        """Returns the main address once reports are answered there."""
        wait_until(lambda: self.announced or not self.is_running())
        assert self.announced, self.error
        return self.announced[0].removeprefix("listening on ")

    def tell_to_stop(self) -> None:
        """Does what SIGTERM does."""
        self._stop.set()

    def join(self, seconds_max: float) -> None:
        """Waits for its end."""
        self._thread.join(seconds_max)

    def wait_for_end(self) -> None:
        """Fails if it does not end."""
        self.join(20)
        assert not self.is_running()

    def _run(self) -> None:
        try:
            process.serve(self._settings, self._stop, self.announced.append)
        except PegcountError as error:
            self.error = error
        except StoppedWhileOpeningError:
            self.was_starting = True


@contextmanager
def served(settings: ServeSettings) -> Iterator[ServedProcess]:
    """Stops the server, without its delay, at the end of the `with` block."""
    running = ServedProcess(settings)
    try:
        yield running
    finally:
        while running.is_running():
            running.tell_to_stop()
            running.join(0.1)


class HeldUpOpening:
    """Keeps stores from opening until `go` is set, or the `with` block ends, as a long journal would."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.count = 0
        """Stores that have begun to open."""

        def open_later(*arguments: object, **options: object) -> EmbeddedStore:
            self.count += 1
            assert self.go.wait(60)
            return EmbeddedStore(*arguments, **options)  # type: ignore[arg-type]

        patch.setattr("pegcount.store.location.EmbeddedStore", open_later)

    def __enter__(self) -> "HeldUpOpening":
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
