"""Targets that call the methods of a server: any message, any caller, any metadata.

An input begins with a byte that chooses the method and one that chooses the caller. The message follows; of
methods that read several, each message after two bytes with its length.
"""

import zlib
from collections.abc import Callable, Sequence

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2, traffic_pb2

from fuzz.served import Metadata, Served, methods_of

HEADER_BYTES = 2
_LENGTH_BYTES = 2
_MESSAGE_COUNT_MAX = 8
_METADATA_NAMES = ("authorization", "x-api-key", "x-request-id", "grpc-accept-encoding", "user-agent")
_REPORT = "pegcount.v1.ReportService/QueryActiveSessions"
_REPORT_MESSAGE = reports_pb2.QueryActiveSessionsRequest(return_fields=["quantity"]).SerializeToString()
_REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
GROUPS = {
    "rpc-reports": methods_of("pegcount.v1.ReportService", "pegcount.v1.TrafficService"),
    "rpc-records": methods_of("pegcount.v1.RecordService"),
    "rpc-admin": methods_of("pegcount.v1.AdminService"),
    "rpc-open": methods_of("grpc.health.v1.Health", *_REFLECTION),
}
"""Methods by the target that calls them."""


def number_of(method: str) -> int:
    """Returns the byte that chooses a method; further methods leave it as it is."""
    return zlib.crc32(method.encode()) & 0xFF


def chosen(methods: Sequence[str], number: int) -> str:
    """Returns the method that a byte chooses; every byte chooses one."""
    by_number = {number_of(method): method for method in methods}
    return by_number.get(number) or methods[number % len(methods)]


def message_class(method: str) -> type[Message]:
    """Returns the class of the requests of a method."""
    service, _, name = method.rpartition("/")
    if service.startswith("grpc.health"):
        found: type[Message] = (
            health_pb2.HealthListRequest if name == "List" else health_pb2.HealthCheckRequest
        )
        return found
    if service in _REFLECTION:
        reflected: type[Message] = reflection_pb2.ServerReflectionRequest
        return reflected
    for module in (reports_pb2, traffic_pb2, records_pb2, admin_pb2):
        declared = module.DESCRIPTOR.services_by_name.get(service.rpartition(".")[2])
        if declared is not None:
            return GetMessageClass(declared.methods_by_name[name].input_type)
    raise ValueError(f"{method} has no message")


def has_many(method: str) -> bool:
    """Whether a call of the method reads several messages."""
    return method.endswith(("/WriteRecords", "/ServerReflectionInfo"))


def split(data: bytes) -> list[bytes]:
    """Returns the messages that have their lengths before them; the last one may be cut."""
    messages = list[bytes]()
    while data and len(messages) < _MESSAGE_COUNT_MAX:
        end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
        messages.append(data[_LENGTH_BYTES:end])
        data = data[end:]
    return messages


def joined(messages: Sequence[bytes]) -> bytes:
    """Returns messages with their lengths before them."""
    return b"".join(len(message).to_bytes(_LENGTH_BYTES, "big") + message for message in messages)


def encoded(method: str, caller: int, *messages: Message) -> bytes:
    """Returns the input that makes a call."""
    parts = [message.SerializeToString() for message in messages]
    return bytes([number_of(method), caller]) + (joined(parts) if has_many(method) else parts[0])


def call_target(methods: Sequence[str]) -> Callable[[], Callable[[bytes], None]]:
    """Returns what starts a server and calls its methods."""

    def start() -> Callable[[bytes], None]:
        served = Served()

        def check(data: bytes) -> None:
            header, rest = data[:HEADER_BYTES].ljust(HEADER_BYTES, b"\0"), data[HEADER_BYTES:]
            method = chosen(methods, header[0])
            served.call(method, split(rest) if has_many(method) else [rest], served.sent_by(header[1]))

        return check

    return start


def metadata_target() -> Callable[[bytes], None]:
    """Calls a report with any metadata: lines, each with a byte that chooses the name and the value."""
    served = Served()

    def check(data: bytes) -> None:
        lines = [line for line in data.split(b"\n") if line][:_MESSAGE_COUNT_MAX]
        metadata: Metadata = tuple(
            (_METADATA_NAMES[line[0] % len(_METADATA_NAMES)], _printable(line[1:])) for line in lines
        )
        ended = served.call(_REPORT, [_REPORT_MESSAGE], metadata)
        assert ended.code in ("UNAUTHENTICATED", "PERMISSION_DENIED"), ended

    return check


def _printable(value: bytes) -> str:
    # Clients send no other characters.
    return "".join(chr(0x20 + byte % 0x5F) for byte in value)
