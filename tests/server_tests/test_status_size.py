"""The size of a status: what has no room in it is counted, and clients can read it."""

from pathlib import Path

import grpc
import pytest
from pegcount.errors import InvalidRequestError, Violation
from pegcount.server import status
from pegcount.v1 import reports_pb2
from service import Service

from server_tests.example_requests import (
    ASK_ACTIVE,
    ASK_FOLDER,
    ASK_QUALITY,
    ASK_USAGE,
    changed,
)
from server_tests.refusal import of_status

LONG = "é" * 100_000


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("QueryAsrUsage", changed(ASK_USAGE, time_zone=LONG, from_time=LONG, to_time=LONG)),
        ("QueryFolderStats", changed(ASK_FOLDER, company=LONG, folder=LONG, from_date=LONG, to_date=LONG)),
        ("QueryFolderStats", changed(ASK_FOLDER, company="é" * 128)),
        ("QueryFolderStats", changed(ASK_FOLDER, company="\x01\n\r" * 85)),
        ("QueryActiveSessions", changed(ASK_ACTIVE, return_fields=["x"] * 10_000, order=["y"] * 10_000)),
        ("QueryActiveSessions", changed(ASK_ACTIVE, return_fields=[LONG, LONG], order=[LONG, LONG])),
        ("QueryOriginationQuality", changed(ASK_QUALITY, account_id=LONG, auth_orig_ip=LONG)),
        (
            "QueryOriginationQuality",
            changed(ASK_QUALITY, customer_price=reports_pb2.DecimalFilter(eq="9" * 10**6, gt="x" * 10**6)),
        ),
    ],
)
def test_a_status_fits_into_the_metadata_limit_of_clients(
    method: str, request_: object, tmp_path: Path
) -> None:
    """gRPC would turn an oversized status into RESOURCE_EXHAUSTED without details."""
    with Service(tmp_path) as service, pytest.raises(grpc.RpcError) as raised:
        getattr(service.reports, method)(request_, metadata=[("x-request-id", "r" * 128)])
    error = raised.value
    assert isinstance(error, grpc.Call)
    assert error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
    sizes: dict[str, float] = {entry[0]: len(entry[1]) for entry in error.trailing_metadata()}
    message = error.details() or ""
    plain = sum(0x20 <= byte <= 0x7E and byte != 0x25 for byte in message.encode())
    percent_encoded = plain + 3 * (len(message.encode()) - plain)
    sizes["grpc-status-details-bin"] *= 4 / 3
    # By RFC 9113, each header counts 32 bytes more than its text. The status and its message are two more.
    headers = sum(len(name) + size + 32 for name, size in sizes.items()) + 2 * (12 + 32)
    assert sizes["x-request-id"] == 128
    assert percent_encoded + headers < 8_192
    assert "..." in message or len(message.encode()) < 700


def violations(count: int, description: str) -> list[Violation]:
    return [Violation(f"f[{i}]", "UNKNOWN_NAME", description, {"value": "x"}) for i in range(count)]


@pytest.mark.parametrize("omitted_count", [0, 900])
def test_violations_beyond_the_status_size_are_counted(omitted_count: int) -> None:
    error = InvalidRequestError(violations(100, "is not one of them"), omitted_count)
    refused = of_status(status.status_of(error, "r1"))
    *listed, (field, reason, rest) = refused.violations
    assert [field for field, _, _ in listed] == [f"f[{i}]" for i in range(len(listed))]
    assert (field, reason) == (f"f[{len(listed)}]", "UNKNOWN_NAME")
    count = 100 + omitted_count
    assert rest == f"{count - len(listed)} violations from here on have no room in one status"
    assert len(listed) > 30
    *texts, more = refused.message.split("; ")
    assert texts == [f"f[{i}]: is not one of them" for i in range(len(texts))]
    assert more == f"and {count - len(texts)} more violations"
    assert len(texts) > 20


def test_violations_that_were_counted_only_are_in_the_status() -> None:
    refused = of_status(status.status_of(InvalidRequestError(violations(1, "is bad"), 1), "r1"))
    assert refused.message == "f[0]: is bad; and 1 more violation"
    assert refused.violations == [
        ("f[0]", "UNKNOWN_NAME", "is bad"),
        ("f[0]", "UNKNOWN_NAME", "and 1 more violation"),
    ]


def test_a_long_violation_leaves_room_for_the_number_of_others() -> None:
    error = InvalidRequestError(violations(3, "é" * 1_000))
    refused = of_status(status.status_of(error, "r1"))
    assert refused.message.endswith("é...; and 2 more violations")
    assert len(refused.message.encode()) <= 700
