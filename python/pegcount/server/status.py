"""Converts errors to gRPC statuses; only this module creates a status."""

import logging
import uuid
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NoReturn

import grpc
from google.protobuf import duration_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from pegcount import errors
from pegcount.auth import Caller
from pegcount.server import call_metadata
from pegcount.server.call_clock import CallClock
from pegcount.server.observed_call import ObservedCall

_DOMAIN = "pegcount"
_PUSHBACK = "grpc-retry-pushback-ms"
"""Trailer of gRPC: the milliseconds after which the retry policy of the client sends the call again
(https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback)."""
_MS_PER_S = 1_000
_LOG = logging.getLogger(__name__)

CODE_OF_ERROR: dict[type[errors.PegcountError], int] = {
    errors.InvalidRequestError: code_pb2.INVALID_ARGUMENT,
    errors.CellLimitError: code_pb2.INVALID_ARGUMENT,
    errors.SubtotalLimitError: code_pb2.INVALID_ARGUMENT,
    errors.MalformedMessageError: code_pb2.INVALID_ARGUMENT,
    errors.RequestTooLargeError: code_pb2.INVALID_ARGUMENT,
    errors.MissingMessageError: code_pb2.INVALID_ARGUMENT,
    errors.BatchLimitError: code_pb2.INVALID_ARGUMENT,
    errors.BatchIdTooLongError: code_pb2.INVALID_ARGUMENT,
    errors.NotFoundError: code_pb2.NOT_FOUND,
    errors.CodeDeckNotFoundError: code_pb2.NOT_FOUND,
    errors.DeletionLimitError: code_pb2.INVALID_ARGUMENT,
    errors.ErasureLimitError: code_pb2.INVALID_ARGUMENT,
    errors.CredentialNotFoundError: code_pb2.NOT_FOUND,
    errors.CredentialLimitError: code_pb2.INVALID_ARGUMENT,
    errors.CredentialRefusedError: code_pb2.UNAUTHENTICATED,
    errors.CredentialUnexpectedError: code_pb2.UNAUTHENTICATED,
    errors.AccessDeniedError: code_pb2.PERMISSION_DENIED,
    errors.OutsideScopeError: code_pb2.PERMISSION_DENIED,
    errors.RotationInProgressError: code_pb2.FAILED_PRECONDITION,
    errors.FirstCredentialIsLocalError: code_pb2.FAILED_PRECONDITION,
    errors.LastRootCredentialError: code_pb2.FAILED_PRECONDITION,
    errors.DeadlineError: code_pb2.DEADLINE_EXCEEDED,
    errors.QueryTimeLimitError: code_pb2.DEADLINE_EXCEEDED,
    errors.RequestReadError: code_pb2.DEADLINE_EXCEEDED,
    errors.CancelledError: code_pb2.CANCELLED,
    errors.AnswerTooLargeError: code_pb2.RESOURCE_EXHAUSTED,
    errors.MemoryLimitError: code_pb2.RESOURCE_EXHAUSTED,
    errors.OverloadedError: code_pb2.RESOURCE_EXHAUSTED,
    errors.CredentialLimitReachedError: code_pb2.RESOURCE_EXHAUSTED,
    errors.SourceOfRecordError: code_pb2.INVALID_ARGUMENT,
    errors.SourceRuleLimitError: code_pb2.INVALID_ARGUMENT,
    errors.SourceRuleError: code_pb2.FAILED_PRECONDITION,
    errors.CorrectedSourceLimitError: code_pb2.INVALID_ARGUMENT,
    errors.CorrectionInProgressError: code_pb2.FAILED_PRECONDITION,
    errors.StoreReadOnlyError: code_pb2.FAILED_PRECONDITION,
    errors.StoreUnavailableError: code_pb2.UNAVAILABLE,
    errors.MoveInProgressError: code_pb2.FAILED_PRECONDITION,
    errors.WriteFateUnknownError: code_pb2.UNAVAILABLE,
    errors.ServerStartingError: code_pb2.UNAVAILABLE,
    errors.ServerStoppingError: code_pb2.UNAVAILABLE,
    errors.StreamIdleError: code_pb2.UNAVAILABLE,
    errors.StreamDisplacedError: code_pb2.UNAVAILABLE,
    errors.ConnectionAgeError: code_pb2.UNAVAILABLE,
    errors.DataDamagedError: code_pb2.DATA_LOSS,
    errors.UnknownMethodError: code_pb2.UNIMPLEMENTED,
}

