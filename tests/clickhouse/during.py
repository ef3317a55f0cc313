"""Calls during which something happens to a server."""

import threading
from collections.abc import Callable

from waiting import wait_until


def during(
    is_at_work: Callable[[], object], act: Callable[[], object], call: Callable[[], object]
) -> Callable[[], object]:
    """Returns a call during which something is done, once the server works on it."""

    def act_while_it_runs() -> None:
        wait_until(is_at_work, "the query")
        act()

    def both() -> object:
        thread = threading.Thread(target=act_while_it_runs)
        thread.start()
        try:
            return call()
        finally:
            thread.join()

    return both
