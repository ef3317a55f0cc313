"""The calls of the server: every call of every method begins and ends here.

    call -> account of its connection -> caller -> behavior of the method -> response, or status of the error

Unary methods are registered with gRPC as methods with a stream of requests, of which they read one message:
only so can reading be limited in time. A client does not notice, as the bytes of both kinds are the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
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
from pegcount.server.access import ANY_SCOPE, Access, Rule, rule_of
from pegcount.server.call_clock import CallClock, Phase
from pegcount.server.client_certificates import client_certificate
from pegcount.server.connection_guard import ConnectionGuard
from pegcount.server.connections import Connection, Connections, turn_of
from pegcount.server.credential_limits import AdmittedCall, CredentialLimiter
from pegcount.server.unread_answers import UnreadAnswers
from pegcount.server.unread_calls import Context, UnreadCalls
from pegcount.suggestion import nearest, suggestion

_ABANDONED_SECONDS_MAX = 1.0
"""Age in seconds from which the end of a call does not count as abandoned."""
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

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Call:
    """One call in progress."""

    def __init__(
        self,
        context: Context,
        connection: Connection,
        caller: Caller | None,
        unread_answers: UnreadAnswers,
        request_id: str,
        authenticate: Callable[[], Caller | None],
        *,
        is_stream: bool,
    ) -> None:
        self.connection = connection
        self.caller = caller
        """Who calls; None if the method is open, or the server runs without authentication."""
        self.turn = turn_of(connection, caller)
        """Whose turn the call takes where calls wait."""
        self.admitted: AdmittedCall | None = None
        """Its part in the limits of its credential, once that was let in."""
        self.request_id = request_id
        """Names the call in its trailing metadata and in the log."""
        self.clock = CallClock()
        """Measures the phases of the call."""
        self.is_stream = is_stream
        self.is_unread = not is_stream
        """Whether the one message of the call has yet to come."""
        self.is_stoppable = False
        """Whether the end of the call stops its work before it changes anything."""
        self._unread_answers = unread_answers
        self._unread_bytes = 0
        self.error: PegcountError | None = None
        """Why the server ends the call; None while it does not."""
        self._context = context
        self._authenticate = authenticate
        self._task = asyncio.current_task()
        self._begin_s = asyncio.get_running_loop().time()
        self._is_answered = False
        self._on_end: Callable[[], None] | None = None

    def authenticate(self) -> None:
        """Sets `caller`; raises the errors of `Access.caller`. May be called on any thread.

        Work that waited calls it again right before it begins: its credential may have ended meanwhile, and
        nothing may begin for a credential once the call that revoked it was answered.
        """
        self.caller = self._authenticate()

    def time_remaining(self) -> float | None:
        """Returns the seconds until the client's deadline; None without a deadline."""
        return self._context.time_remaining()

    async def read(self) -> bytes | None:
        """Returns the next message of a stream; None after the last one."""
        message = await self._context.read()
        if not isinstance(message, bytes):
            return None
        self.connection.message_bytes += len(message)
        return message

    async def write(self, message: bytes) -> None:
        """Sends a message of a stream; waits while the client reads none."""
        self.hold_answer(message)
        try:
            await self._context.write(message)
        finally:
            self.release_answer()
        self._is_answered = True

    def hold_answer(self, answer: bytes) -> None:
        """Counts an answer as unread, until `release_answer`."""
        if answer:
            self._unread_bytes = len(answer)
            self._unread_answers.add(self.connection, self.turn, self._unread_bytes)

    def release_answer(self) -> None:
        """Notes that gRPC no longer holds the answer."""
        if self._unread_bytes:
            self._unread_answers.remove(self.connection, self.turn, self._unread_bytes)
            self._unread_bytes = 0

    def on_end(self, callback: Callable[[], None]) -> None:
        """Makes `end` call a function, which ends the call in its own time, instead of cancelling it."""
        self._on_end = callback

    def end(self, error: PegcountError) -> None:
        """Ends the call with the status of an error; only the first call has an effect."""
        if self.error is None:
            self.error = error
            (self._on_end or self._cancel)()

    def abort(self, error: PegcountError) -> None:
        """Ends the call at once, whatever it still does."""
        self.error = self.error or error
        self._cancel()

    def is_abandoned(self) -> bool:
        """Whether the client cancelled the call at once, without an answer, and not for its deadline."""
        if self._is_answered:
            return False
        age_s = asyncio.get_running_loop().time() - self._begin_s
        remaining_s = self.time_remaining()
        return age_s < _ABANDONED_SECONDS_MAX and (remaining_s is None or remaining_s > age_s)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


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


def _ignore_denial(caller: Caller, request_id: str) -> None:
    """Denied calls of most methods change nothing, and are not noted."""


