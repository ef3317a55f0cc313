"""The power of a shard is cut while servers write: what it had acknowledged is there, each commit as a whole.

PEGCOUNT_CLICKHOUSE_CUTS is how many cuts there are, 1 by default and 25 in `make test-clickhouse`.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import seeds
from faults import image
from pegcount.config import Config
from server_tests.example_requests import call_record
from service import Service
from waiting import wait_until

from clickhouse.conftest import Drill
from clickhouse.fleet_load import BATCH_SIZE, Running, Writer, today_seconds, wait_for_batches
from clickhouse.ledgers import Ledgers
from clickhouse.rig import LONG, Rig
from clickhouse.test_two_servers import PLACE, OneCluster

CUT_COUNT = int(os.environ.get("PEGCOUNT_CLICKHOUSE_CUTS", "25" if LONG else "1"))
BATCH_COUNT = 3
SIZE_MIB = 512
NO_FLUSHES = "fsync_after_insert = 0, fsync_part_directory = 0"
CONFIG = Config(ledger_commit_seconds_max=3.0)


class Shard:
    """The second shard, whose data are on a file system of its own that loses what was not flushed."""

    def __init__(self, directory: Path) -> None:
        image.needs_loop_devices(directory)
        self._disk = image.PowerCutImage(directory / "disk.img", directory / "disk", SIZE_MIB)
        self._power = ExitStack()
        self._power.enter_context(self._disk.mounted())
        self._data = self._disk.mount_point / "data"
        self._data.mkdir()
        self.rig = Rig(directory / "rig", last_data=self._data)
        self.server = self.rig.servers[1]

    @contextlib.contextmanager
    def running(self) -> Iterator["Shard"]:
        with self._power, self.rig:
            yield self

    def sync(self) -> None:
        """Flushes what is there, such as empty tables."""
        self._disk.sync()

    def cut(self) -> None:
        """Cuts the power, and starts the shard again with what its disk has."""
        self._disk.cut()
        # The load itself: the shard goes on writing. What it acknowledged after the cut would be lost.
        time.sleep(0.1)
        self.server.kill()
        self._power.close()
        self._power.enter_context(self._disk.mounted())
        self.server.start()


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Shard]:
    with Shard(tmp_path).running() as shard:
        yield shard


def test_acknowledged_records_survive_power_cuts(shard: Shard, drill: Drill) -> None:
    stores = OneCluster(shard.rig)
    ledgers = Ledgers(shard.rig, stores.database)
    chance = seeds.chance("cluster power cuts")
    begin_s = time.monotonic()
    seen = []
    with ExitStack() as opened:
        services = [opened.enter_context(Service(PLACE, CONFIG, stores=stores)) for _ in range(2)]
        addresses = [services[number % 2].address for number in range(3)]
        writers = [Writer(f"w{n}", [each], None, today_seconds()) for n, each in enumerate(addresses)]
        shard.sync()
        for _ in range(CUT_COUNT):
            with Running([each.run for each in writers]) as writing:
                wait_for_batches(writers, writing)
                # The load itself: the cut falls anywhere within the writing.
                time.sleep(chance.uniform(0.0, 0.5))
                wait_until(lambda: any(each.unanswered for each in writers), "records on their way")
                shard.cut()
                seen.append(ledgers.batches(1))
                wait_for_batches(writers, writing)
            writing.require_success()
    acknowledged = sum(each.acknowledged for each in writers)
    resent = sum(each.resent for each in writers)
    drill.note(
        "OK", time.monotonic() - begin_s, f"{CUT_COUNT} cuts: {acknowledged} records, {resent} batches again"
    )
    ledgers.require_exactly(writers)
    whole = ledgers.batches(1)
    assert [batch for found in seen for batch, count in found.items() if count != whole[batch]] == []


def test_a_shard_that_does_not_flush_loses_records(shard: Shard) -> None:
    """Validates the method: a cut must lose what was acknowledged."""
    stores = OneCluster(shard.rig)
    ledgers = Ledgers(shard.rig, stores.database)
    with Service(PLACE, CONFIG, stores=stores) as service:
        shard.server.ask(f"ALTER TABLE {stores.database}.ledger MODIFY SETTING {NO_FLUSHES}")
        shard.sync()
        for number in range(BATCH_COUNT):
            service.write_all(call_record(f"w-{number * BATCH_SIZE + n}") for n in range(BATCH_SIZE))
        before = ledgers.batches(1)
        shard.cut()
        assert before - ledgers.batches(1)
