"""`grpc.health.v1.Health`: the health of the server and of each service.

The servicer of the gRPC library holds a lock while it sends to a watching client, so a client that reads
nothing would keep a change from all others.
"""

import asyncio
from typing import Final

from grpc_health.v1 import health, health_pb2

from pegcount import request
from pegcount.config import LiveConfig
from pegcount.errors import NotFoundError, quoted
from pegcount.server.call import Call
from pegcount.server.places import PlaceLimits, StreamPlaces

SERVICE_NAME = health.SERVICE_NAME
LIVE: Final = "pegcount.live"
"""Says that the process lives: SERVING until it ends, also while it starts or stops."""
_Status = health_pb2.HealthCheckResponse


class HealthService:
    """Answers checks, and tells watching clients of each change. Used on the event loop only."""

    def __init__(self, live: LiveConfig) -> None:
        config = live.now
        self._request_bytes_max = config.name_request_bytes_max
        self._states: dict[str, int] = {LIVE: _Status.SERVING}
        self._changed: set[asyncio.Event] = set()
        self._is_stopping = False
        limits = PlaceLimits(
            name="health watches",
            count_max=config.health_watch_count_max,
            count_per_peer_max=config.health_watch_count_per_peer_max,
            # A watching client has nothing to send.
            yield_seconds=float("inf"),
            idle_seconds_max=0,
            age_seconds_max=config.connection_age_seconds_max,
            retry_seconds=live.overload_retry_seconds,
        )
        self.places = StreamPlaces(limits)

    def set(self, service: str, *, serving: bool) -> None:
        """Sets the health of a service; the empty name is the whole server."""
        if not self._is_stopping:
            self._states[service] = _Status.SERVING if serving else _Status.NOT_SERVING
            self._notify()

    def states(self) -> dict[str, bool]:
        """Returns whether each service is SERVING, by its name; may be called on any thread."""
        return {name: state == _Status.SERVING for name, state in self._states.copy().items()}

    def stop(self) -> None:
        """Sets all services but `LIVE` to NOT_SERVING for good."""
        self._is_stopping = True
        self._states = dict.fromkeys(self._states, _Status.NOT_SERVING) | {LIVE: _Status.SERVING}
        self._notify()

    async def check(self, data: bytes, _: Call) -> bytes:
        """Returns the present health of a service; raises NotFoundError if there is none of its name."""
        service = self._service_of(data)
        state = self._states.get(service)
        if state is None:
            message = f"there is no service {quoted(service)}"
            raise NotFoundError("SERVICE_NOT_FOUND", "service", message, service=service)
        return _serialized(state)

    async def list(self, data: bytes, _: Call) -> bytes:
        """Returns the present health of all services, by their names."""
        request.parse(health_pb2.HealthListRequest, data, self._request_bytes_max)
        statuses = {service: _Status(status=state) for service, state in self._states.items()}
        return bytes(health_pb2.HealthListResponse(statuses=statuses).SerializeToString())

    async def watch(self, data: bytes, call: Call) -> None:
        """Sends the health of a service, now and after each change."""
        service = self._service_of(data)
        with self.places.taken(call) as place:
            changed, sent = asyncio.Event(), None
            self._changed.add(changed)
            # A stopping server tells a watching client that it is NOT_SERVING before it ends the call.
            call.on_end(changed.set)
            try:
                while True:
                    changed.clear()
                    state = self._states.get(service, _Status.SERVICE_UNKNOWN)
                    if state != sent:
                        with place.sending():
                            await call.write(_serialized(state))
                        # The health may have changed while the client read, also for the last time.
                        sent = state
                    elif call.error is not None:
                        raise call.error
                    else:
                        await changed.wait()
            finally:
                self._changed.discard(changed)

    def _service_of(self, data: bytes) -> str:
        return str(request.parse(health_pb2.HealthCheckRequest, data, self._request_bytes_max).service)

    def _notify(self) -> None:
        for changed in self._changed:
            changed.set()


def _serialized(state: int) -> bytes:
    return bytes(_Status(status=state).SerializeToString())
