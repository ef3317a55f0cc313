"""What an error of a call tells, with both clients."""

import copy
import pickle
from pathlib import Path
from typing import Any

import grpc
import pytest
from cli_tests.test_entry import foreign_grpc_port, web_port
from grpc import aio
from pegcount import errors
from pegcount.v1 import reports_pb2
from pegcount_client import (
    AsyncClient,
    Client,
    PegcountError,
    RecordsRejectedError,
    RetryPolicy,
    Violation,
)
from pegcount_client.errors import call_error
from server_tests.streams import batch
from service import Service

from client_tests.failing_store import fail_submissions
from client_tests.twins import CLIENTS, ClientOf

USAGE: dict[str, Any] = {"from_time": "2026-03-29", "granularity": "DAY"}


@pytest.fixture(params=CLIENTS)
def client_of(request: pytest.FixtureRequest) -> ClientOf:
    """Returns what makes a client of either kind."""
    kind: ClientOf = request.param
    return kind


def failure(client_of: ClientOf, address: str, **query: Any) -> PegcountError:
    with client_of(address, timeout=2.0) as client, pytest.raises(PegcountError) as raised:
        client.asr_usage(**{**USAGE, **query})
    assert isinstance(raised.value.__cause__, grpc.RpcError)
    return raised.value


def test_every_violation_arrives(records_service: Service, client_of: ClientOf) -> None:
    error = failure(
        client_of, records_service.address, from_time="soon", time_zone="Europe/Kiyv", sma_period=0
    )
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert sorted(each.field for each in error.violations) == ["from_time", "sma_period", "time_zone"]
    zone = next(each for each in error.violations if each.field == "time_zone")
    assert 'did you mean "Europe/Kyiv"?' in zone.description
    assert zone.reason == "UNKNOWN_TIME_ZONE"
    assert all(each.description in error.message for each in error.violations)
    assert str(error) == f"INVALID_ARGUMENT: {error.message}"
    assert error.reason
    assert error.retry_seconds is None


def test_the_reason_and_its_metadata_arrive(records_service: Service, client_of: ClientOf) -> None:
    with client_of(records_service.address) as client, pytest.raises(PegcountError) as raised:
        client.active_sessions(return_fields=["orig_rates_code_name"], code_deck=77)
    assert (raised.value.code, raised.value.reason) == (grpc.StatusCode.NOT_FOUND, "CODE_DECK_NOT_FOUND")
    assert raised.value.metadata["code_deck"] == "77"


def test_the_wait_that_the_server_asks_for_arrives(
    tmp_path: Path, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Service(tmp_path) as service, client_of(service.address) as client:
        fail_submissions(service, monkeypatch, errors.OverloadedError("too many bytes", 1.5), range(9))
        sender = client.batch_sender(RetryPolicy(count_max=0))
        with sender, pytest.raises(PegcountError, match="too many bytes") as raised:
            sender.submit(batch("b", "s")).wait()
    assert (raised.value.reason, raised.value.retry_seconds) == ("OVERLOADED", 1.5)


def test_the_id_of_the_request_arrives(records_service: Service, client_of: ClientOf) -> None:
    with client_of(records_service.address) as client, pytest.raises(grpc.RpcError) as raised:
        client.reports.QueryAsrUsage(
            reports_pb2.QueryAsrUsageRequest(), metadata=[("x-request-id", "night-report-1")]
        )
    assert call_error(raised.value, records_service.address).request_id == "night-report-1"
    assert failure(client_of, records_service.address, from_time="soon").request_id


def test_a_server_that_is_not_pegcount_is_told(client_of: ClientOf) -> None:
    with foreign_grpc_port() as address:
        error = failure(client_of, address)
        assert str(error) == f"no Pegcount server answers at {address}: Method not found!"
        assert error.code is grpc.StatusCode.UNIMPLEMENTED
    with web_port() as address:
        assert str(failure(client_of, address)).startswith(f"no Pegcount server answers at {address}: ")


def test_a_name_that_is_not_known_is_told(client_of: ClientOf) -> None:
    error = failure(client_of, "traffic.invalid:50051")
    assert str(error).startswith("no Pegcount server answers at traffic.invalid:50051: ")


def test_an_error_that_is_not_of_a_call_is_told() -> None:
    assert str(call_error(grpc.RpcError("odd"), "a:1")) == "the call to a:1 failed: odd"


def test_metadata_that_is_not_a_status_is_passed_over() -> None:
    error = aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE,
        aio.Metadata(),
        aio.Metadata(("grpc-status-details-bin", b"\xff"), ("x-request-id", "r1")),
        "of a proxy",
    )
    found = call_error(error, "a:1")
    assert (str(found), found.request_id) == ("no Pegcount server answers at a:1: of a proxy", "r1")


ERRORS = [
    PegcountError(
        "NOT_FOUND: none",
        code=grpc.StatusCode.NOT_FOUND,
        message="none",
        reason="NOT_FOUND",
        violations=[Violation("a", "b", "C")],
        metadata={"x": "1"},
        retry_seconds=1.5,
        request_id="r1",
    ),
    RecordsRejectedError.of([Violation("records[7]", "session_id is required")], 5, 1_000),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_an_error_survives_copies(error: PegcountError, again: Any) -> None:
    copied = again(error)
    assert type(copied) is type(error)
    assert (str(copied), vars(copied)) == (str(error), vars(error))
    assert copied.code is error.code


def test_a_rejection_says_how_many_and_which() -> None:
    assert str(ERRORS[1]) == (
        "5 of 1,000 records were rejected, all others are durable; correct and write them again, or take them"
        " by on_rejected: records[7]: session_id is required; and 4 more"
    )


def test_an_async_client_belongs_to_a_loop() -> None:
    with pytest.raises(RuntimeError, match="belongs to an event loop: make it in a coroutine, or use Client"):
        AsyncClient("127.0.0.1:1")


def test_a_client_can_be_closed_twice(records_service: Service) -> None:
    client = Client(records_service.address)
    client.asr_usage(**USAGE)
    client.close()
    client.close()
    with pytest.raises(PegcountError, match="this client is closed"):
        client.asr_usage(**USAGE)
