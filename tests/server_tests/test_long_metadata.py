"""Calls with long metadata, such as tokens: gRPC's own two limits would refuse some of them at random."""

from pathlib import Path

import grpc
import pytest
from service import Service

from .example_requests import ASK_ACTIVE

OK, EXHAUSTED = grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED


# So few calls that `ConnectionGuard` does not mind their metadata, and enough for chance to show.
@pytest.mark.parametrize(
    ("length", "call_count", "code"), [(8_192, 50, OK), (11_000, 50, OK), (16_500, 10, EXHAUSTED)]
)
def test_each_call_with_long_metadata_ends_alike(
    length: int, call_count: int, code: grpc.StatusCode, tmp_path: Path
) -> None:
    with Service(tmp_path) as service:
        ask = service.reports.QueryActiveSessions
        calls = [ask.future(ASK_ACTIVE, metadata=[("x-long", "a" * length)]) for _ in range(call_count)]
        assert {call.code() for call in calls} == {code}
