"""Server reflection, v1 and v1alpha, with the comments of the proto files.

The descriptors of the Python runtime lack comments, so the answers take the proto files of
the service from the generated descriptor set.
"""

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_reflection.v1alpha import reflection, reflection_pb2

# Reflection finds imported files only, and no other proto file imports this one.
from pegcount.v1 import error_reason_pb2  # noqa: F401

REFLECTION_NAMES = (reflection.SERVICE_NAME, "grpc.reflection.v1.ServerReflection")
"""Full names of both versions of the reflection service."""


class CommentedReflection(reflection.ReflectionServicer):  # type: ignore[misc]
    """Answers reflection requests; the same messages serve v1 and v1alpha."""

    def __init__(self, service_names: Iterable[str]) -> None:
        super().__init__(service_names)
        descriptor_set = files("pegcount.v1").joinpath("descriptors.binpb").read_bytes()
        commented = FileDescriptorSet.FromString(descriptor_set).file
        self._commented = {file.name: file.SerializeToString() for file in commented}
        self._service_of_method = {
            f"{file.package}.{service.name}.{method.name}": f"{file.package}.{service.name}"
            for file in commented
            for service in file.service
            for method in service.method
        }

    def ServerReflectionInfo(
        self,
        request_iterator: Iterator[reflection_pb2.ServerReflectionRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[reflection_pb2.ServerReflectionResponse]:
        """Answers each request of a stream."""
        for request in request_iterator:
            (response,) = super().ServerReflectionInfo(iter([self._with_known_symbol(request)]), context)
            response.original_request.CopyFrom(request)
            # Assigning files to an answer of another kind would turn it into an answer with files.
            if response.HasField("file_descriptor_response"):
                plain = response.file_descriptor_response.file_descriptor_proto
                plain[:] = [self._with_comments(file) for file in plain]
            yield response

    def _with_known_symbol(
        self, request: reflection_pb2.ServerReflectionRequest
    ) -> reflection_pb2.ServerReflectionRequest:
        """Replaces the name of a method by that of its service: Python's descriptor pool finds no methods."""
        service = self._service_of_method.get(request.file_containing_symbol)
        if service is None:
            return request
        return reflection_pb2.ServerReflectionRequest(file_containing_symbol=service)

    def _with_comments(self, file: bytes) -> bytes:
        return self._commented.get(FileDescriptorProto.FromString(file).name, file)


def add_reflection(server: grpc.Server, service_names: Sequence[str]) -> None:
    """Adds both versions of the reflection service to the server; they list themselves, too."""
    servicer: Any = CommentedReflection((*service_names, *REFLECTION_NAMES))
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    handlers = [
        grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler})
        for name in REFLECTION_NAMES
    ]
    server.add_generic_rpc_handlers(tuple(handlers))
