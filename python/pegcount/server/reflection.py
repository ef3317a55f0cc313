"""Server reflection, v1 and v1alpha, with the comments of the proto files."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection, reflection_pb2

from pegcount import request
from pegcount.config import LiveConfig
from pegcount.server import served_files
from pegcount.server.call import Call
from pegcount.server.places import PlaceLimits, StreamPlaces

REFLECTION_NAMES = (reflection.SERVICE_NAME, "grpc.reflection.v1.ServerReflection")
"""Full names of both versions of the reflection service."""
_ANSWER_CACHE_SIZE: Final = 64
"""Answers in the cache, at most 60 kB each. To put one together takes up to a millisecond."""


class CommentedReflection(reflection.ReflectionServicer):  # type: ignore[misc]
    """Answers reflection requests; the same messages serve v1 and v1alpha."""

    def __init__(self, service_names: Iterable[str]) -> None:
        pool = DescriptorPool()
        super().__init__(service_names, pool)
        served = served_files.served_files()
        for file in served:
            pool.Add(file)
        self._files = {file.name: file.SerializeToString() for file in served}
        self._file_of_name = {name: file.name for file in served for name in served_files.names(file)}

    def answer(
        self, request: reflection_pb2.ServerReflectionRequest
    ) -> reflection_pb2.ServerReflectionResponse:
        """Answers one request of a stream."""
        by_file = self._with_file_name(request)
        (response,) = super().ServerReflectionInfo(iter([by_file]), None)
        response.original_request.CopyFrom(request)
        # Assigning files to an answer of another kind would turn it into an answer with files.
        if response.HasField("file_descriptor_response"):
            plain = response.file_descriptor_response.file_descriptor_proto
            plain[:] = [self._files[FileDescriptorProto.FromString(file).name] for file in plain]
        return response

    def _with_file_name(
        self, request: reflection_pb2.ServerReflectionRequest
    ) -> reflection_pb2.ServerReflectionRequest:
        """Replaces a name by that of its file: Python's descriptor pool finds no methods."""
        file = self._file_of_name.get(request.file_containing_symbol)
        if file is None:
            return request
        return reflection_pb2.ServerReflectionRequest(file_by_filename=file)


class ReflectionService:
    """Streams of reflection requests."""

    def __init__(self, live: LiveConfig, service_names: Iterable[str]) -> None:
        """The reflection services list themselves, too."""
        config = live.now
        self._request_bytes_max = config.name_request_bytes_max
        self._answers = lru_cache(_ANSWER_CACHE_SIZE)(self._answer)
        self._reflection = CommentedReflection((*service_names, *REFLECTION_NAMES))
        limits = PlaceLimits(
            name="reflection streams",
            count_max=config.reflection_stream_count_max,
            count_per_peer_max=config.reflection_stream_count_per_peer_max,
            yield_seconds=config.stream_yield_seconds,
            idle_seconds_max=0,
            age_seconds_max=config.connection_age_seconds_max,
            retry_seconds=live.overload_retry_seconds,
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