CODE_NUMBERS: dict[str, int] = dict(code_pb2.Code.items())
"""All status codes of gRPC, by their names."""

_SAY_WHEN_TO_RETRY = (
    errors.OverloadedError,
    errors.CredentialLimitReachedError,
    errors.StoreUnavailableError,
    errors.ServerStartingError,
)

# Trailers carry the status twice: the message alone, percent-encoded in up to 3 bytes per byte, and the
# message with the details, base64-encoded in 4 bytes per 3 bytes. By default, clients accept 8 KiB of
# trailers, ids and times of the call included, and replace the status by RESOURCE_EXHAUSTED beyond that.
_TEXT_BYTES_MAX = 700
_MEMORY_RETRY_SECONDS = 1.0
"""Seconds after which other reports have probably ended and given their memory back."""
_DETAILS_BYTES_MAX = 3_200
_REST_BYTES_MAX = 40
"""Bytes of the text that counts the violations which a message has no room for."""

_OVERLOADED_STATUS_COUNT = 64
"""Statuses of refused calls that are made once and sent again."""
_LIMIT_STATUS_COUNT = 2_048
"""The same of calls that a limit of a credential refuses: for each wait, in hundredths of a second."""


async def abort(
    context: "grpc.aio.ServicerContext[Any, Any]",
    error: BaseException,
    request_id: str,
    clock: CallClock,
    caller: Caller | None,
) -> NoReturn:
    """Ends a call with the status of an error, which gRPC takes as an exception, and with its metadata."""
    if isinstance(error, errors.OverloadedError):
        ended = _overloaded(str(error), error.retry_seconds)
    elif isinstance(error, errors.CredentialLimitReachedError):
        ended = _limit_reached(error.limit, error.allowed, error.retry_seconds)
    else:
        ended = rpc_status.to_status(status_of(error, request_id))
    metadata = (
        *ended.trailing_metadata,
        *call_metadata.trailing(request_id, clock, caller),
        *_pushback(error),
    )
    await context.abort(ended.code, ended.details, metadata)
    raise AssertionError("abort raises")


def _pushback(error: BaseException) -> call_metadata.Metadata:
    """Returns the trailer that tells the retry policy of a client when to call a starting server again.

    Without it, a client would use up its few attempts within the time that a large store needs to open.
    """
    if not isinstance(error, errors.ServerStartingError):
        return ()
    return ((_PUSHBACK, str(round(error.retry_seconds * _MS_PER_S))),)


def status_of(error: BaseException, request_id: str) -> status_pb2.Status:
    """Returns the status of an exception; logs an exception outside the table and returns INTERNAL."""
    code = CODE_OF_ERROR.get(type(error)) if isinstance(error, errors.PegcountError) else None
    if code is None or not isinstance(error, errors.PegcountError):
        return _internal(error, request_id)
    details = [_packed(message) for message in _details(error)]
    return status_pb2.Status(code=code, message=_message(error), details=details)


def code_of_call(call: ObservedCall) -> str:
    """Returns the name of the status code with which a call has ended."""
    if call.error is not None:
        return _code_name(call.error)
    return "CANCELLED" if call.is_cancelled else "OK"


def outcome_of(error: BaseException) -> str:
    """Returns the reason of an error, or its status code if there is none."""
    code = CODE_OF_ERROR.get(type(error)) if isinstance(error, errors.PegcountError) else None
    if code is None or not isinstance(error, errors.PegcountError):
        return errors.PegcountError.reason
    return code_pb2.Code.Name(code) if error.reason == errors.PegcountError.reason else error.reason


def _code_name(error: BaseException) -> str:
    """Returns the name of the status code of an error, such as `NOT_FOUND`."""
    code = CODE_OF_ERROR.get(type(error)) if isinstance(error, errors.PegcountError) else None
    return str(code_pb2.Code.Name(code_pb2.INTERNAL if code is None else code))


