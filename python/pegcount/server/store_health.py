"""Health of `RecordService`: whether the store can write records."""

from threading import Event, Thread

from grpc_health.v1 import health, health_pb2

from pegcount.store import Store


class StoreHealth:
    """Polls the store and sets the health of a service to SERVING or NOT_SERVING."""

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
        """Polls once, then from a new thread until `stop`."""
        self._poll()
        self._thread.start()

    def stop(self) -> None:
        """Stops polling and waits for the thread to end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            self._poll()

    def _poll(self) -> None:
        serving = self._store.write_fault is None
        # `set` notifies all watching clients even if the state is unchanged.
        if serving != self._serving:
            self._serving = serving
            state = health_pb2.HealthCheckResponse
            self._status.set(self._service, state.SERVING if serving else state.NOT_SERVING)
