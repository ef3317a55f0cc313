"""Takes the signals of a server, however many arrive at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import cast

from pegcount.process.reloading import ReloadRequest
from pegcount.process.stop_request import StopRequest

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def signals_taken(reload: ReloadRequest) -> Iterator[StopRequest]:
    """Yields a request that SIGTERM and SIGINT make; SIGHUP asks for `reload`. For the main thread.

    After the block all three are ignored, so that one that comes late does not change the exit status.
    """
    stop = StopRequest()
    arrived = SimpleQueue[int | None]()

    def take() -> None:
        while (number := arrived.get()) is not None:
            if number == signal.SIGHUP:
                reload.ask()
            else:
                stop.reason = signal.Signals(number).name
                stop.set()

    # A handler in Python is interrupted by the next signal where it begins, and where it holds a lock: a
    # storm of signals would use up the stack, or wait for itself. This one is C, and may be called again
    # within itself; its second parameter, `block`, means nothing.
    handler = cast("Callable[[int, FrameType | None], None]", arrived.put)
    for each in _SIGNALS:
        signal.signal(each, handler)
    threading.Thread(target=take, name="signals", daemon=True).start()
    try:
        yield stop
    finally:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        arrived.put(None)
