"""The calls of the server: every call of every method begins and ends here.

    call -> account of its connection -> caller -> behavior of the method -> response, or status of the error

Unary methods are registered with gRPC as methods with a stream of requests, of which they read one message:
only so can reading be limited in time. A client does not notice, as the bytes of both kinds are the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, TypeAlias

import grpc

from pegcount import core
from pegcount.auth import Caller, Scope
from pegcount.errors import (
    AccessDeniedError,
    CredentialLimitReachedError,
    CredentialRefusedError,
    CredentialUnexpectedError,
    FirstCredentialIsLocalError,
    MissingMessageError,
    PegcountError,
    RequestTooLargeError,
    ServerStoppingError,
    UnknownMethodError,
    quoted,
    shortened,
)
from pegcount.server import call_metadata, status
from pegcount.server.access import ANY_SCOPE, RULES, Access, Rule, rule_of
from pegcount.server.call import Call
from pegcount.server.call_clock import CallClock, Phase
from pegcount.server.client_certificates import client_certificate
from pegcount.server.connection_guard import ConnectionGuard
from pegcount.server.connections import Connection, Connections
from pegcount.server.credential_limits import CredentialLimiter
from pegcount.server.observed_call import CallKind, CallObserver, ObservedCall, kind_of
from pegcount.server.server_state import MethodCalls
from pegcount.server.unread_answers import UnreadAnswers
from pegcount.server.unread_calls import Context, UnreadCalls
from pegcount.suggestion import nearest, suggestion

_LAST_STATUS_SECONDS = 1.0
"""Seconds that a stopping server gives the calls which it ended to send their status."""
_POLL_SECONDS = 0.005

# `PanicException`, from a panic of the core, is a BaseException.
_CAUGHT = (Exception, core.PanicException)

_DENIALS = (
    AccessDeniedError,
    CredentialRefusedError,
    CredentialUnexpectedError,
    FirstCredentialIsLocalError,
)
_COUNTED_AS_ABANDONED = (MissingMessageError, RequestTooLargeError, UnknownMethodError, *_DENIALS)
"""Refusals that cost a client next to nothing, as giving a call up does."""

_UNKNOWN = ""
"""Counts the calls of all methods that the server does not have."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


UnaryBehavior: TypeAlias = Callable[[bytes, Call], Awaitable[bytes]]
"""Takes a request message and returns the response message."""
Refusal: TypeAlias = Callable[[Connection, Caller | None], PegcountError | None]
"""Returns why the next call of a connection must be refused before its message is read, if it must.

The caller is None for an open method, and where nobody is authenticated.
"""
Denial: TypeAlias = Callable[[Caller, str], None]
"""Takes a caller whose credential lacks the scope of a method, and the id of the request."""
ResponseStreamBehavior: TypeAlias = Callable[[bytes, Call], Awaitable[None]]
"""Takes a request message and writes responses."""
StreamBehavior: TypeAlias = Callable[[Call], Awaitable[None]]
"""Reads requests and writes responses."""
_Behavior: TypeAlias = Callable[[Context, Call], Awaitable[Any]]


def _ignore_denial(caller: Caller, request_id: str) -> None:
    """Denied calls of most methods change nothing, and are not noted."""


def never_refused(_: Connection, __: Caller | None) -> None:
    """Refuses no call before its message is read."""


@dataclass(frozen=True, slots=True)
class _Method:
    """A method that the server offers."""

    name: str
    """`package.Service/Method`."""
    rule: Rule
    kind: CallKind
    refusal: Refusal = never_refused
    denial: Denial = _ignore_denial
    is_known: bool = True


