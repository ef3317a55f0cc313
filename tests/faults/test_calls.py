"""Each file system call of a workload fails in turn, once or until the disk has space again."""

import contextlib
import errno
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pegcount.store import EmbeddedStore
from store_tests.party_files import files_with

from faults import shim, workload
from faults.campaign import Campaign, Tally, Unit
from faults.conftest import AddToTable
from faults.feed import Feed
from faults.forked import ForkServer
from faults.model import Model, compare_store
from faults.served import CONFIG
from faults.shim import Call, Fault

KINDS = {
    "EIO once": (errno.EIO, False),
    "ENOSPC once": (errno.ENOSPC, False),
    "ENOSPC until there is space": (errno.ENOSPC, True),
}
JOURNAL = "journal/"
BACKGROUND = ("seal", "maintain")
"""Steps that a service runs by itself and retries after any error."""


@dataclass(frozen=True)
class WorkloadRun:
    """The printed steps of a workload, and its file system calls."""

    steps: list[dict[str, Any]]
    calls: list[Call]

    def steps_named(self, step: str) -> list[dict[str, Any]]:
        return [line for line in self.steps if line["step"] == step]

    @property
    def acknowledged(self) -> set[int]:
        return {line["batch"] for line in self.steps_named("write") if line.keys() == {"step", "batch"}}


def run_workload(fork_server: ForkServer, directory: Path, seed: str, fault: Fault) -> WorkloadRun:
    """Runs the workload over a new data directory with a fault."""
    log = directory / "calls.log"
    log.touch()
    data = directory / "data"
    printed = fork_server.run(data, seed, log, shim.settings(data, log, fault))
    return WorkloadRun([json.loads(line) for line in printed.splitlines()], shim.calls_in(log))


@pytest.fixture(scope="module")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with contextlib.closing(ForkServer(shim.build(tmp_path_factory.mktemp("shim")))) as fork_server:
        yield fork_server


@pytest.mark.parametrize("kind", KINDS)
def test_acknowledged_records_survive_failing_calls(
    kind: str, fork_server: ForkServer, tmp_path: Path, add_to_table: AddToTable
) -> None:
    (tmp_path / "count").mkdir()
    calls = run_workload(fork_server, tmp_path / "count", "count", Fault()).calls
    last = max(call.number for call in calls)
    assert last > 50
    everything = [Fault(at, *KINDS[kind]) for at in range(1, last + 1)]
    campaign = Campaign(f"failing call, {kind}", "PEGCOUNT_FAULT_CALLS", 3, all_count=len(everything))
    chosen = everything
    if campaign.cycle_count < len(everything):
        chance = random.Random(campaign.seed)
        chosen = chance.sample(everything, campaign.cycle_count)
    add_to_table(campaign.run(tmp_path, lambda unit: run_with_fault(fork_server, unit, chosen[unit.number])))


def run_with_fault(fork_server: ForkServer, unit: Unit, fault: Fault) -> Tally:
    """Runs the workload with one fault, and checks the remaining data without it."""
    run = run_workload(fork_server, unit.directory, unit.seed, fault)
    check_steps(run, fault)
    assert shim.retried_flushes(run.calls) == [], fault
    assert answers_without_flush(run.calls) == [], fault
    [erased] = run.steps_named("erased")
    assert files_with(unit.directory / "data", erased["numbers"]) == {}, fault
    feed = feed_as_written(unit.seed, run)
    with contextlib.closing(EmbeddedStore(unit.directory / "data", CONFIG)) as store:
        seen = compare_store(store, Model([feed]))
    assert seen.is_clean, f"{fault}: {seen}"
    return seen


def feed_as_written(seed: str, run: WorkloadRun) -> Feed:
    feed = workload.feed_of(seed)
    for _ in range(workload.ROUNDS * workload.BATCHES_PER_ROUND):
        feed.next_batch()
    feed.acknowledged |= run.acknowledged
    return feed


def check_steps(run: WorkloadRun, fault: Fault) -> None:
    """Asserts the right type of refusals, successful reads, and that everything is accepted in the end."""
    failures = [line for line in run.steps if "fault" in line or "error" in line]
    assert [line for line in failures if "fault" in line and line["step"] not in BACKGROUND] == [], fault
    refusals = {line["error"] for line in failures if line["step"] == "write"}
    assert refusals <= {"StoreReadOnlyError"}, (fault, failures)
    assert [line for line in failures if line["step"] == "read"] == [], fault
    names = ("delete", "write deleted", "erase", "mask", "scrub")
    deleted = [line for name in names for line in run.steps_named(name)]
    assert {line["error"] for line in deleted if "error" in line} <= {"StoreReadOnlyError"}, (fault, deleted)
    assert all(line["is_as_expected"] for line in run.steps_named("deleted")), (fault, run.steps)
    assert run.steps_named("resumed")[-1]["left"] == 0, (fault, failures)


def answers_without_flush(calls: list[Call]) -> list[str]:
    """Returns the batches that were answered although their journal writes were not flushed before."""
    unflushed: list[str] = []
    calls_since_submit: list[Call] = []
    failed: set[int] = set()
    for call in calls:
        if call.name == "submit":
            calls_since_submit = []
        elif call.name == "answer" and not _ends_in_flush(calls_since_submit, failed):
            unflushed.append(call.file)
        calls_since_submit.append(call)
        if call.is_sync and call.error:
            failed.add(call.descriptor)
    return unflushed


def _ends_in_flush(calls: list[Call], failed: set[int]) -> bool:
    """Returns whether a journal file was written and then flushed over a descriptor that never failed."""
    written: set[int] = set()
    for call in calls:
        if call.file.startswith(JOURNAL) and not call.error:
            if call.name.startswith(("write", "pwrite")):
                written.add(call.descriptor)
            elif call.is_sync and call.descriptor in written - failed:
                return True
    return False
