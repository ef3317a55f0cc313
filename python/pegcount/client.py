"""A client of the service: one channel, the stubs, and errors as sentences."""

from types import TracebackType

import grpc

from pegcount.errors import PegcountError
from pegcount.v1 import admin_pb2_grpc, reports_pb2_grpc

DEFAULT_ADDRESS = "127.0.0.1:50051"

# A year of five-minute bins is more than the 4 MiB that gRPC takes by itself.
_ANSWER_BYTES_MAX = 64 * 1024 * 1024


class CallError(PegcountError):
    """A call to the server failed; the message is for a person."""


class Client:
    """Calls one server; leaving its block closes the channel and turns failures into CallError."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._channel = grpc.insecure_channel(
            address, [("grpc.max_receive_message_length", _ANSWER_BYTES_MAX)]
        )
        self.reports = reports_pb2_grpc.ReportServiceStub(self._channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(self._channel)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
        if isinstance(error, grpc.RpcError) and isinstance(error, grpc.Call):
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise CallError(
                    f"no server answers at {self._address}; `pegcount serve` starts one"
                ) from error
            raise CallError(f"{error.code().name}: {error.details()}") from error