class CallHandlers(grpc.GenericRpcHandler):
    """The methods of the server, and the calls in progress. Used on the event loop only."""

    def __init__(
        self,
        connections: Connections,
        guard: ConnectionGuard,
        unread: UnreadCalls,
        unread_answers: UnreadAnswers,
        access: Access,
        limiter: CredentialLimiter,
        request_id_length_max: int,
        observers: Sequence[CallObserver] = (),
    ) -> None:
        self._observers = observers
        self._access = access
        self._limiter = limiter
        self._connections = connections
        self._request_id_length_max = request_id_length_max
        self._unread_answers = unread_answers
        self._guard = guard
        self._unread = unread
        self._handlers: dict[str, Handler] = {}
        self._kinds: dict[str, CallKind] = {}
        self._begun_counts: dict[str, int] = {_UNKNOWN: 0}
        self._absences: dict[str, str] = {}
        self._calls: set[Call] = set()
        self._is_stopping = False

    def add_unary(
        self,
        method: str,
        behavior: UnaryBehavior,
        refusal: Refusal = never_refused,
        denial: Denial = _ignore_denial,
    ) -> None:
        """Adds a method with one request and one response; `method` is `package.Service/Method`.

        `denial` is called for each call that is denied. Raises ValueError if no rule says who may call it, as
        the other methods that add one do.
        """
        named = self._counted(_Method(method, rule_of(method), CallKind.UNARY, refusal, denial))

        async def answer_counted(message: bytes, call: Call) -> bytes:
            answer = await behavior(message, call)
            call.hold_answer(answer)
            call.observed.response_bytes = len(answer)
            return answer

        read_and_answer = self._after_reading(answer_counted)

        async def handle(_: object, context: Context) -> bytes:
            answer: bytes = await self._observe(context, named, read_and_answer)
            return answer

        self._handlers[f"/{method}"] = grpc.stream_unary_rpc_method_handler(handle)

    def add_response_stream(
        self, method: str, behavior: ResponseStreamBehavior, refusal: Refusal = never_refused
    ) -> None:
        """Adds a method with one request and a stream of responses."""
        named = self._counted(_Method(method, rule_of(method), CallKind.SERVER_STREAM, refusal))

        async def handle(_: object, context: Context) -> None:
            await self._observe(context, named, self._after_reading(behavior))

        self._handlers[f"/{method}"] = grpc.stream_stream_rpc_method_handler(handle)

    def add_stream(self, method: str, behavior: StreamBehavior, refusal: Refusal = never_refused) -> None:
        """Adds a method with a stream of requests and one of responses."""
        named = self._counted(_Method(method, rule_of(method), CallKind.BIDI_STREAM, refusal))

        async def answer(_: Context, call: Call) -> None:
            await behavior(call)

        async def handle(_: object, context: Context) -> None:
            await self._observe(context, named, answer)

        self._handlers[f"/{method}"] = grpc.stream_stream_rpc_method_handler(handle)

    def explain_absence(self, services: Iterable[str], text: str) -> None:
        """Has calls of services that this address does not offer end with a text that says why."""
        self._absences.update(dict.fromkeys(services, text))

    def service(self, details: grpc.HandlerCallDetails) -> Handler:
        """Returns the handler of a call's method; gRPC asks for each call."""
        return self._handlers.get(details.method) or self._unknown(details.method)

    def of_service(self, service: str) -> dict[str, Handler]:
        """Returns the handlers of one service by the names of its methods."""
        prefix = f"/{service}/"
        return {
            method.removeprefix(prefix): handler
            for method, handler in self._handlers.items()
            if method.startswith(prefix)
        }

    def method_calls(self) -> list[MethodCalls]:
        """Returns how many calls of each method have begun; may be called on any thread."""
        known = [
            MethodCalls(name, kind, self._begun_counts[name]) for name, kind in list(self._kinds.items())
        ]
        return [*known, MethodCalls(None, CallKind.UNARY, self._begun_counts[_UNKNOWN])]

    def in_progress_count(self) -> int:
        """Returns the number of calls in progress; may be called on any thread."""
        return len(self._calls)

    def added_later(self, method: str) -> Handler:
        """Returns a handler of a unary method, `/package.Service/Method`, that need not be added yet."""

        async def handle(requests: Any, context: Any) -> Any:
            handler = self._handlers.get(method) or self._unknown(method)
            return await handler.stream_unary(requests, context)  # type: ignore[misc]

        return grpc.stream_unary_rpc_method_handler(handle)

    def end_refused(self) -> None:
        """Ends the streams whose credential has ended, after the answers that they owe.

        A call whose message has not come yet ends too: its credential may have ended long before it comes.
        So does work that can be stopped, such as a deletion that waits for another one.
        """
        for call in self._calls:
            if call.is_stream or call.is_unread or call.is_stoppable:
                try:
                    call.authenticate()
                except PegcountError as error:
                    call.end(error)

    async def stop(self, grace_seconds: float) -> None:
        """Refuses new calls and ends all present ones.

        Streams end after the answers that they owe, other calls when they are done. Those that take longer
        than `grace_seconds` end with UNAVAILABLE.
        """
        self._is_stopping = True
        for call in self._calls:
            if call.is_stream:
                call.end(_stopping_error())
                call.stop_waiting()
        await self._wait_for_calls(grace_seconds)
        for call in self._calls:
            call.abort(_stopping_error())
        await self._wait_for_calls(_LAST_STATUS_SECONDS)

    async def _observe(self, context: Context, method: _Method, behavior: _Behavior) -> Any:
        """Handles a call, and tells the observers of its end."""
        sent = context.invocation_metadata()
        request_id = call_metadata.request_id(sent, self._request_id_length_max)
        observed = ObservedCall(
            method.name,
            method.is_known,
            context.peer(),
            request_id,
            call_metadata.trace_context(sent),
            kind=method.kind,
        )
        self._begun_counts[method.name if method.is_known else _UNKNOWN] += 1
        try:
            return await self._handle(context, method, behavior, observed)
        except asyncio.CancelledError:
            observed.is_cancelled = observed.error is None and not observed.is_settled
            raise
        finally:
            observed.seconds = perf_counter() - observed.begin_s
            if observed.clock is not None:
                observed.clock.enter(None)
            for observer in self._observers:
                observer.call_ended(observed)

    async def _handle(
        self, context: Context, method: _Method, behavior: _Behavior, observed: ObservedCall
    ) -> Any:
        authenticate = self._authentication(method.rule, context)
        caller = await self._refuse_early(context, method, authenticate, observed)
        call = self._begin(context, authenticate, caller, observed)
        try:
            self._require_let_in(call)
            await self._wait(call)
            answer = await behavior(context, call)
            self._note_answered(call, method.rule)
            context.set_trailing_metadata(call_metadata.trailing(call.request_id, call.clock, call.caller))
            return answer
        except asyncio.CancelledError:
            if call.error is None:
                observed.is_settled = call.is_settled()
                if call.is_abandoned():
                    self._guard.note_abandoned_call(call.connection)
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
            error: BaseException = call.error
        except grpc.aio.InternalError:
            # gRPC could not send, as the client has left.
            observed.is_settled = call.is_settled()
            raise asyncio.CancelledError from None
        except _COUNTED_AS_ABANDONED as caught:
            self._note_as_abandoned(context, call, caught, method.denial)
            error = caught
        except _CAUGHT as caught:
            error = caught
        observed.error, observed.caller = error, call.caller
        try:
            if not self._is_stopping:
                await call.wait_until_sent(self._unread_answers.read_seconds_max())
            return await status.abort(context, error, call.request_id, call.clock, call.caller)
        finally:
            # The traceback of the error has this frame: a cycle, which would keep all its frames in memory.
            del error

    async def _refuse_early(
        self,
        context: Context,
        method: _Method,
        authenticate: Callable[[], Caller | None],
        observed: ObservedCall,
    ) -> Caller | None:
        """Ends a call that must be refused before it begins; returns who calls, None if nobody is known.

        Under overload most calls are refused, so a refusal must cost less than beginning a call.
        """
        try:
            caller = authenticate()
        except PegcountError:
            # Whoever is not let in is refused for that: the load of the server is not for everybody to see.
            return None
        observed.caller = caller
        if self._is_stopping:
            return caller
        connection = self._connections.of_peer(context.peer())
        error: PegcountError | None = None
        if caller is not None:
            connection.note_caller(caller)
            error = self._limiter.refusal(caller, is_report=method.rule.scope is Scope.READ_REPORTS)
        error = error or method.refusal(connection, caller)
        if error is None:
            return caller
        if caller is not None and isinstance(error, CredentialLimitReachedError):
            self._guard.pause(connection, self._limiter.note_refused(caller, error))
        self._connections.note_refused(connection)
        observed.error = error
        return await status.abort(context, error, observed.request_id, CallClock(), caller)

    def _counted(self, method: _Method) -> _Method:
        """Has the calls of a method counted by its name, and goes on with a count that it has."""
        self._begun_counts.setdefault(method.name, 0)
        self._kinds[method.name] = method.kind
        return method

    def _require_let_in(self, call: Call) -> None:
        if self._is_stopping:
            raise _stopping_error()
        if call.caller is None:
            call.authenticate()

    async def _wait(self, call: Call) -> None:
        """Waits until the rate of the credential has room for the call."""
        admitted = call.admitted
        if admitted is None or not admitted.wait_seconds:
            return
        try:
            await asyncio.sleep(admitted.wait_seconds)
        except asyncio.CancelledError:
            self._guard.pause(call.connection, admitted.give_up())
            raise
        call.authenticate()

    def _note_answered(self, call: Call, rule: Rule) -> None:
        # A flood of refused calls could make up for itself by asking for the health.
        if not rule.is_open:
            self._connections.note_answered(call.connection)

    def _note_as_abandoned(self, context: Context, call: Call, error: PegcountError, denial: Denial) -> None:
        self._guard.note_abandoned_call(call.connection)
        if isinstance(error, _DENIALS):
            self._connections.note_denied(call.connection)
        if isinstance(error, AccessDeniedError):
            self._tell_denied(context, call, denial)

    def _tell_denied(self, context: Context, call: Call, denial: Denial) -> None:
        # The credential was accepted just now, and may end at any time.
        with suppress(PegcountError):
            metadata = context.invocation_metadata() or ()
            caller = self._access.authenticated(metadata, client_certificate(context))
            if caller is not None:
                denial(caller, call.request_id)

    def _after_reading(self, behavior: Callable[[bytes, Call], Awaitable[Any]]) -> _Behavior:
        async def read_and_answer(context: Context, call: Call) -> Any:
            call.clock.enter(Phase.READ)
            message = await self._unread.read(context)
            call.is_unread = False
            call.clock.enter(None)
            call.note_read(len(message))
            return await behavior(message, call)

        return read_and_answer

    def _authentication(self, rule: Rule, context: Context) -> Callable[[], Caller | None]:
        metadata = context.invocation_metadata() or ()
        return partial(self._access.caller, rule, metadata, client_certificate(context))

    def _begin(
        self,
        context: Context,
        authenticate: Callable[[], Caller | None],
        caller: Caller | None,
        observed: ObservedCall,
    ) -> Call:
        """Accounts for a call that begins, and for its end once gRPC has sent the response."""
        connection = self._connections.enter(context.peer())
        call = Call(context, connection, caller, self._unread_answers, observed, authenticate)
        self._calls.add(call)
        if caller is not None:
            call.admitted = self._limiter.enter(caller)

        def ended(_: object) -> None:
            self._calls.discard(call)
            if call.admitted is not None:
                call.admitted.leave()
            call.release_answer()
            self._connections.leave(connection)

        context.add_done_callback(ended)  # type: ignore[arg-type] # the stub wants a class
        return call

    def _unknown(self, method: str) -> Handler:
        async def refuse(_: Context, __: Call) -> None:
            name = method.removeprefix("/")
            raise UnknownMethodError(
                f"there is no method {quoted(name)}{self._hint(name)}", method=shortened(name)
            )

        name = method.removeprefix("/")
        if name in RULES:
            # While the server starts, it has none of its methods yet; another address may have this one.
            named = self._counted(_Method(name, ANY_SCOPE, kind_of(name)))
        else:
            named = _Method(name, ANY_SCOPE, CallKind.UNARY, is_known=False)

        async def handle(_: object, context: Context) -> None:
            await self._observe(context, named, refuse)

        return grpc.stream_unary_rpc_method_handler(handle)

    def _hint(self, name: str) -> str:
        """Says why the service is absent, or suggests the nearest method of the nearest service."""
        service, _, method = name.rpartition("/")
        if service in self._absences:
            return f" here: {self._absences[service]}"
        near = nearest(service, {path.split("/")[1] for path in self._handlers})
        found = None if near is None else nearest(method, self.of_service(near))
        return "" if found is None else suggestion(f"{near}/{found}")

    async def _wait_for_calls(self, seconds: float) -> None:
        deadline_s = asyncio.get_running_loop().time() + seconds
        while self._calls and asyncio.get_running_loop().time() < deadline_s:
            await asyncio.sleep(_POLL_SECONDS)


def _stopping_error() -> ServerStoppingError:
    return ServerStoppingError("the server is stopping; send again what it has not answered")
