"""Reflection serves the contract with its comments in both versions; health covers each service."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest as Request
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionResponse as Response
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.server.call import Call
from pegcount.server.health import LIVE
from pegcount.server.services import SERVICE_NAMES
from pegcount.v1.traffic_pb2 import QueryTrafficRequest
from proto_comments import proto_files
from service import Service
from waiting import stays, wait_until

from server_tests.refusal import refusal

VERSIONS = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
NOT_FOUND = 5
# Field numbers in descriptor.proto, from which the source path of an element is built.
SERVICE_OF_FILE, METHOD_OF_SERVICE = 6, 2


def ask(service: Service, version: str, *requests: Request) -> list[Response]:
    """Calls a hand-made stub, since the package has one for v1alpha only."""
    call = service.channel.stream_stream(
        f"/{version}/ServerReflectionInfo", Request.SerializeToString, Response.FromString
    )
    return list(call(iter(requests)))


def files_of(responses: Iterable[Response]) -> dict[str, FileDescriptorProto]:
    contents = [
        content
        for response in responses
        for content in response.file_descriptor_response.file_descriptor_proto
    ]
    return {file.name: file for file in map(FileDescriptorProto.FromString, contents)}


def comments_of(file: FileDescriptorProto) -> list[str]:
    places = file.source_code_info.location
    return [" ".join(place.leading_comments.split()) for place in places if place.leading_comments]


def method_comments(file: FileDescriptorProto) -> dict[str, str]:
    """Returns the comments of all methods by their full names; the libraries' methods have none."""
    by_path = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    return {
        f"{file.package}.{service.name}.{method.name}": by_path.get(
            (SERVICE_OF_FILE, i, METHOD_OF_SERVICE, j), ""
        )
        for i, service in enumerate(file.service)
        for j, method in enumerate(service.method)
    }


def declared_names(file: FileDescriptorProto) -> list[str]:
    """Returns the full names of what a file declares at its top, and of methods, fields and values in it."""
    services = [(service.name, service.method) for service in file.service]
    messages = [(message.name, message.field) for message in file.message_type]
    top = [f"{file.package}.{name}" for name, _ in services + messages]
    parts = [f"{file.package}.{name}.{part.name}" for name, parts in services + messages for part in parts]
    enums = [f"{file.package}.{enum.name}" for enum in file.enum_type]
    return [
        *top,
        *parts,
        *enums,
        *(f"{file.package}.{v.name}" for enum in file.enum_type for v in enum.value),
    ]


@pytest.fixture
def service(tmp_path: Path) -> Iterable[Service]:
    with Service(tmp_path) as running:
        yield running


@pytest.mark.parametrize("version", VERSIONS)
def test_both_versions_list_all_services(version: str, service: Service) -> None:
    (response,) = ask(service, version, Request(list_services=""))
    listed = [entry.name for entry in response.list_services_response.service]
    assert sorted(listed) == sorted([*SERVICE_NAMES, *VERSIONS, "grpc.health.v1.Health"])
    assert {name.rpartition(".")[2] for name in SERVICE_NAMES} == {
        "ReportService",
        "TrafficService",
        "RecordService",
        "AdminService",
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("symbol", "comment"),
    [
        ("pegcount.v1.ReportService", "Answers the four reports from the call records held."),
        ("pegcount.v1.ReportService.QueryAsrUsage", "ASR session usage: sessions that arrived per calendar"),
        ("pegcount.v1.AdminService", "Puts a code deck in place;"),
        ("pegcount.v1.RecordService", "Takes call records in."),
        ("pegcount.v1.Granularity", "Width of a bin."),
        ("pegcount.v1.ErrorReason", "Why a request was refused."),
        ("pegcount.v1.SessionRecord", "One session, or one event of it."),
    ],
)
def test_symbols_are_described_with_their_comments(
    version: str, symbol: str, comment: str, service: Service
) -> None:
    files = files_of(ask(service, version, Request(file_containing_symbol=symbol)))
    assert any(text.startswith(comment) for file in files.values() for text in comments_of(file))


