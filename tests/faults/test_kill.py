"""A serving process is killed at random moments under ingest, seals and compaction."""

import random
import time
from pathlib import Path

import grpc
from pegcount.v1 import admin_pb2

from faults.campaign import Campaign, Tally, Unit, with_recovery
from faults.conftest import Tell
from faults.feed import DAY_S, Feed
from faults.model import ALL, Kept, Model, check_figures, verdict_of_copy
from faults.process import Served, kill_while_starting, serving
from faults.writers import Writer

KILLS_PER_UNIT = 10
FEED_COUNT = 3
DAYS = 6
DAYS_RETAINED = 4
START_KILL_SHARE = 0.2
"""Of the kills, how many are followed by one while the next service starts."""


def test_what_was_acknowledged_survives_kills(tmp_path: Path, tell: Tell) -> None:
    tell(Campaign("process killed", "PEGCOUNT_FAULT_KILLS", 10, KILLS_PER_UNIT).run(tmp_path, one_directory))


def new_feeds(seed: str, count: int = FEED_COUNT) -> list[Feed]:
    """Feeds of the days that are over, so that no figure depends on now."""
    yesterday = int(time.time()) // DAY_S - 1
    return [Feed(seed, stream, yesterday - DAYS + 1, yesterday) for stream in range(1, count + 1)]


def one_directory(unit: Unit) -> Tally:
    """Kills the service over one data directory again and again; from the middle on with a retention."""
    chance = random.Random(unit.seed)
    data = unit.directory / "data"
    data.mkdir()
    feeds, kept, total = new_feeds(unit.seed), ALL, Tally()
    model = Model(feeds)
    for kill in range(KILLS_PER_UNIT):
        with serving(data) as served:
            if kill > 0:
                check_figures(served, model, kept)
                total = with_recovery(total, served.ready_seconds)
            if kill == KILLS_PER_UNIT // 2:
                kept = retain(served, feeds)
            write_and_kill(served, feeds, chance.uniform(0.05, 2.0))
        if chance.random() < START_KILL_SHARE:
            kill_while_starting(data, chance.uniform(0.2, 0.8))
        seen = verdict_of_copy(data, model, kept)
        total += Tally(1, 0, seen.lost, seen.duplicated, seen.partial)
    assert seen.acknowledged > 0
    return total + Tally(acknowledged=seen.acknowledged)


def write_and_kill(served: Served, feeds: list[Feed], seconds: float) -> None:
    """Writes for a time, then kills the service and after it its clients."""
    writers = [Writer(feed, served.address, pause_seconds=0.02) for feed in feeds]
    for writer in writers:
        writer.start()
    time.sleep(seconds)
    served.kill()
    for writer in writers:
        writer.end()


def retain(served: Served, feeds: list[Feed]) -> Kept:
    """Sets a retention that the oldest days of the feeds fall out of."""
    first_day = int(time.time()) // DAY_S - DAYS_RETAINED + 1
    retention = admin_pb2.Retention(days=DAYS_RETAINED)
    try:
        served.admin.SetRetention(admin_pb2.SetRetentionRequest(retention=retention), timeout=10)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNIMPLEMENTED:
            raise
        return ALL
    for feed in feeds:
        feed.leave_days_before(first_day)
    return Kept(first_day)
