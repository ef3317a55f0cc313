"""The proto files that reflection serves, and the names that they declare.

The descriptors of the Python runtime lack comments, so the files of the contract come from the generated
descriptor set. The runtime lacks the file of reflection v1, which has the messages of v1alpha. Clients look
up the messages in the details of an error, too.
"""

from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2


def served_files() -> list[FileDescriptorProto]:
    """Returns the files, each after those that it imports."""
    descriptor_set = files("pegcount.server").joinpath("contract.binpb").read_bytes()
    contract = FileDescriptorSet.FromString(descriptor_set).file
    known = {file.name: file for file in contract}
    for module in (error_details_pb2, status_pb2, health_pb2, reflection_pb2):
        _add_with_imports(module.DESCRIPTOR, known)
    for file in known.values():
        # What the files are called in other languages.
        file.name = file.name.replace("grpc_", "grpc/")
    return [*known.values(), _reflection_v1()]


def names(file: FileDescriptorProto) -> Iterator[str]:
    """Yields the full names of what a file declares, from services to the fields of nested messages."""
    for service in file.service:
        full_name = f"{file.package}.{service.name}"
        yield full_name
        yield from (f"{full_name}.{method.name}" for method in service.method)
    yield from _message_names(file.package, file.message_type)
    yield from _enum_names(file.package, file.enum_type)


def _message_names(scope: str, messages: Iterable[DescriptorProto]) -> Iterator[str]:
    for message in messages:
        full_name = f"{scope}.{message.name}"
        yield full_name
        yield from (f"{full_name}.{field.name}" for field in message.field)
        yield from (f"{full_name}.{oneof.name}" for oneof in message.oneof_decl)
        yield from _message_names(full_name, message.nested_type)
        yield from _enum_names(full_name, message.enum_type)


def _enum_names(scope: str, enums: Iterable[EnumDescriptorProto]) -> Iterator[str]:
    """The names of values are in the scope of their enum's name, as in C++."""
    for enum in enums:
        yield f"{scope}.{enum.name}"
        yield from (f"{scope}.{value.name}" for value in enum.value)


def _add_with_imports(file: Any, known: dict[str, FileDescriptorProto]) -> None:
    """Adds the file of a descriptor by its name, after the files that it imports."""
    if file.name not in known:
        for imported in file.dependencies:
            _add_with_imports(imported, known)
        known[file.name] = FileDescriptorProto.FromString(file.serialized_pb)


def _reflection_v1() -> FileDescriptorProto:
    """Returns the file of reflection v1, which differs from v1alpha in its names, and is not deprecated."""
    alpha = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    text = text_format.MessageToString(alpha).replace("v1alpha", "v1")
    file = text_format.Parse(text, FileDescriptorProto())
    file.name = "grpc/reflection/v1/reflection.proto"
    file.options.ClearField("deprecated")
    return file