def never_refused(_: Connection, __: Caller | None) -> None:
    """Refuses no call before its message is read."""


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
    ) -> None:
        self._access = access
        self._limiter = limiter
        self._connections = connections
        self._request_id_length_max = request_id_length_max
        self._unread_answers = unread_answers
        self._guard = guard
        self._unread = unread
        self._handlers: dict[str, Handler] = {}
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
        rule = rule_of(method)

        async def answer_counted(message: bytes, call: Call) -> bytes:
            answer = await behavior(message, call)
            call.hold_answer(answer)
            return answer

        read_and_answer = self._after_reading(answer_counted)

        async def handle(_: object, context: Context) -> bytes:
            answer: bytes = await self._handle(
                context, rule, read_and_answer, refusal, denial, is_stream=False
            )
            return answer

        self._handlers[f"/{method}"] = grpc.stream_unary_rpc_method_handler(handle)

    def add_response_stream(self, method: str, behavior: ResponseStreamBehavior) -> None:
        """Adds a method with one request and a stream of responses."""
        rule = rule_of(method)

        async def handle(_: object, context: Context) -> None:
            await self._handle(context, rule, self._after_reading(behavior), is_stream=True)

        self._handlers[f"/{method}"] = grpc.stream_stream_rpc_method_handler(handle)

    def add_stream(self, method: str, behavior: StreamBehavior, refusal: Refusal = never_refused) -> None:
        """Adds a method with a stream of requests and one of responses."""
        rule = rule_of(method)

        async def answer(_: Context, call: Call) -> None:
            await behavior(call)

        async def handle(_: object, context: Context) -> None:
            await self._handle(context, rule, answer, refusal, is_stream=True)

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
        await self._wait_for_calls(grace_seconds)
        for call in self._calls:
            call.abort(_stopping_error())
        await self._wait_for_calls(_LAST_STATUS_SECONDS)

    async def _handle(
        self,
        context: Context,
        rule: Rule,
        behavior: Callable[[Context, Call], Awaitable[Any]],
        refusal: Refusal = never_refused,
        denial: Denial = _ignore_denial,
        *,
        is_stream: bool,
    ) -> Any:
        authenticate = self._authentication(rule, context)
        caller = await self._refuse_early(context, rule, authenticate, refusal)
        call = self._begin(context, authenticate, caller, is_stream=is_stream)
        try:
            self._require_let_in(call)
            await self._wait(call)
            answer = await behavior(context, call)
            self._note_answered(call, rule)
            context.set_trailing_metadata(call_metadata.trailing(call.request_id, call.clock, call.caller))
            return answer
        except asyncio.CancelledError:
            if call.error is None:
                if call.is_abandoned():
                    self._guard.note_abandoned_call(call.connection)
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
            error: BaseException = call.error
        except grpc.aio.InternalError:
            # gRPC could not send, as the client has left.
            raise asyncio.CancelledError from None
        except _COUNTED_AS_ABANDONED as caught:
            self._note_as_abandoned(context, call, caught, denial)
            error = caught
        except _CAUGHT as caught:
            error = caught
        try:
            return await status.abort(context, error, call.request_id, call.clock, call.caller)
        finally:
            # The traceback of the error has this frame: a cycle, which would keep all its frames in memory.
            del error

    async def _refuse_early(
        self, context: Context, rule: Rule, authenticate: Callable[[], Caller | None], refusal: Refusal
    ) -> Caller | None:
        """Ends a call that must be refused before it begins; returns who calls, None if nobody is known.

        Under overload most calls are refused, so a refusal must cost less than the begin of a call.
        """
        try:
            caller = authenticate()
        except PegcountError:
            # Whoever is not let in is refused for that: the load of the server is not for everybody to see.
            return None
        if self._is_stopping:
            return caller
        connection = self._connections.of_peer(context.peer())
        error: PegcountError | None = None
        if caller is not None:
            connection.note_caller(caller)
            error = self._limiter.refusal(caller, is_report=rule.scope is Scope.READ_REPORTS)
        error = error or refusal(connection, caller)
        if error is None:
            return caller
        if caller is not None and isinstance(error, CredentialLimitReachedError):
            self._guard.pause(connection, self._limiter.note_refused(caller, error))
        self._connections.note_refused(connection)
        return await status.abort(context, error, self._request_id(context), CallClock(), caller)

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

    def _after_reading(
        self, behavior: Callable[[bytes, Call], Awaitable[Any]]
    ) -> Callable[[Context, Call], Awaitable[Any]]:
        async def read_and_answer(context: Context, call: Call) -> Any:
            call.clock.enter(Phase.READ)
            message = await self._unread.read(context)
            call.is_unread = False
            call.clock.enter(None)
            call.connection.message_bytes += len(message)
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
        *,
        is_stream: bool,
    ) -> Call:
        """Notes the begin of a call, and its end once gRPC has sent the response."""
        connection = self._connections.enter(context.peer())
        request_id = self._request_id(context)
        call = Call(
            context, connection, caller, self._unread_answers, request_id, authenticate, is_stream=is_stream
        )
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

    def _request_id(self, context: Context) -> str:
        return call_metadata.request_id(context.invocation_metadata(), self._request_id_length_max)

    def _unknown(self, method: str) -> Handler:
        async def refuse(_: Context, __: Call) -> None:
            name = method.removeprefix("/")
            raise UnknownMethodError(
                f"there is no method {quoted(name)}{self._hint(name)}", method=shortened(name)
            )

        async def handle(_: object, context: Context) -> None:
            await self._handle(context, ANY_SCOPE, refuse, is_stream=False)

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
