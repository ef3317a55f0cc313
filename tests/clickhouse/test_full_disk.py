"""The disk of a shard fills up: batches are refused, reports go on, and all works once there is room."""

import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import grpc
import pytest
from faults import image
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2
from server_tests.example_requests import ASK_FOLDER, SETUP_S, call_record
from server_tests.refusal import refusal
from service import Service
from waiting import wait_until

from clickhouse.conftest import Drill
from clickhouse.rig import Rig
from clickhouse.test_two_servers import PLACE, OneCluster

SIZE_MIB = 96
LEFT_BYTES = 400_000
"""Less than ClickHouse reserves for any part."""
RECORD_COUNT = 40
RECORD_MS, REVISED_MS = 60_000, 90_000
SECONDS_MAX = 5.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    image.needs_mounts(tmp_path)
    with image.tmpfs(tmp_path / "disk", SIZE_MIB) as root:
        (root / "data").mkdir()
        yield root


def fill(root: Path) -> None:
    """Leaves hardly any room on a file system."""
    with (root / "ballast").open("wb") as ballast:
        room = os.statvfs(root)
        os.posix_fallocate(ballast.fileno(), 0, room.f_bavail * room.f_frsize - LEFT_BYTES)


def batch(name: str, revision: int, milliseconds: int) -> records_pb2.WriteRecordsRequest:
    """Builds a batch whose calls are on both shards."""
    end = Timestamp(seconds=SETUP_S + 10 + milliseconds // 1_000)
    records = [
        call_record(f"{name}-{number}", revision=revision, end_time=end) for number in range(RECORD_COUNT)
    ]
    return records_pb2.WriteRecordsRequest(batch_id=name, records=records)


def test_a_full_disk_refuses_batches_until_there_is_room(disk: Path, tmp_path: Path, drill: Drill) -> None:
    with Rig(tmp_path / "rig", last_data=disk / "data") as rig:
        stores = OneCluster(rig)

        def stored() -> str:
            """What the full shard holds, whether or not it counts."""
            text = "SELECT count(), sum(sign), max(seq) FROM ledger"
            return rig.servers[1].ask(text, database=stores.database)

        with Service(PLACE, stores=stores) as service:

            def write(request: records_pb2.WriteRecordsRequest) -> records_pb2.WriteRecordsResponse:
                answer: records_pb2.WriteRecordsResponse
                (answer,) = service.records.WriteRecords(iter([request]), timeout=30)
                return answer

            def totals() -> tuple[int, int]:
                found = service.reports.QueryFolderStats(ASK_FOLDER, timeout=30).totals
                return found.call_count, found.duration_ms

            assert write(batch("a", 1, RECORD_MS)).accepted == RECORD_COUNT
            fill(disk)
            before = stored()
            for request in (batch("b", 1, RECORD_MS), batch("a", 2, REVISED_MS)):
                start_s = monotonic()
                found = refusal(lambda: write(request))  # noqa: B023
                seconds = monotonic() - start_s
                drill.note(found.code.name, seconds, f"{found.info.reason}: {found.message}")
                assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert (found.info.reason, found.message) == (
                    "OVERLOADED",
                    "shard 2 has no space left on its disk",
                )
                assert "RetryInfo" in found.detail_names
                assert seconds <= SECONDS_MAX
                assert stored() == before
            assert service.store.write_fault == "shard 2 has no space left on its disk"
            # The first shard may have taken its part of both batches, each record as a whole.
            count, milliseconds = totals()
            assert RECORD_COUNT <= count < 2 * RECORD_COUNT
            assert (milliseconds - count * RECORD_MS) % (REVISED_MS - RECORD_MS) == 0
            (disk / "ballast").unlink()
            answers = [write(batch("b", 1, RECORD_MS)), write(batch("a", 2, REVISED_MS))]
            assert all(each.accepted + each.replaced + each.duplicates == RECORD_COUNT for each in answers)
            assert totals() == (2 * RECORD_COUNT, RECORD_COUNT * (RECORD_MS + REVISED_MS))
            wait_until(lambda: service.store.write_fault is None)