def test_the_example_of_the_traffic_question_can_be_sent(service: Service) -> None:
    comments = [text for file in proto_files() for text in comments_of(file)]
    (comment,) = (text for text in comments if text.startswith("Asks for figures of calls per bin"))
    request = json_format.Parse(comment[comment.index("{") :], QueryTrafficRequest())
    assert len(service.traffic.QueryTraffic(request, timeout=20).totals) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_proto_files_are_served_with_their_comments(version: str, service: Service) -> None:
    for file in proto_files():
        served = files_of(ask(service, version, Request(file_by_filename=file.name)))[file.name]
        assert len(comments_of(served)) > 10, file.name
        assert served.message_type == file.message_type
        assert served.enum_type == file.enum_type
        assert served.options == file.options
        assert method_comments(served) == method_comments(file)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_of_a_listed_service_is_found(version: str, service: Service) -> None:
    """grpcurl's `describe` without a name and grpcui ask for each service and for all that it refers to."""
    (response,) = ask(service, version, Request(list_services=""))
    for entry in response.list_services_response.service:
        files = files_of(ask(service, version, Request(file_containing_symbol=entry.name)))
        assert entry.name in {name for file in files.values() for name in declared_names(file)}
        for file in files.values():
            for name in declared_names(file):
                found = files_of(ask(service, version, Request(file_containing_symbol=name)))
                assert found[file.name] == file, name


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"),
        ("google.rpc.BadRequest.FieldViolation.reason", "google/rpc/error_details.proto"),
        ("grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"),
        ("grpc.health.v1.HealthListResponse.StatusesEntry", "grpc/health/v1/health.proto"),
        ("grpc.reflection.v1.ServerReflectionRequest.message_request", "grpc/reflection/v1/reflection.proto"),
        ("grpc.reflection.v1alpha.ErrorResponse", "grpc/reflection/v1alpha/reflection.proto"),
        ("pegcount.v1.GRANULARITY_DAY", "pegcount/v1/reports.proto"),
    ],
)
def test_nested_names_are_found_in_files_of_the_usual_names(
    version: str, symbol: str, file: str, service: Service
) -> None:
    by_symbol = files_of(ask(service, version, Request(file_containing_symbol=symbol)))
    assert file in by_symbol
    assert files_of(ask(service, version, Request(file_by_filename=file)))[file] == by_symbol[file]


def test_reflection_v1_is_not_called_alpha(service: Service) -> None:
    name = "grpc/reflection/v1/reflection.proto"
    file = files_of(ask(service, VERSIONS[0], Request(file_by_filename=name)))[name]
    assert "alpha" not in str(file)
    assert not file.options.deprecated


def test_every_method_that_is_described_is_built(service: Service) -> None:
    (response,) = ask(service, VERSIONS[0], Request(list_services=""))
    listed = [entry.name for entry in response.list_services_response.service]
    described = {
        name
        for entry in listed
        for file in files_of(ask(service, VERSIONS[0], Request(file_containing_symbol=entry))).values()
        for name in method_comments(file)
    }
    assert {name.rpartition(".")[0] for name in described} == set(listed)
    assert [name for name in described if not is_built(name, service)] == []


