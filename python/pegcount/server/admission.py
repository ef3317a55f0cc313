"""Admission control: bounds the calls in progress and in the queue, and refuses further calls at once."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any

import grpc

from pegcount.errors import CancelledError, OverloadedError

Behavior = Callable[[Any, grpc.ServicerContext], Any]
"""A method as gRPC calls it, with a request or an iterator of requests."""


class AdmissionGate:
    """Runs up to `running_max` calls at once and queues up to `waiting_max` more, first in, first out."""

    def __init__(self, name: str, running_max: int, waiting_max: int, retry_seconds: float) -> None:
        """`name` names the calls, in the plural, in the error of a refused call."""
        self._name = name
        self._running_max = running_max
        self._waiting_max = waiting_max
        self._retry_seconds = retry_seconds
        self._lock = Lock()
        self._free_slot_count = running_max
        self._waiting: deque[Event] = deque()

    @contextmanager
    def admitted(self, context: grpc.ServicerContext) -> Iterator[None]:
        """Enters the block once a slot is free for the call, and frees the slot at its end.

        Raises OverloadedError if the queue is full, CancelledError if the call ends in the queue.
        """
        turn = self._acquire()
        if turn is not None:
            self._wait(turn, context)
        try:
            yield
        finally:
            self._release()

    def _acquire(self) -> Event | None:
        """Returns None if the call took a free slot, else the event that signals its turn."""
        with self._lock:
            if self._free_slot_count > 0:
                self._free_slot_count -= 1
                return None
            if len(self._waiting) >= self._waiting_max:
                raise OverloadedError(self._refusal(), self._retry_seconds)
            turn = Event()
            self._waiting.append(turn)
            return turn

    def _wait(self, turn: Event, context: grpc.ServicerContext) -> None:
        # The callback is not registered if the call has already ended.
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
                # The slot passes to the oldest waiting call.
                self._waiting.popleft().set()
            else:
                self._free_slot_count += 1

    def _refusal(self) -> str:
        waiting = f" and {self._waiting_max} wait" if self._waiting_max else ""
        return f"{self._running_max} {self._name} are in progress{waiting}; no more are allowed"


class AdmissionInterceptor(grpc.ServerInterceptor):
    """Admits calls through the gate of their method or service; calls without a gate start at once."""

    def __init__(self, gates: Mapping[str, AdmissionGate]) -> None:
        """The keys are full names of services, `package.Service`, or of methods, `package.Service/Method`."""
        self._gates = gates

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], details: grpc.HandlerCallDetails
    ) -> Any:
        """Returns the handler of one call, which runs within the gate."""
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
    def call(request_or_iterator: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        with gate.admitted(context):
            yield from behavior(request_or_iterator, context)

    return call
