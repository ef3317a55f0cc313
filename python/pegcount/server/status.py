"""From exceptions to gRPC statuses: the only place that makes one."""

import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from pegcount import errors

_DOMAIN = "pegcount"
_LOG = logging.getLogger(__name__)

_CODES: dict[type[errors.PegcountError], int] = {
    errors.InvalidRequestError: code_pb2.INVALID_ARGUMENT,
    errors.CellLimitError: code_pb2.INVALID_ARGUMENT,
    errors.MalformedBatchError: code_pb2.INVALID_ARGUMENT,
    errors.NotFoundError: code_pb2.NOT_FOUND,
    errors.DeadlineError: code_pb2.DEADLINE_EXCEEDED,
    errors.QueryTimeLimitError: code_pb2.DEADLINE_EXCEEDED,
    errors.CancelledError: code_pb2.CANCELLED,
    errors.AnswerTooLargeError: code_pb2.RESOURCE_EXHAUSTED,
    errors.DataDamagedError: code_pb2.DATA_LOSS,
    errors.NotImplementedYetError: code_pb2.UNIMPLEMENTED,
}

Handler = Callable[[Any, grpc.ServicerContext], Any]


class StatusInterceptor(grpc.ServerInterceptor):
    """Turns what a method raises into a status with details; nothing else leaves the server."""

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], details: grpc.HandlerCallDetails
    ) -> Any:
        """Wraps the handler of one call."""
        handler = continuation(details)
        if handler is None:
            return None
        if handler.response_streaming:
            behavior = _streaming(handler.stream_stream or handler.unary_stream)
            wrap = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
        else:
            behavior = _unary(handler.unary_unary)
            wrap = grpc.unary_unary_rpc_method_handler
        return wrap(behavior, handler.request_deserializer, handler.response_serializer)


def status_of(error: Exception) -> status_pb2.Status:
    """The status of an exception; one that is no PegcountError is INTERNAL and gets logged."""
    code = _CODES.get(type(error)) if isinstance(error, errors.PegcountError) else None
    if code is None or not isinstance(error, errors.PegcountError):
        return _internal(error)
    return status_pb2.Status(code=code, message=str(error), details=[_packed(m) for m in _details(error)])


def _unary(behavior: Handler) -> Handler:
    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return behavior(request, context)
        except Exception as error:
            _abort(error, context)

    return call


def _streaming(behavior: Handler) -> Handler:
    def call(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            yield from behavior(request, context)
        except Exception as error:
            _abort(error, context)

    return call


def _abort(error: Exception, context: grpc.ServicerContext) -> NoReturn:
    context.abort_with_status(rpc_status.to_status(status_of(error)))
    raise AssertionError("abort_with_status raises")


def _details(error: errors.PegcountError) -> Iterator[Message]:
    if isinstance(error, errors.InvalidRequestError):
        yield error_details_pb2.BadRequest(field_violations=[_field_violation(v) for v in error.violations])
    if isinstance(error, errors.NotFoundError):
        name = list(error.metadata.values())[-1]
        yield error_details_pb2.ResourceInfo(
            resource_type=error.resource_type, resource_name=name, description=str(error)
        )
    if error.reason:
        yield error_details_pb2.ErrorInfo(reason=error.reason, domain=_DOMAIN, metadata=error.metadata)


def _field_violation(violation: errors.Violation) -> error_details_pb2.BadRequest.FieldViolation:
    return error_details_pb2.BadRequest.FieldViolation(
        field=violation.field, description=violation.description, reason=violation.reason
    )


def _internal(error: Exception) -> status_pb2.Status:
    correlation_id = uuid.uuid4().hex
    _LOG.error("correlation id %s", correlation_id, exc_info=error)
    message = f"a fault of the server; its log has correlation id {correlation_id}"
    info = error_details_pb2.ErrorInfo(
        reason=errors.PegcountError.reason, domain=_DOMAIN, metadata={"correlation_id": correlation_id}
    )
    return status_pb2.Status(code=code_pb2.INTERNAL, message=message, details=[_packed(info)])


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
