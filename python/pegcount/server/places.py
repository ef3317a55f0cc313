"""Places of long-lived streams: bounded in all and per peer; idle streams give way to new ones.

The peer is the credential of the stream, or the address of its client if it has none.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pegcount.auth import Caller
from pegcount.errors import (
    ConnectionAgeError,
    CredentialLimitReachedError,
    OverloadedError,
    PegcountError,
    StreamDisplacedError,
    StreamIdleError,
)
from pegcount.server.call import Call
from pegcount.server.connections import Connection


class Place:
    """The place of one stream."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._work_count = 0
        self._active_s = _now_s()
        self._sending_since_s: float | None = None

    def begin_work(self) -> None:
        """Notes that a message has arrived, for which the server works until `end_work`."""
        self._work_count += 1
        self._active_s = _now_s()

    def end_work(self) -> None:
        """Notes that the work for one message is done."""
        self._work_count -= 1
        self._active_s = _now_s()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Sends a response within its block, which takes as long as the client reads none."""
        self._sending_since_s = _now_s()
        try:
            yield
        finally:
            self._sending_since_s = None

    def end(self, error: PegcountError) -> None:
        """Ends the stream, after the answers that it owes if its client reads them."""
        if self._sending_since_s is None:
            self.call.end(error)
        else:
            self.call.abort(error)

    def waited_s(self) -> float:
        """Returns how long the stream has waited for its client, in seconds; 0 while the server works."""
        if self._sending_since_s is not None:
            return _now_s() - self._sending_since_s
        return 0.0 if self._work_count else _now_s() - self._active_s


@dataclass(frozen=True, slots=True)
class PlaceLimits:
    """How many streams of one kind may be open."""

    name: str
    """Names the streams, in the plural."""
    count_max: int
    count_per_peer_max: int
    yield_seconds: float
    """Seconds of waiting for its client after which a stream gives way to a new one."""
    idle_seconds_max: float
    """Seconds of waiting for its client after which a stream ends; 0 is without limit."""
    age_seconds_max: float
    """Age of its connection in seconds at which a stream ends; 0 is without limit."""
    retry_seconds: Callable[[], float]
    """Returns the seconds after which a refused caller may try again."""
    are_write_streams: bool = False
    """Whether the limit `write_streams` of a credential takes the place of `count_per_peer_max`."""

    def allowed(self, caller: Caller | None) -> int:
        """Returns how many streams a peer may have."""
        limits = None if caller is None or not self.are_write_streams else caller.limits
        own = None if limits is None else limits.write_streams
        return self.count_per_peer_max if own is None else own


class StreamPlaces:
    """The places of one kind of stream. Used on the event loop only."""

    def __init__(self, limits: PlaceLimits) -> None:
        self._limits = limits
        self._places: list[Place] = []

    @contextmanager
    def taken(self, call: Call) -> Iterator[Place]:
        """Takes a place for its block; raises the error of `refusal` if there is none.

        If all places are taken, of the peer or at all, the stream that has waited for its
        client for longest gives way, if that is longer than `yield_seconds`.
        """
        self._make_room(call)
        place = Place(call)
        self._places.append(place)
        try:
            yield place
        finally:
            if place in self._places:
                self._places.remove(place)

    def __len__(self) -> int:
        """Returns the number of taken places."""
        return len(self._places)

    def end_old_streams(self) -> None:
        """Ends the streams that are idle for too long, or whose connection is too old."""
        for place in self._places:
            error = self._reason_to_end(place)
            if error is not None:
                place.end(error)

    def _reason_to_end(self, place: Place) -> PegcountError | None:
        idle_s, age_s = self._limits.idle_seconds_max, self._limits.age_seconds_max
        if idle_s and place.waited_s() > idle_s:
            text = f"the stream was idle for {idle_s:g} s; open a new one"
            return StreamIdleError(text, limit_seconds=f"{idle_s:g}")
        if age_s and place.call.connection.age_s() > age_s:
            text = f"the connection is older than {age_s:g} s; open a new stream"
            return ConnectionAgeError(text, limit_seconds=f"{age_s:g}")
        return None

    def refusal(self, connection: Connection, caller: Caller | None) -> PegcountError | None:
        """Returns the error with which `taken` would refuse a new stream now; None if it would not."""
        full = self._full_places(connection, caller)
        return None if full is None or self._idle(full.places) is not None else full.refusal

    def _make_room(self, call: Call) -> None:
        full = self._full_places(call.connection, call.caller)
        if full is None:
            return
        idle = self._idle(full.places)
        if idle is None:
            raise full.refusal
        self._places.remove(idle)
        idle.end(StreamDisplacedError("a new stream took the place of this one, which was idle"))

    def _full_places(self, connection: Connection, caller: Caller | None) -> "_FullPlaces | None":
        """Returns the places of which one must become free for a new stream; None if there is room."""
        limits, peer = self._limits, _peer(connection, caller)
        of_peer = [place for place in self._places if _peer(place.call.connection, place.call.caller) == peer]
        if len(of_peer) >= limits.allowed(caller):
            if caller is not None and limits.are_write_streams:
                error = CredentialLimitReachedError(
                    "write_streams", limits.allowed(caller), limits.retry_seconds()
                )
                return _FullPlaces(of_peer, error)
            return _FullPlaces(of_peer, self._overloaded(len(of_peer), f"of {peer} "))
        if len(self._places) >= limits.count_max:
            return _FullPlaces(self._places, self._overloaded(len(self._places), ""))
        return None

    def _idle(self, places: Sequence[Place]) -> Place | None:
        """Returns the place that gives way: that which waits for its client for longest, if long enough."""
        longest = max(places, key=Place.waited_s, default=None)
        return None if longest is None or longest.waited_s() < self._limits.yield_seconds else longest

    def _overloaded(self, count: int, whose: str) -> OverloadedError:
        text = f"{count} {self._limits.name} {whose}are in progress; no more are allowed"
        return OverloadedError(text, self._limits.retry_seconds())


@dataclass(frozen=True, slots=True)
class _FullPlaces:
    """Streams of which one must give way to a new one, and the error if none does."""

    places: Sequence[Place]
    refusal: PegcountError


async def end_old_streams(all_places: Sequence[StreamPlaces], look_seconds: float) -> None:
    """Ends old streams of every kind again and again, until cancelled."""
    while True:
        await asyncio.sleep(look_seconds)
        for places in all_places:
            places.end_old_streams()


def _peer(connection: Connection, caller: Caller | None) -> str:
    return connection.address if caller is None else f"credential {caller.id}"


def _now_s() -> float:
    return asyncio.get_running_loop().time()
