"""Places of long-lived streams: bounded in all and per peer; idle streams give way to new ones.

The peer is the credential of the stream, or the address of its client if it has none.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pegcount.errors import (
    ConnectionAgeError,
    OverloadedError,
    PegcountError,
    StreamDisplacedError,
    StreamIdleError,
)
from pegcount.server.calls import Call


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
    retry_seconds: float
    """Seconds after which a refused caller may try again."""


class StreamPlaces:
    """The places of one kind of stream. Used on the event loop only."""

    def __init__(self, limits: PlaceLimits) -> None:
        self._limits = limits
        self._places: list[Place] = []

    @contextmanager
    def taken(self, call: Call) -> Iterator[Place]:
        """Takes a place for its block; raises OverloadedError if there is none.

        If all places are taken, of the peer or at all, the stream that has waited for its
        client for longest gives way, if that is longer than `yield_seconds`.
        """
        self._make_room(_peer(call))
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

    def _make_room(self, peer: str) -> None:
        limits = self._limits
        of_peer = [place for place in self._places if _peer(place.call) == peer]
        if len(of_peer) >= limits.count_per_peer_max:
            self._displace(of_peer, f"of {peer} ")
        elif len(self._places) >= limits.count_max:
            self._displace(self._places, "")

    def _displace(self, places: list[Place], whose: str) -> None:
        limits = self._limits
        longest = max(places, key=Place.waited_s, default=None)
        if longest is None or longest.waited_s() < limits.yield_seconds:
            text = f"{len(places)} {limits.name} {whose}are in progress; no more are allowed"
            raise OverloadedError(text, limits.retry_seconds)
        self._places.remove(longest)
        longest.end(StreamDisplacedError("a new stream took the place of this one, which was idle"))


async def end_old_streams(all_places: Sequence[StreamPlaces], look_seconds: float) -> None:
    """Ends old streams of every kind again and again, until cancelled."""
    while True:
        await asyncio.sleep(look_seconds)
        for places in all_places:
            places.end_old_streams()


def _peer(call: Call) -> str:
    return call.connection.address if call.caller is None else f"credential {call.caller.id}"


def _now_s() -> float:
    return asyncio.get_running_loop().time()
