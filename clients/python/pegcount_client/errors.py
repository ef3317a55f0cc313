"""What a call ends with that fails: one exception for both kinds of clients, with a sentence for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

_REQUEST_ID: Final = "x-request-id"
_REFUSED: Final = "Connection refused"
_NO_SERVER: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED)
"""What calls end with that reach no server, or one that knows none of the services."""
_SHOWN_REJECTION_COUNT: Final = 3


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a request, or a record, breaks."""

    field: str
    """Path of the field, such as `filters[0].values`, or `records[7]`: the number of a record from 0."""
    description: str
    """The rule, and what was sent instead."""
    reason: str = ""
    """Name of an ErrorReason or a RejectReason, without its prefix."""


class PegcountError(Exception):
    """A call failed; the text says what failed and what to do next.

    It can be pickled, and raised again in another process.
    """

    code: grpc.StatusCode
    """The status of the call."""
    reason: str
    """Name of an ErrorReason without its prefix, such as `OVERLOADED`; "" if the server gives none."""
    message: str
    """The text, without the name of the status."""
    violations: tuple[Violation, ...]
    """All rules that the request breaks."""
    metadata: Mapping[str, str]
    """Figures and names that belong to the reason, as the ErrorReason documents them."""
    retry_seconds: float | None
    """Seconds after which the server asks to retry; None if it does not."""
    request_id: str
    """Id of the call, which the log of the server has for a fault of its own; "" without an answer."""

    def __init__(
        self,
        text: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        message: str | None = None,
        reason: str = "",
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_seconds: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(text)
        self.code = code
        self.message = text if message is None else message
        self.reason = reason
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_seconds = retry_seconds
        self.request_id = request_id


class RecordsRejectedError(PegcountError):
    """Records of a finished writer were rejected; all others are durable.

    `violations` has the first of them, by their numbers in the order in which they were written.
    """

    rejected_count: int
    """All rejected records, which may be more than `violations` has."""

    def __init__(self, text: str, *, rejected_count: int = 0, **more: Any) -> None:
        super().__init__(text, code=grpc.StatusCode.INVALID_ARGUMENT, **more)
        self.rejected_count = rejected_count

    @classmethod
    def of(
        cls, violations: Sequence[Violation], rejected_count: int, written_count: int
    ) -> "RecordsRejectedError":
        """Returns the error of a writer that was given `written_count` records."""
        text = (
            f"{rejected_count:,} of {written_count:,} records were rejected, all others are durable; correct"
            " and write them again, or take them by on_rejected: "
        )
        shown = rejections_text(violations, rejected_count)
        return cls(text + shown, rejected_count=rejected_count, violations=violations)


def rejections_text(violations: Sequence[Violation], rejected_count: int) -> str:
    """Returns why the first records were rejected, and how many more were."""
    shown = [f"{each.field}: {each.description}" for each in violations[:_SHOWN_REJECTION_COUNT]]
    if rejected_count > len(shown):
        shown.append(f"and {rejected_count - len(shown):,} more")
    return "; ".join(shown)


@dataclass(frozen=True, slots=True)
class _Details:
    """What the server attached to a status."""

    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    retry_seconds: float | None = None


_FailedCall: TypeAlias = Any
"""An error of `grpc` or `grpc.aio`; both have code(), details() and trailing_metadata()."""


def call_error(error: grpc.RpcError, address: str, timeout_seconds: float | None = None) -> PegcountError:
    """Returns what an error of a raw stub says; of `grpc` and `grpc.aio` alike.

    `address` and `timeout_seconds` are those of the call, for the sentence.
    """
    call: _FailedCall = error
    if not callable(getattr(call, "code", None)):
        return PegcountError(f"the call to {address} failed: {error}")
    code: grpc.StatusCode = call.code()
    message: str = call.details() or ""
    status = status_of(error)
    details = _details_of(status)
    if status is not None or (sentence := _sentence(code, message, address, timeout_seconds)) is None:
        text = f"{code.name}: {message}"
    else:
        text = message = sentence
    return PegcountError(
        text,
        code=code,
        message=message,
        reason=details.reason,
        violations=details.violations,
        metadata=details.metadata,
        retry_seconds=details.retry_seconds,
        request_id=_request_id(call),
    )


def status_of(error: grpc.RpcError) -> status_pb2.Status | None:
    """Returns the status that the server itself made; None if gRPC or something in between did."""
    call: _FailedCall = error
    try:
        return rpc_status.from_call(call)
    except (AttributeError, DecodeError, ValueError):
        # Metadata of the same name from a server that is not Pegcount.
        return None


def _sentence(code: grpc.StatusCode, details: str, address: str, timeout_seconds: float | None) -> str | None:
    """Returns why no Pegcount server answers; None if the status says something else."""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        within = "in time" if timeout_seconds is None else f"within {timeout_seconds:g} s"
        return f"no answer from {address} {within}; a longer timeout gives it more time"
    if code is grpc.StatusCode.UNAVAILABLE and _REFUSED in details:
        return f"no server answers at {address}; `pegcount serve` starts one"
    if code in _NO_SERVER:
        return f"no Pegcount server answers at {address}: {details.rpartition('last error: ')[2]}"
    return None


def _details_of(status: status_pb2.Status | None) -> _Details:
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    retry_seconds = None
    for detail in status.details if status is not None else ():
        if detail.Unpack(retry):
            retry_seconds = float(retry.retry_delay.ToNanoseconds() / 1e9)
        elif not detail.Unpack(info):
            detail.Unpack(bad_request)
    violations = tuple(
        Violation(each.field, each.description, each.reason) for each in bad_request.field_violations
    )
    return _Details(info.reason, dict(info.metadata), violations, retry_seconds)


def _request_id(call: _FailedCall) -> str:
    found = (value for name, value in call.trailing_metadata() or () if name == _REQUEST_ID)
    return str(next(found, ""))
