"""A port that nobody uses."""

import socket


def free_port() -> int:
    """Returns a port of 127.0.0.1 that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
