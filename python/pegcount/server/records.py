"""`RecordService`: streams of batches, each answered once it is durable."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from pegcount.config import Config
from pegcount.errors import ConnectionAgeError, PegcountError, StreamIdleError
from pegcount.server.batch_stream import BatchStream
from pegcount.server.calls import Call
from pegcount.server.connections import Connections
from pegcount.server.places import Place, PlaceLimits, StreamPlaces
from pegcount.store import Store

_LOOK_SECONDS_MAX = 1.0
_THREADS_PER_STREAM = 2


class RecordService:
    """Writes records."""

    def __init__(self, config: Config, store: Store, connections: Connections) -> None:
        self._config = config
        self._store = store
        self._connections = connections
        self._threads = ThreadPoolExecutor(
            max(1, _THREADS_PER_STREAM * config.write_stream_count_max), thread_name_prefix="write"
        )
        self._places = StreamPlaces(
            PlaceLimits(
                "write streams",
                config.write_stream_count_max,
                config.write_stream_count_per_peer_max,
                config.stream_yield_seconds,
                config.overload_retry_seconds,
            )
        )

    @property
    def open_stream_count(self) -> int:
        """The streams that are open."""
        return len(self._places.open_places())

    async def write_records(self, call: Call) -> None:
        """Writes batches of records, each a serialized message; sends a response per batch."""
        with self._places.taken(call) as place:
            stream = BatchStream(call, place, self._store, self._threads, self._config.stream_batch_count_max)
            call.on_end(stream.stop_reading)
            async for answer in stream.responses():
                await call.write(answer)
            if call.error is not None:
                raise call.error

    async def end_old_streams(self) -> None:
        """Ends streams that are idle for too long, or whose connection is too old, until cancelled."""
        seconds = [
            s for s in (self._config.write_stream_idle_seconds, self._config.connection_age_seconds_max) if s
        ]
        while True:
            await asyncio.sleep(min([_LOOK_SECONDS_MAX, *(each / 10 for each in seconds)]))
            for place in self._places.open_places():
                error = self._reason_to_end(place)
                if error is not None:
                    place.call.end(error)

    def close(self) -> None:
        """Ends the threads when they are idle."""
        self._threads.shutdown(wait=False)

    def _reason_to_end(self, place: Place) -> PegcountError | None:
        idle_s, age_s = self._config.write_stream_idle_seconds, self._config.connection_age_seconds_max
        if idle_s and place.waited_s() > idle_s:
            text = f"the stream was idle for {idle_s:g} s; open a new one"
            return StreamIdleError(text, limit_seconds=f"{idle_s:g}")
        if age_s and self._connections.age_s(place.call.connection) > age_s:
            text = f"the connection is older than {age_s:g} s; open a new stream"
            return ConnectionAgeError(text, limit_seconds=f"{age_s:g}")
        return None
