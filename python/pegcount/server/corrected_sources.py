"""Which stream corrects the records of which source: one at a time.

Two imports of corrections would otherwise mix: of each record, the one that came last would stand.
"""

import asyncio

from pegcount.errors import CorrectionInProgressError


class CorrectedSources:
    """The sources whose records are being corrected, each by one stream. Used on the event loop only.

    A stream holds a source from its first corrections of it until it ends.
    """

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._stream_of: dict[str, object] = {}
        self._awaited: dict[object, str] = {}
        """The source that a stream waits for."""
        self._released = asyncio.Event()

    async def hold(self, stream: object, sources: frozenset[str]) -> None:
        """Makes a stream hold sources; waits while others hold them.

        Raises CorrectionInProgressError once it has waited for `wait_seconds`, or at once if another stream
        waits, directly or not, for a source that this one holds. The stream then holds what it held before,
        and those of the sources that were free.
        """
        try:
            async with asyncio.timeout(self._wait_seconds):
                # In the same order by all streams, so that two that begin together do not block each other.
                for source in sorted(sources):
                    await self._hold(stream, source)
        except TimeoutError:
            raise CorrectionInProgressError(self._awaited[stream], self._wait_seconds) from None
        finally:
            self._awaited.pop(stream, None)

    def release(self, stream: object) -> None:
        """Gives up all sources that a stream holds."""
        self._stream_of = {source: one for source, one in self._stream_of.items() if one is not stream}
        self._released.set()
        self._released = asyncio.Event()

    async def _hold(self, stream: object, source: str) -> None:
        while self._stream_of.get(source, stream) is not stream:
            self._awaited[stream] = source
            if self._is_deadlock(stream):
                raise CorrectionInProgressError(source, self._wait_seconds)
            await self._released.wait()
        self._stream_of[source] = stream

    def _is_deadlock(self, stream: object) -> bool:
        """Whether the stream that holds the awaited source waits for this one, or for one that does."""
        other: object | None = stream
        while (awaited := self._awaited.get(other)) is not None:
            other = self._stream_of.get(awaited)
            if other is stream:
                return True
        return False
