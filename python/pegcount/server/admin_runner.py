"""Runs the methods of `AdminService` on threads of their own, so that they wait for no report, and notes the
calls that change something in the audit log."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from pegcount import core, request
from pegcount.config import LiveConfig
from pegcount.server.admin import AdminService
from pegcount.server.admission import AdmissionGate
from pegcount.server.audit import AuditLog, author_of
from pegcount.server.audited_requests import AdminRequest
from pegcount.server.call import Call
from pegcount.server.call_clock import Phase
from pegcount.server.calls import UnaryBehavior
from pegcount.server.deadline import QueryDeadline

_CODE_DECK: Final = "PutCodeDeck"
"""The method whose request the core decodes, without the GIL."""
_CHANGES_CREDENTIALS: Final = frozenset({"CreateCredential", "RotateCredential", "RevokeCredential"})
"""Methods that check their caller once more when no other change of credentials is under way."""
_CANCELLABLE: Final = frozenset({"DeleteRecords", "LiftDeletion", "EraseParties", "LiftErasure"})
"""Methods that take the token of their call: they stop once it has ended. They have changed nothing then, or
say what goes on."""


class AdminRunner:
    """Limits the admin calls that run and wait."""

    def __init__(self, live: LiveConfig, service: AdminService, audit: AuditLog) -> None:
        self._audit = audit
        self._service = service
        config = live.now
        self._live = live
        self._config = config
        self._threads = ThreadPoolExecutor(config.admin_call_count_max, thread_name_prefix="admin")
        running_max, waiting_max = config.admin_call_count_max, config.waiting_admin_call_count_max
        self._gate = AdmissionGate(
            "admin calls",
            running_max,
            waiting_max,
            live.overload_retry_seconds,
            # A deletion may take minutes, in which others must get a thread.
            running_per_caller_max=max(1, running_max - 1),
        )

    def behavior(self, method: MethodDescriptor) -> UnaryBehavior:
        """Returns the behavior of a method."""
        message_class = GetMessageClass(method.input_type)
        answer = getattr(self._service, method.name)

        def read(data: bytes) -> AdminRequest:
            if method.name == _CODE_DECK:
                return self._service.decoded_code_deck(data)
            message: Message = request.parse(message_class, data, self._bytes_max(method.name))
            return message

        async def run(data: bytes, call: Call) -> bytes:
            call.clock.enter(Phase.QUEUE)
            await self._gate.enter(call.turn)
            call.is_stoppable = method.name in _CANCELLABLE
            # The deadline may have passed while the call waited; a change that it asks for must not follow.
            limit = QueryDeadline(call.time_remaining(), self._live.now)
            token = core.CancelToken(call.time_remaining())
            more: list[object] = [token] if method.name in _CANCELLABLE else []
            if method.name in _CHANGES_CREDENTIALS:
                more = [call.authenticate]

            def work() -> bytes:
                call.clock.enter(Phase.STORE)
                limit.check()
                call.authenticate()
                author = author_of(call.caller, call.request_id)
                answered: Message = self._audit.carry_out(
                    method.name, author, lambda: read(data), lambda message: answer(message, *more)
                )
                return answered.SerializeToString()

            try:
                return await self._gate.run(call.turn, self._threads, work)
            finally:
                token.cancel()

        return run

    def _bytes_max(self, method: str) -> int:
        is_long = method in ("DeleteRecords", "EraseParties")
        return self._config.deletion_request_bytes_max if is_long else self._config.admin_request_bytes_max

    def close(self) -> None:
        """Ends the threads when they are idle."""
        self._threads.shutdown(wait=False)
