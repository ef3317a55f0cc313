"""How many calls are let in: the others wait or are refused at once, before they cost anything."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any

import grpc

from pegcount.errors import CancelledError, OverloadedError

Behavior = Callable[[Any, grpc.ServicerContext], Any]
"""A method as gRPC calls it: with a request or with an iterator of them."""


class AdmissionGate:
    """Lets so many calls run at once and so many wait, in the order in which they came."""

    def __init__(self, name: str, running_max: int, waiting_max: int, retry_seconds: float) -> None:
        """`name` is what callers are told there is too much of."""
        self._name = name
        self._running_max = running_max
        self._waiting_max = waiting_max
        self._retry_seconds = retry_seconds
        self._lock = Lock()
        self._available = running_max
        self._waiting: deque[Event] = deque()

    @contextmanager
    def admitted(self, context: grpc.ServicerContext) -> Iterator[None]:
        """Lets a call into the block, at once or in its turn.

        Raises OverloadedError where too many wait already, CancelledError where the call
        ended before its turn came.
        """
        turn = self._acquire()
        if turn is not None:
            self._wait(turn, context)
        try:
            yield
        finally:
            self._release()

    def _acquire(self) -> Event | None:
        """None for a call that may run now, else what tells it that its turn has come."""
        with self._lock:
            if self._available > 0:
                self._available -= 1
                return None
            if len(self._waiting) >= self._waiting_max:
                raise OverloadedError(self._refusal(), self._retry_seconds)
            turn = Event()
            self._waiting.append(turn)
            return turn

    def _wait(self, turn: Event, context: grpc.ServicerContext) -> None:
        if not context.add_callback(turn.set):
            turn.set()
        turn.wait()
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                raise CancelledError("the call ended before its turn came")

    def _release(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._available += 1

    def _refusal(self) -> str:
        waiting = f" and {self._waiting_max} wait" if self._waiting_max else ""
        return f"{self._running_max} {self._name} are in progress{waiting}; no more are allowed"


class AdmissionInterceptor(grpc.ServerInterceptor):
    """Leads calls through their gates; what has none is always let in."""

    def __init__(self, gates: Mapping[str, AdmissionGate]) -> None:
        """`gates` go by the full name of a service, or of one of its methods: `package.Service/Method`."""
        self._gates = gates

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], details: grpc.HandlerCallDetails
    ) -> Any:
        """Wraps the handler of one call."""
        handler = continuation(details)
        gate = self._gate(details.method.removeprefix("/"))
        if handler is None or gate is None:
            return handler
        if handler.request_streaming:
            behavior, wrap = _streaming(handler.stream_stream, gate), grpc.stream_stream_rpc_method_handler
        elif handler.response_streaming:
            behavior, wrap = _streaming(handler.unary_stream, gate), grpc.unary_stream_rpc_method_handler
        else:
            behavior, wrap = _unary(handler.unary_unary, gate), grpc.unary_unary_rpc_method_handler
        return wrap(behavior, handler.request_deserializer, handler.response_serializer)

    def _gate(self, method: str) -> AdmissionGate | None:
        return self._gates.get(method) or self._gates.get(method.partition("/")[0])


def _unary(behavior: Behavior, gate: AdmissionGate) -> Behavior:
    def call(request: Any, context: grpc.ServicerContext) -> Any:
        with gate.admitted(context):
            return behavior(request, context)

    return call


def _streaming(behavior: Behavior, gate: AdmissionGate) -> Behavior:
    def call(given: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        with gate.admitted(context):
            yield from behavior(given, context)

    return call
