"""The status and details of a failed call, as a caller reads them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

Detail = TypeVar("Detail", bound=Message)


@dataclass(frozen=True)
class Refusal:
    """A gRPC status; a detail message that it lacks is empty."""

    code: grpc.StatusCode
    message: str
    violations: list[tuple[str, str, str]]
    """(field, reason, description) of each violation."""
    info: error_details_pb2.ErrorInfo
    resource: error_details_pb2.ResourceInfo
    detail_names: list[str]

    @property
    def metadata(self) -> dict[str, str]:
        return dict(self.info.metadata)


def refusal(call: Callable[[], object]) -> Refusal:
    """Returns the decoded status with which `call` fails; the test fails if `call` succeeds."""
    return of_status(status_of(call))


def status_of(call: Callable[[], object]) -> status_pb2.Status:
    """Returns the status with which `call` fails; the test fails if `call` succeeds.

    A status of the server must come with the id of the request.
    """
    with pytest.raises(grpc.RpcError) as raised:
        call()
    error = raised.value
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error)
    assert status is None or "x-request-id" in {name for name, _ in error.trailing_metadata()}
    return status or status_pb2.Status(code=error.code().value[0], message=error.details())


def of_status(status: status_pb2.Status) -> Refusal:
    """Decodes a `google.rpc.Status`."""
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    bad_request = _detail(status, error_details_pb2.BadRequest)
    return Refusal(
        code=code,
        message=status.message,
        violations=[(v.field, v.reason, v.description) for v in bad_request.field_violations],
        info=_detail(status, error_details_pb2.ErrorInfo),
        resource=_detail(status, error_details_pb2.ResourceInfo),
        detail_names=[packed.TypeName().removeprefix("google.rpc.") for packed in status.details],
    )


def _detail(status: status_pb2.Status, kind: type[Detail]) -> Detail:
    detail = kind()
    for packed in status.details:
        packed.Unpack(detail)
    return detail
