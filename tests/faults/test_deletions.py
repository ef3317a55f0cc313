"""A process that deletes is killed repeatedly: of each deletion all records go, with its rule, or none."""

import contextlib
import random
import signal
import subprocess
import sys
from pathlib import Path

import seeds
from pegcount.core import CancelToken
from pegcount.model import Deletion
from pegcount.store import EmbeddedStore
from store_tests.store_fixtures import batch
from waiting import stays

from faults import deleter
from faults.served import CONFIG

KILLS = 6


def test_a_killed_deletion_is_complete_or_did_not_begin(tmp_path: Path) -> None:
    chance = seeds.chance("kill a deletion")
    first = 0
    for _ in range(KILLS):
        lines = delete_and_kill(tmp_path / "data", first, chance)
        written = [line for line in lines if line.startswith("written")]
        deleted = [line for line in lines if line.startswith("deleted")]
        end = first + len(written)
        with contextlib.closing(EmbeddedStore(tmp_path / "data", CONFIG)) as store:
            for number in range(first, end):
                check_round(store, number, is_acknowledged=number < first + len(deleted))
            # A round whose write was not acknowledged begins anew.
            store.delete(Deletion(f"kept {end}", once=True), CancelToken(None))
            store.delete(Deletion(f"deleted {end}", once=True), CancelToken(None))
        first = end


def delete_and_kill(directory: Path, first: int, chance: random.Random) -> list[str]:
    """Runs the process from a round on, kills it, and returns what it had printed."""
    command = [sys.executable, str(Path(deleter.__file__)), str(directory), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        lines = [process.stdout.readline() for _ in range(chance.randrange(1, 16))]
        # The kill falls anywhere within the next write or deletion.
        stays(lambda: process.poll() is None, chance.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        return [*lines, *process.stdout.read().splitlines()]


def check_round(store: EmbeddedStore, number: int, *, is_acknowledged: bool) -> None:
    """Asserts what is left of a round whose write was acknowledged."""
    kept, deleted = (Deletion(f"{source} {number}") for source in ("kept", "deleted"))
    assert store.count_matching(kept, CancelToken(None)) == 4
    left = store.count_matching(deleted, CancelToken(None))
    assert left == 0 if is_acknowledged else left in (0, 4)
    has_rule = any(rule.source == deleted.source for rule in store.deletions())
    assert has_rule == (left == 0 and not deleter.is_once(number))
    outcome = store.write(batch(*deleter.records(number, "deleted")))
    assert len(outcome.rejected) == (4 if has_rule else 0)
    assert outcome.duplicates == left
