"""Writers that race, die and freeze leave what one writer would leave, and so do shards that do.

PEGCOUNT_CLICKHOUSE_RACE is how many batches are acknowledged at least.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import seeds

from clickhouse.conftest import Drill
from clickhouse.race import WRITER_COUNT, Race
from clickhouse.race_requests import KEY_COUNT, expected_rows
from clickhouse.rig import LONG, Rig

BATCH_COUNT = int(os.environ.get("PEGCOUNT_CLICKHOUSE_RACE", "3000" if LONG else "24"))
SEED_COUNT = 3 if LONG else 1
BATCHES_BETWEEN = 10 if LONG else 4


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path / "rig") as rig:
        yield rig


@pytest.mark.parametrize("number", range(SEED_COUNT))
def test_a_race_leaves_what_one_writer_would_leave(
    rig: Rig, tmp_path: Path, drill: Drill, number: int
) -> None:
    source = seeds.chance("race", number)
    start_s = time.monotonic()
    with Race(rig, tmp_path, source) as race:
        happenings = [race.kill_shard, race.kill_writer, race.delete_erase_and_retain]
        if LONG:
            happenings += [race.freeze_shard, race.freeze_writer, race.lose_commit]
        happened = 0
        while race.faults == [] and (len(race.acknowledged()) < BATCH_COUNT or happened < len(happenings)):
            race.wait_for_batches(BATCHES_BETWEEN)
            # Each of them once, and then at random.
            happening = happenings[happened] if happened < len(happenings) else source.choice(happenings)
            happening()
            race.events[happening.__name__] += 1
            happened += 1
        race.wait_for_batches(BATCHES_BETWEEN)
        assert race.faults == []
        race.finish()
        requests = race.acknowledged()
        expected = expected_rows(requests, is_ruled=True)
        drill.note("OK", time.monotonic() - start_s, f"{len(requests)} batches, {dict(race.events)}")
        race.require(expected)
        assert race.faults == []
        # Otherwise nothing was compared, or nobody raced.
        assert len(expected) >= KEY_COUNT // 2
        assert race.events["lost"] > 0
        if LONG:
            assert race.skipped_count() > 0
            assert race.events["joined"] > 0


def test_without_compare_and_swap_the_race_is_lost(rig: Rig, tmp_path: Path) -> None:
    with Race(rig, tmp_path, seeds.chance("race"), tokens="unique") as race:
        for _ in range(100):
            if race.faults == []:
                race.wait_for_batches(WRITER_COUNT)
        if race.faults == []:
            race.finish()
            with pytest.raises(AssertionError, match="records instead of"):
                race.require(expected_rows(race.acknowledged(), is_ruled=False))
