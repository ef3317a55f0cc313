"""Health of `RecordService`: whether the store can write records."""

import asyncio

from pegcount.server.health import HealthService
from pegcount.store import Store


async def watch_store(health: HealthService, store: Store, service: str, poll_seconds: float) -> None:
    """Polls the store and sets the health of a service, until cancelled."""
    while True:
        # On a thread, as the store may wait for its disk.
        fault = await asyncio.to_thread(lambda: store.write_fault)
        health.set(service, serving=fault is None)
        await asyncio.sleep(poll_seconds)
