"""Health of what may have a fault while the server runs: the store's writing, and files read anew."""

import asyncio
from collections.abc import Callable

from pegcount.server.health import HealthService

TLS_HEALTH = "pegcount.tls"
"""NOT_SERVING while the files of TLS cannot be used; the server goes on with those that it read before."""

CREDENTIALS_HEALTH = "pegcount.credentials"
"""NOT_SERVING while a key file of tokens, or a key in it, cannot be used."""


async def watch_fault(
    health: HealthService, service: str, fault: Callable[[], str | None], poll_seconds: float
) -> None:
    """Polls a fault and sets the health of a service, until cancelled.

    `fault` returns what is wrong, None if nothing is. It is called on a thread, as it may wait for a disk.
    """
    while True:
        health.set(service, serving=await asyncio.to_thread(fault) is None)
        await asyncio.sleep(poll_seconds)
