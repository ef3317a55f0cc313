"""A serving process is killed at random moments during ingest, flushes and compaction."""

import random
import time
from pathlib import Path

import grpc
from pegcount.v1 import admin_pb2

from faults.campaign import Campaign, Tally, Unit, with_recovery
from faults.conftest import AddToTable
from faults.feed import DAY_S, Feed
from faults.model import ALL_DAYS, Model, RetainedDays, check_figures, compare_copy
from faults.process import ServiceProcess, kill_while_starting, serving
from faults.writers import Writer

KILLS_PER_UNIT = 10
FEED_COUNT = 3
DAYS = 6
DAYS_RETAINED = 4
START_KILL_SHARE = 0.2
"""Share of the kills that are followed by another one while the next service starts."""


def test_acknowledged_records_survive_kills(tmp_path: Path, add_to_table: AddToTable) -> None:
    add_to_table(
        Campaign("process killed", "PEGCOUNT_FAULT_KILLS", 10, KILLS_PER_UNIT).run(tmp_path, kill_repeatedly)
    )


def new_feeds(seed: str, count: int = FEED_COUNT) -> list[Feed]:
    """Creates feeds of past days, so that no figure depends on the current time."""
    yesterday = int(time.time()) // DAY_S - 1
    return [Feed(seed, stream, yesterday - DAYS + 1, yesterday) for stream in range(1, count + 1)]


def kill_repeatedly(unit: Unit) -> Tally:
    """Kills the service over one data directory repeatedly; the second half of the cycles has a retention."""
    chance = random.Random(unit.seed)
    data = unit.directory / "data"
    data.mkdir()
    feeds, retained, total = new_feeds(unit.seed), ALL_DAYS, Tally()
    model = Model(feeds)
    for kill in range(KILLS_PER_UNIT):
        with serving(data) as service:
            if kill > 0:
                check_figures(service, model, retained)
                total = with_recovery(total, service.ready_seconds)
            if kill == KILLS_PER_UNIT // 2:
                retained = set_retention(service, feeds)
            write_and_kill(service, feeds, chance.uniform(0.05, 2.0))
        if chance.random() < START_KILL_SHARE:
            kill_while_starting(data, chance.uniform(0.2, 0.8))
        seen = compare_copy(data, model, retained)
        total += Tally(1, 0, seen.lost, seen.duplicated, seen.partial)
    assert seen.acknowledged > 0
    return total + Tally(acknowledged=seen.acknowledged)


def write_and_kill(service: ServiceProcess, feeds: list[Feed], seconds: float) -> None:
    """Writes for some seconds, then kills the service and stops its clients."""
    writers = [Writer(feed, service.address, pause_seconds=0.02) for feed in feeds]
    for writer in writers:
        writer.start()
    # The load itself: the kill falls anywhere within the writing.
    time.sleep(seconds)
    service.kill()
    for writer in writers:
        writer.end()


def set_retention(service: ServiceProcess, feeds: list[Feed]) -> RetainedDays:
    """Sets a retention that drops the oldest days of the feeds."""
    first_day = int(time.time()) // DAY_S - DAYS_RETAINED + 1
    retention = admin_pb2.Retention(days=DAYS_RETAINED)
    try:
        service.admin.SetRetention(admin_pb2.SetRetentionRequest(retention=retention), timeout=10)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNIMPLEMENTED:
            raise
        return ALL_DAYS
    for feed in feeds:
        feed.drop_days_before(first_day)
    return RetainedDays(first_day)
