"""Tells a server to stop, and why."""

import threading


class StopRequest(threading.Event):
    """Is set once a server has to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.reason: str = "asked to"
        """What asked for it, such as `SIGTERM`; set before the event."""