def is_built(method: str, service: Service) -> bool:
    """Returns whether the server answers a method (full name), be it with another error."""
    path = f"/{'/'.join(method.rsplit('.', 1))}"
    call = service.channel.stream_stream(path)(iter([b""]), timeout=20)
    try:
        next(call)
    except StopIteration:
        return True
    except grpc.RpcError as error:
        return error.code() not in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.DEADLINE_EXCEEDED)
    call.cancel()
    return True


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_can_be_built_from_reflection_alone(version: str, service: Service) -> None:
    wanted, known = ["pegcount/v1/reports.proto"], dict[str, FileDescriptorProto]()
    while wanted:
        known |= files_of(ask(service, version, Request(file_by_filename=wanted.pop())))
        wanted += [name for file in known.values() for name in file.dependency if name not in known]
    pool = DescriptorPool()
    for name in ("google/protobuf/timestamp.proto", "pegcount/v1/records.proto", "pegcount/v1/reports.proto"):
        pool.Add(known[name])
    described = pool.FindServiceByName("pegcount.v1.ReportService")
    assert [method.name for method in described.methods] == [
        "QueryAsrUsage",
        "QueryActiveSessions",
        "QueryFolderStats",
        "QueryOriginationQuality",
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_several_requests_in_one_stream_with_an_unknown_symbol(version: str, service: Service) -> None:
    asked = [
        Request(host="h", file_containing_symbol="pegcount.v1.Nothing"),
        Request(host="h", file_containing_symbol="pegcount.v1.ReportService.QueryAsrUsage"),
    ]
    unknown, known = ask(service, version, *asked)
    assert [unknown.original_request, known.original_request] == asked
    assert unknown.error_response.error_code == NOT_FOUND
    assert "pegcount/v1/reports.proto" in files_of([known])


@pytest.mark.parametrize("name", ["", LIVE, *SERVICE_NAMES])
def test_health_of_the_server_and_of_each_service(name: str, service: Service) -> None:
    health = health_pb2_grpc.HealthStub(service.channel)
    answer = health.Check(health_pb2.HealthCheckRequest(service=name))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_all_services(service: Service) -> None:
    listed = health_pb2_grpc.HealthStub(service.channel).List(health_pb2.HealthListRequest())
    assert {name: answer.status for name, answer in listed.statuses.items()} == dict.fromkeys(
        ("", LIVE, *SERVICE_NAMES), health_pb2.HealthCheckResponse.SERVING
    )


def test_health_of_an_unknown_service(service: Service) -> None:
    health = health_pb2_grpc.HealthStub(service.channel)
    refused = refusal(lambda: health.Check(health_pb2.HealthCheckRequest(service="pegcount.v1.Nothing")))
    assert refused.code.name == "NOT_FOUND"


def test_watchers_are_notified_of_the_shutdown(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        health = health_pb2_grpc.HealthStub(service.channel)
        watched = health.Watch(health_pb2.HealthCheckRequest(service="pegcount.v1.ReportService"))
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        stopping = threading.Thread(target=service.stop)
        stopping.start()
        assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watched.cancel()
        stopping.join(20)
        assert not stopping.is_alive()


def test_a_watcher_that_reads_slowly_is_notified_of_the_shutdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, end, ended = Call.write, Call.end, asyncio.Event()

    async def write_until_the_end(call: Call, message: bytes) -> None:
        await write(call, message)
        await asyncio.wait_for(ended.wait(), 20)

    def end_and_tell(call: Call, error: PegcountError) -> None:
        end(call, error)
        ended.set()

    monkeypatch.setattr(Call, "write", write_until_the_end)
    monkeypatch.setattr(Call, "end", end_and_tell)
    with Service(tmp_path) as service:
        health = health_pb2_grpc.HealthStub(service.channel)
        watched = health.Watch(health_pb2.HealthCheckRequest(service="pegcount.v1.ReportService"))
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        stopping = threading.Thread(target=service.stop)
        stopping.start()
        assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError):
            next(watched)
        stopping.join(20)
        assert not stopping.is_alive()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_disconnecting_caller_is_not_logged(
    version: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leaving = threading.Event()

    def requests() -> Iterator[Request]:
        yield Request(list_services="")
        leaving.wait(20)

    with Service(tmp_path, Config(reflection_stream_count_max=1)) as service:
        call = service.channel.stream_stream(
            f"/{version}/ServerReflectionInfo", Request.SerializeToString, Response.FromString
        )
        answers = call(requests())
        assert next(answers).list_services_response.service
        # Time for the server to wait for the next request.
        stays(answers.is_active, 0.3)
        answers.cancel()
        leaving.set()
        wait_until(lambda: is_admitted(service, version), look_seconds=0.05)
        stays(lambda: caplog.records == [], 0.2)
    assert [record.message for record in caplog.records] == []


def is_admitted(service: Service, version: str) -> bool:
    """Returns whether a stream is admitted; the limit is one at a time."""
    with suppress(grpc.RpcError):
        return bool(ask(service, version, Request(list_services="")))
    return False


def test_no_comment_is_code_for_a_generator() -> None:
    """Rust takes a paragraph that begins with four spaces for a test to compile."""
    for file in proto_files():
        for place in file.source_code_info.location:
            paragraphs = place.leading_comments.split("\n \n") + place.leading_comments.split("\n\n")
            assert not [each for each in paragraphs if each.startswith(" " * 5)], file.name
