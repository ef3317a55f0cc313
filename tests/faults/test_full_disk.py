"""A small file system is filled up by ingest, and has space again later."""

import random
import time
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import admin_pb2, records_pb2, records_pb2_grpc

from faults import image
from faults.feed import DAY_S
from faults.process import Served, serving

SIZE_MIB = 64
BALLAST_MIB = 24
RECORDS_PER_BATCH = 1_000
BATCH_COUNT_MAX = 500
RESUME_SECONDS_MAX = 30.0


@pytest.fixture
def small_disk(tmp_path: Path) -> None:
    image.needs_mounts(tmp_path)


@pytest.mark.usefixtures("small_disk")
def test_ingest_stops_at_a_full_disk_and_goes_on_once_there_is_space(tmp_path: Path) -> None:
    with image.tmpfs(tmp_path / "disk", SIZE_MIB) as root:
        ballast = root / "ballast"
        ballast.write_bytes(bytes(BALLAST_MIB << 20))
        (root / "data").mkdir()
        with serving(root / "data") as served:
            written = fill(served)
            assert count(served) == written * RECORDS_PER_BATCH
            ballast.unlink()
            resume(served, written)
            assert count(served) == (written + 1) * RECORDS_PER_BATCH
            served.kill()
        # Whatever was refused left nothing that stands in the way of a start.
        with serving(root / "data") as served:
            assert count(served) == (written + 1) * RECORDS_PER_BATCH


def bulky(number: int) -> records_pb2.WriteRecordsRequest:
    """A batch of calls whose ids no store can make short."""
    chance = random.Random(number)
    setup_s = (int(time.time()) // DAY_S - 2) * DAY_S
    records = [
        records_pb2.SessionRecord(
            session_id=chance.randbytes(64).hex(),
            setup_time=Timestamp(seconds=setup_s + i),
            end_time=Timestamp(seconds=setup_s + i + 60),
            account_id="account",
            orig_leg_id=chance.randbytes(100).hex(),
        )
        for i in range(RECORDS_PER_BATCH)
    ]
    return records_pb2.WriteRecordsRequest(batch_id=str(number), records=records)


def refusal(served: Served, number: int) -> tuple[grpc.StatusCode, str] | None:
    """Sends a batch; gives why it was refused, None where it was taken."""
    stub = records_pb2_grpc.RecordServiceStub(served.channel)
    try:
        (answer,) = stub.WriteRecords(iter([bulky(number)]), timeout=30)
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    assert answer.accepted + answer.duplicates == RECORDS_PER_BATCH
    return None


def fill(served: Served) -> int:
    """Writes until a batch is refused twice, with the status that says so; gives how many were taken.

    Once may not be enough: what a seal or a merge that failed leaves behind is removed soon after.
    """
    for number in range(BATCH_COUNT_MAX):
        refused = [told for told in (refusal(served, number), refusal(served, number)) if told is not None]
        for told in refused:
            check_refused(*told)
        if len(refused) == 2:
            return number
    raise AssertionError("the disk was never full")


def check_refused(code: grpc.StatusCode, text: str) -> None:
    assert code == grpc.StatusCode.FAILED_PRECONDITION, (code, text)
    assert "space" in text.lower(), text


def resume(served: Served, number: int) -> None:
    """Sends what was refused again until it is taken, in the same process."""
    deadline = time.monotonic() + RESUME_SECONDS_MAX
    while (refused := refusal(served, number)) is not None:
        check_refused(*refused)
        assert time.monotonic() < deadline, refused
        time.sleep(0.2)


def count(served: Served) -> int:
    """Records that the service holds."""
    answer = served.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest(), timeout=30)
    return int(answer.records)
