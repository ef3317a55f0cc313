"""Server reflection, v1 and v1alpha, with the comments of the proto files.

The descriptors of the Python runtime lack comments, so the answers take the proto files of
the service from the generated descriptor set.
"""

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_reflection.v1alpha import reflection, reflection_pb2

from pegcount import request
from pegcount.config import Config
from pegcount.server.calls import Call
from pegcount.server.places import PlaceLimits, StreamPlaces

# Reflection finds imported files only, and no other proto file imports this one.
from pegcount.v1 import error_reason_pb2  # noqa: F401

REFLECTION_NAMES = (reflection.SERVICE_NAME, "grpc.reflection.v1.ServerReflection")
"""Full names of both versions of the reflection service."""
_ANSWER_CACHE_SIZE: Final = 64
"""Answers in the cache, at most 60 kB each. To put one together takes up to a millisecond."""


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

    def answer(
        self, request: reflection_pb2.ServerReflectionRequest
    ) -> reflection_pb2.ServerReflectionResponse:
        """Answers one request of a stream."""
        known = self._with_known_symbol(request)
        (response,) = super().ServerReflectionInfo(iter([known]), None)
        response.original_request.CopyFrom(request)
        # Assigning files to an answer of another kind would turn it into an answer with files.
        if response.HasField("file_descriptor_response"):
            plain = response.file_descriptor_response.file_descriptor_proto
            plain[:] = [self._with_comments(file) for file in plain]
        return response

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


class ReflectionService:
    """Streams of reflection requests."""

    def __init__(self, config: Config, service_names: Iterable[str]) -> None:
        """The reflection services list themselves, too."""
        self._request_bytes_max = config.name_request_bytes_max
        self._answers = lru_cache(_ANSWER_CACHE_SIZE)(self._answer)
        self._reflection = CommentedReflection((*service_names, *REFLECTION_NAMES))
        limits = PlaceLimits(
            name="reflection streams",
            count_max=config.reflection_stream_count_max,
            count_per_address_max=config.reflection_stream_count_per_peer_max,
            yield_seconds=config.stream_yield_seconds,
            idle_seconds_max=0,
            age_seconds_max=config.connection_age_seconds_max,
            retry_seconds=config.overload_retry_seconds,
        )
        self.places = StreamPlaces(limits)

    async def answer_stream(self, call: Call) -> None:
        """Answers each request of a stream."""
        with self.places.taken(call) as place:
            while (data := await call.read()) is not None:
                place.begin_work()
                answer = self._answers(data)
                place.end_work()
                with place.sending():
                    await call.write(answer)

    def _answer(self, data: bytes) -> bytes:
        message = request.parse(reflection_pb2.ServerReflectionRequest, data, self._request_bytes_max)
        return bytes(self._reflection.answer(message).SerializeToString())
