"""Waits for the answers of several servers at once."""

import time
from collections.abc import Sequence
from http.client import HTTPException
from queue import Empty, SimpleQueue
from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import PegcountError, ShardFaultError
from pegcount.store.clickhouse.wire.exchange import AbandonedError, Answer, Exchange
from pegcount.store.clickhouse.wire.failures import NOT_LET_IN, failure, name_of, no_answer, unknown_fate
from pegcount.store.clickhouse.wire.probe import Probe
from pegcount.store.clickhouse.wire.shard_log import ShardLog

_LOOK_SECONDS: Final = 0.025
"""Seconds between two looks at the token of a caller that waits."""
_OK: Final = 200
_SERVER_ERRORS: Final = range(500, 600)
_BYTES_SHOWN_MAX: Final = 300
_STRANGE: Final = (
    "{} does not answer as ClickHouse does over HTTP, whose port is 8123 by default, and 8443 with TLS"
)


class ShardRequest:
    """A request to a shard, which `wait_for_all` sends.

    `row_format` is that of the answer to a SELECT; None is a request that writes.
    """

    def __init__(
        self, shard: str, log: ShardLog, exchange: Exchange, probe: Probe, row_format: str | None
    ) -> None:
        self._shard = shard
        self._log = log
        self._exchange = exchange
        self._probe = probe
        self._format = row_format
        self._start_s = 0.0

    def start(self, ended: "SimpleQueue[ShardRequest]") -> None:
        """Sends the request in a thread, which puts this into `ended` at its end."""
        self._start_s = time.monotonic()
        self._exchange.start(lambda: ended.put(self))

    def abandon(self) -> None:
        """Ends the request, on the server as well if it is a SELECT."""
        self._exchange.abandon()

    def require_life(self) -> None:
        """Raises StoreUnavailableError if the server has left a ping without an answer since the start."""
        if self._probe.is_silent_since(self._start_s):
            self._exchange.abandon()
            raise self._lost(AbandonedError("a ping had no answer"))

    def result(self) -> bytes:
        """Returns the body of the answer of a request that ended; raises as `Shard` documents."""
        try:
            answer = self._exchange.answer()
        except (OSError, HTTPException) as error:
            raise self._lost(error) from error
        if answer.code is not None:
            raise self._refusal(answer, answer.code)
        # A SELECT without rows has a format as well: an answer without it is that of another program.
        if answer.status != _OK or (self._format is not None and answer.format != self._format):
            raise self._strange(answer)
        return answer.body

    def _lost(self, cause: Exception) -> PegcountError:
        kind = type(cause).__name__
        self._log.add(kind, f"does not answer: {kind}: {cause}")
        if self._format is None and self._exchange.may_have_changed:
            return unknown_fate(self._shard, cause)
        return no_answer(self._shard)

    def _refusal(self, answer: Answer, code: int) -> PegcountError:
        text = answer.body.decode(errors="replace").strip()
        step = "; check the user and the password of the store" if code in NOT_LET_IN else ""
        self._log.add(str(code), f"refused a statement with code {code} ({name_of(code)}){step}: {text}")
        return failure(self._shard, code, self._format is None)

    def _strange(self, answer: Answer) -> PegcountError:
        """Returns the error of an answer that is not one of ClickHouse, as of a proxy before it."""
        said = f"status {answer.status}, format {answer.format}: {answer.body[:_BYTES_SHOWN_MAX]!r}"
        self._log.add("strange", f"does not answer as ClickHouse does: {said}")
        if answer.status in _SERVER_ERRORS:
            known: PegcountError = no_answer(self._shard)
        else:
            known = ShardFaultError(_STRANGE.format(self._shard), 0, "no code")
        return unknown_fate(self._shard, known) if self._format is None else known


def wait_for_all(requests: Sequence[ShardRequest], cancel_token: CancelToken) -> list[bytes]:
    """Sends requests to several shards at once, and returns their answers in this order.

    Raises as `Shard` documents, and abandons all other requests then.
    """
    cancel_token.check()
    ended: SimpleQueue[ShardRequest] = SimpleQueue()
    waiting = list(requests)
    try:
        for request in requests:
            request.start(ended)
        while waiting:
            request_or_none = _next(ended)
            if request_or_none is None:
                cancel_token.check()
                for request in waiting:
                    request.require_life()
            else:
                waiting.remove(request_or_none)
                request_or_none.result()
    except BaseException:
        for request in waiting:
            request.abandon()
        raise
    return [request.result() for request in requests]


def _next(ended: "SimpleQueue[ShardRequest]") -> ShardRequest | None:
    """Returns the next request that ended, None if there is none for a while."""
    try:
        return ended.get(timeout=_LOOK_SECONDS)
    except Empty:
        return None