def _message(error: errors.PegcountError) -> str:
    """Returns the text of an error; of violations the first ones that fit, and how many more there are."""
    text = str(error)
    if not isinstance(error, errors.InvalidRequestError) or len(text.encode()) <= _TEXT_BYTES_MAX:
        return _truncated(text)
    bytes_max = _TEXT_BYTES_MAX - _REST_BYTES_MAX
    shown = [_truncated(error.texts[0], bytes_max)]
    for text in error.texts[1:]:
        if len("; ".join([*shown, text]).encode()) <= bytes_max:
            shown.append(text)
    return errors.violations_text(shown, len(error.texts) + error.omitted_count - len(shown))


@lru_cache(_OVERLOADED_STATUS_COUNT)
def _overloaded(text: str, retry_seconds: float) -> Any:
    """Under overload most calls get one of few statuses, and to make one costs more than to send it.

    Such a status serves many calls, and has none of their request ids: only the log of a fault names one.
    """
    return rpc_status.to_status(status_of(errors.OverloadedError(text, retry_seconds), ""))


@lru_cache(_LIMIT_STATUS_COUNT)
def _limit_reached(limit: str, allowed: int, retry_seconds: float) -> Any:
    """As `_overloaded`."""
    error = errors.CredentialLimitReachedError(limit, allowed, retry_seconds)
    return rpc_status.to_status(status_of(error, ""))


def _details(error: errors.PegcountError) -> Iterator[Message]:
    metadata = {name: _truncated(text) for name, text in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=_DOMAIN, metadata=metadata)
    if isinstance(error, errors.InvalidRequestError):
        yield _bad_request(error, _DETAILS_BYTES_MAX - info.ByteSize())
    if isinstance(error, errors.NotFoundError):
        name = list(error.metadata.values())[-1]
        yield error_details_pb2.ResourceInfo(
            resource_type=error.resource_type,
            resource_name=_truncated(name),
            description=_truncated(str(error)),
        )
    if isinstance(error, _SAY_WHEN_TO_RETRY):
        yield _retry_info(error.retry_seconds)
    if isinstance(error, errors.MemoryLimitError) and error.is_temporary:
        yield _retry_info(_MEMORY_RETRY_SECONDS)
    if not isinstance(error, errors.CancelledError):
        yield info


def _retry_info(seconds: float) -> error_details_pb2.RetryInfo:
    delay = duration_pb2.Duration()
    delay.FromNanoseconds(round(seconds * 1e9))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def _bad_request(error: errors.InvalidRequestError, bytes_max: int) -> error_details_pb2.BadRequest:
    """Returns the violations that fit in `bytes_max`, and a last entry that counts the omitted ones."""
    bad_request = error_details_pb2.BadRequest()
    count = len(error.violations) + error.omitted_count
    for i, violation in enumerate(error.violations):
        field_violation = error_details_pb2.BadRequest.FieldViolation(
            field=violation.field,
            description=_truncated(violation.description),
            reason=violation.reason,
        )
        if bad_request.ByteSize() + field_violation.ByteSize() > bytes_max:
            field_violation.description = f"{count - i} violations from here on have no room in one status"
            bad_request.field_violations.append(field_violation)
            return bad_request
        bad_request.field_violations.append(field_violation)
    if error.omitted_count:
        last = error.violations[-1]
        description = errors.violations_text([], error.omitted_count)
        bad_request.field_violations.add(field=last.field, description=description, reason=last.reason)
    return bad_request


def _truncated(text: str, bytes_max: int = _TEXT_BYTES_MAX) -> str:
    encoded = text.encode()
    if len(encoded) <= bytes_max:
        return text
    return encoded[: bytes_max - 3].decode(errors="ignore") + "..."


def _internal(error: BaseException, request_id: str) -> status_pb2.Status:
    correlation_id = uuid.uuid4().hex
    _LOG.error(
        *("correlation id %s, request id %s", correlation_id, request_id),
        exc_info=error,
        extra={"fields": {"correlation_id": correlation_id, "request_id": request_id}},
    )
    message = (
        "the server failed by a fault of its own; tell its operator the correlation id"
        f" {correlation_id}, by which its log has the cause"
    )
    info = error_details_pb2.ErrorInfo(
        reason=errors.PegcountError.reason, domain=_DOMAIN, metadata={"correlation_id": correlation_id}
    )
    return status_pb2.Status(code=code_pb2.INTERNAL, message=message, details=[_packed(info)])


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
