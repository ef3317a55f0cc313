"""Opens a store, unless the server is told to stop meanwhile."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait

from pegcount.store import Store

_LOOK_SECONDS = 0.05


class StoppedWhileOpeningError(Exception):
    """The server was told to stop while its store opened, which goes on until the process ends."""


def opened_unless_stopped(open_store: Callable[[], Store], stop: threading.Event) -> Store:
    """Returns the store; raises what `open_store` raises, and StoppedWhileOpeningError once `stop` is set.

    A store that nobody waits for any more closes once it is open. The process may end before: whatever was
    acknowledged is in the store after `kill -9`, too.
    """
    opening = Future[Store]()

    def run() -> None:
        try:
            opening.set_result(open_store())
        except BaseException as error:
            opening.set_exception(error)

    threading.Thread(target=run, name="opening", daemon=True).start()
    while not wait((opening,), _LOOK_SECONDS).done:
        if stop.is_set():
            opening.add_done_callback(_close)
            raise StoppedWhileOpeningError
    return opening.result()


def _close(opening: "Future[Store]") -> None:
    if opening.exception() is None:
        opening.result().close()
