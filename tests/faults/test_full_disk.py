"""Ingest fills up a small file system, and continues once it has space again."""

import time
from pathlib import Path

import grpc
import pytest
import seeds
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import admin_pb2, records_pb2, records_pb2_grpc
from waiting import wait_until

from faults import image
from faults.feed import DAY_S
from faults.process import ServiceProcess, serving

SIZE_MIB = 64
BALLAST_MIB = 24
RECORDS_PER_BATCH = 1_000
BATCH_COUNT_MAX = 500
RESUME_SECONDS_MAX = 30.0


@pytest.fixture
def mountable(tmp_path: Path) -> None:
    image.needs_mounts(tmp_path)


@pytest.mark.usefixtures("mountable")
def test_ingest_stops_at_a_full_disk_and_resumes(tmp_path: Path) -> None:
    with image.tmpfs(tmp_path / "disk", SIZE_MIB) as root:
        ballast = root / "ballast"
        ballast.write_bytes(bytes(BALLAST_MIB << 20))
        (root / "data").mkdir()
        with serving(root / "data") as service:
            written = fill_disk(service)
            assert record_count(service) == written * RECORDS_PER_BATCH
            ballast.unlink()
            resend_until_accepted(service, written)
            assert record_count(service) == (written + 1) * RECORDS_PER_BATCH
            service.kill()
        # The refused batches left nothing that prevents a start.
        with serving(root / "data") as service:
            assert record_count(service) == (written + 1) * RECORDS_PER_BATCH


def incompressible_batch(number: int) -> records_pb2.WriteRecordsRequest:
    """Builds a batch of calls with random ids, which do not compress."""
    chance = seeds.chance("full disk", number)
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


def send(service: ServiceProcess, number: int) -> tuple[grpc.StatusCode, str] | None:
    """Sends a batch and returns the status that refuses it, or None if it is accepted."""
    stub = records_pb2_grpc.RecordServiceStub(service.channel)
    try:
        (answer,) = stub.WriteRecords(iter([incompressible_batch(number)]), timeout=30)
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    assert answer.accepted + answer.duplicates == RECORDS_PER_BATCH
    return None


def fill_disk(service: ServiceProcess) -> int:
    """Writes until a batch is refused twice for lack of space; returns the number of accepted batches.

    One refusal is not enough, since files of a failed flush or compaction are removed soon after.
    """
    for number in range(BATCH_COUNT_MAX):
        refused = [
            refused_with
            for refused_with in (send(service, number), send(service, number))
            if refused_with is not None
        ]
        for refused_with in refused:
            check_refused(*refused_with)
        if len(refused) == 2:
            return number
    raise AssertionError("the disk was never full")


def check_refused(code: grpc.StatusCode, text: str) -> None:
    assert code == grpc.StatusCode.FAILED_PRECONDITION, (code, text)
    assert "space" in text.lower(), text


def resend_until_accepted(service: ServiceProcess, number: int) -> None:
    """Resends the refused batch until it is accepted, in the same process."""

    def is_accepted() -> bool:
        refused = send(service, number)
        if refused is not None:
            check_refused(*refused)
        return refused is None

    wait_until(is_accepted, "the acceptance of the batch", RESUME_SECONDS_MAX, look_seconds=0.2)


def record_count(service: ServiceProcess) -> int:
    """Returns the number of records that the service reports."""
    answer = service.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest(), timeout=30)
    return int(answer.records)
