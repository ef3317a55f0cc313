"""Tells by health whether records can be written."""

from threading import Event, Thread

from grpc_health.v1 import health, health_pb2

from pegcount.store import Store


class StoreHealth:
    """Polls the store and sets the health of one service accordingly."""

    def __init__(
        self, status: health.HealthServicer, store: Store, service: str, poll_seconds: float
    ) -> None:
        self._status = status
        self._store = store
        self._service = service
        self._poll_seconds = poll_seconds
        self._serving: bool | None = None
        self._stop = Event()
        self._thread = Thread(target=self._run, name="store health", daemon=True)

    def start(self) -> None:
        """Polls once, then in a thread of its own until `stop`."""
        self._poll()
        self._thread.start()

    def stop(self) -> None:
        """Polls no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            self._poll()

    def _poll(self) -> None:
        serving = self._store.write_fault is None
        # Each setting is sent to everybody who watches, whether it changes anything or not.
        if serving != self._serving:
            self._serving = serving
            state = health_pb2.HealthCheckResponse
            self._status.set(self._service, state.SERVING if serving else state.NOT_SERVING)
