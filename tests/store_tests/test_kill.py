"""A writing process is killed repeatedly; every acknowledged batch must survive exactly once."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import seeds
from pegcount.model import Present
from pegcount.store import EmbeddedStore

from store_tests import writer
from store_tests.store_fixtures import session_ids


def test_nothing_acknowledged_is_lost_or_doubled_when_the_process_is_killed(tmp_path: Path) -> None:
    chance = seeds.chance("kill a writer")
    seed = chance.randrange(10**6)
    acknowledged = 0
    for _ in range(6):
        acknowledged = write_and_kill(tmp_path, acknowledged, seed, chance)
        with contextlib.closing(EmbeddedStore(tmp_path, writer.CONFIG)) as store:
            check_killed(store, acknowledged, seed)


def write_and_kill(directory: Path, first: int, seed: int, chance: random.Random) -> int:
    """Runs a writer from batch `first` on, kills it, and returns the count of all acknowledged batches."""
    after = chance.randrange(1, 30)
    command = [sys.executable, str(Path(writer.__file__)), str(directory), str(first), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        for _ in range(after):
            process.stdout.readline()
        # The load itself: the kill falls anywhere within the next batch or its flush.
        time.sleep(chance.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split("\n")[:-1]
    return first + after + len(rest)


def check_killed(store: EmbeddedStore, acknowledged: int, seed: int) -> None:
    """Asserts that all acknowledged batches are stored, and the batch in flight as a whole or not at all."""
    found = session_ids(store)
    assert len(found) == len(set(found))
    sizes = dict.fromkeys(range(acknowledged), writer.ROWS_PER_BATCH)
    per_batch = dict.fromkeys(sizes, 0)
    for name in found:
        number = int(name.partition("/")[0])
        per_batch[number] = per_batch.get(number, 0) + 1
    in_flight = per_batch.pop(acknowledged, 0)
    assert per_batch == sizes
    assert in_flight in (0, writer.ROWS_PER_BATCH)
    last = acknowledged if in_flight else acknowledged - 1
    expected = [name for name, _ in writer.active_calls_of(last, seed)]
    assert sorted(session_ids(store, [Present("end_time", wanted=False)])) == sorted(expected)
    assert store.info().records == len(found)
    # Like a client without an answer, sends the last batch again: it must change nothing.
    outcome = store.write(writer.batch(last, seed).SerializeToString())
    assert (outcome.accepted, outcome.replaced) == (0, 0)
