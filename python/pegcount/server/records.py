"""`RecordService`: streams of batches, each answered once it is durable."""

from pegcount.config import LiveConfig
from pegcount.server.batch_stream import BatchStream
from pegcount.server.call import Call
from pegcount.server.corrected_sources import CorrectedSources
from pegcount.server.places import PlaceLimits, StreamPlaces
from pegcount.server.stream_rules import StreamRules
from pegcount.store import SourceRules, Store


class RecordService:
    """Writes records."""

    def __init__(self, live: LiveConfig, store: Store, rules: SourceRules) -> None:
        config = live.now
        self._config = config
        self._rules = StreamRules(config, store, rules)
        self._corrected = CorrectedSources(config.correction_wait_seconds)
        limits = PlaceLimits(
            name="write streams",
            count_max=config.write_stream_count_max,
            count_per_peer_max=config.write_stream_count_per_peer_max,
            yield_seconds=config.stream_yield_seconds,
            idle_seconds_max=config.write_stream_idle_seconds,
            age_seconds_max=config.connection_age_seconds_max,
            retry_seconds=live.overload_retry_seconds,
            are_write_streams=True,
        )
        self.places = StreamPlaces(limits)

    async def write_records(self, call: Call) -> None:
        """Writes batches of records, each a serialized message; sends a response per batch."""
        with self.places.taken(call) as place:
            stream = BatchStream(call, place, self._rules, self._corrected, self._config)
            call.on_end(stream.stop_reading)
            async for answer in stream.responses():
                await call.write(answer)
                # An answer may have megabytes, and the next one may be far off.
                del answer
            if call.error is not None:
                raise call.error
