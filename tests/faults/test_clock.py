"""The clock jumps by 60 days for 1.5 s during ingest, and while the process is killed: nothing is lost.

libfaketime, preloaded into the service, moves its clock while it runs; its monotonic clock stays true.
"""

import os
import random
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import admin_pb2, records_pb2, records_pb2_grpc

from faults.campaign import Campaign, Tally, Unit
from faults.conftest import AddToTable
from faults.feed import DAY_S
from faults.process import ServiceProcess, serving

JUMPS_PER_UNIT = 2
"""One without a kill, one with a kill in its middle."""
JUMP_DAYS = 60
DAYS_RETAINED = 30
JUMP_SECONDS = 1.5
RECORDS_PER_BATCH = 100
BATCH_COUNT_MAX = 200
_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def test_jumps_of_the_clock_lose_nothing(tmp_path: Path, add_to_table: AddToTable) -> None:
    if not _LIBRARIES:
        pytest.skip("NOT TESTED: libfaketime is missing, which apt-get install faketime installs")
    campaign = Campaign("jump of the clock", "PEGCOUNT_FAULT_JUMPS", JUMPS_PER_UNIT, JUMPS_PER_UNIT)
    add_to_table(campaign.run(tmp_path, jump_repeatedly))


def jump_repeatedly(unit: Unit) -> Tally:
    """Lets the clock of the services over one data directory jump repeatedly."""
    chance = random.Random(unit.seed)
    data = unit.directory / "data"
    data.mkdir()
    clock = MovableClock(unit.directory / "clock")
    ingest = Ingest()
    for number in range(JUMPS_PER_UNIT):
        with serving(data, clock.environment) as service:
            retain_days(service)
            ingest.write_for(service, 0.5)
            clock.jump(JUMP_DAYS)
            ingest.write_for(service, JUMP_SECONDS if number % 2 == 0 else chance.uniform(0.1, JUMP_SECONDS))
            if number % 2 == 0:
                clock.jump(0)
                ingest.check(service)
            service.kill()
        if number % 2 == 1:
            restart_while_wrong(data, clock)
    with serving(data, clock.environment) as service:
        ingest.check(service)
    return Tally(JUMPS_PER_UNIT, ingest.accepted_count)


def restart_while_wrong(data: Path, clock: "MovableClock") -> None:
    """Starts a service whose clock is wrong from the start, and corrects the clock while it runs."""
    with serving(data, clock.environment) as service:
        # The load itself: the wrong clock goes on for a time, and then the correct one.
        time.sleep(JUMP_SECONDS)
        clock.jump(0)
        time.sleep(0.2)
        service.kill()


class MovableClock:
    """The clock of a service, read anew from a file at each look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.jump(0)
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(_LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, days: int) -> None:
        """Moves the clock to some days ahead of the true time, in one step."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"+{days}d\n")
        os.replace(fresh, self._path)


class Ingest:
    """A client that writes records of the retained days, and counts the accepted ones."""

    def __init__(self) -> None:
        self.accepted_count = 0
        self._number = 0

    def write_for(self, service: ServiceProcess, seconds: float) -> None:
        """Writes batches; while the clock is wrong, their records are rejected as too old."""
        deadline = time.monotonic() + seconds
        for _ in range(BATCH_COUNT_MAX):
            if time.monotonic() >= deadline:
                return
            self._write(service)
            # The load itself: the pace of this client.
            time.sleep(0.02)

    def check(self, service: ServiceProcess) -> None:
        """Asserts that each accepted record is still held, and that all of the present are accepted."""
        stored = service.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest(), timeout=30)
        assert stored.records == self.accepted_count
        assert self._write(service) == RECORDS_PER_BATCH
        stored = service.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest(), timeout=30)
        assert stored.records == self.accepted_count

    def _write(self, service: ServiceProcess) -> int:
        self._number += 1
        stub = records_pb2_grpc.RecordServiceStub(service.channel)
        (answer,) = stub.WriteRecords(iter([batch(self._number)]), timeout=30)
        self.accepted_count += answer.accepted
        assert answer.accepted + len(answer.rejected) == RECORDS_PER_BATCH
        return int(answer.accepted)


def batch(number: int) -> records_pb2.WriteRecordsRequest:
    """Builds a batch of calls of the last 20 days, each with an id of its own."""
    now_s = int(time.time())
    records = [
        records_pb2.SessionRecord(
            session_id=f"{number}-{i}",
            setup_time=Timestamp(seconds=now_s - (i % 20) * DAY_S - 60),
            end_time=Timestamp(seconds=now_s - (i % 20) * DAY_S),
        )
        for i in range(RECORDS_PER_BATCH)
    ]
    return records_pb2.WriteRecordsRequest(batch_id=str(number), records=records)


def retain_days(service: ServiceProcess) -> None:
    retention = admin_pb2.Retention(days=DAYS_RETAINED)
    service.admin.SetRetention(admin_pb2.SetRetentionRequest(retention=retention), timeout=30)
