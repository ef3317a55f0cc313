"""Each file system call of a workload fails in turn, once or until there is space again."""

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

from faults import shim, workload
from faults.campaign import Campaign, Tally, Unit
from faults.conftest import Tell
from faults.feed import Feed
from faults.forked import Workloads
from faults.model import Model, verdict
from faults.served import CONFIG
from faults.shim import Call, Fault

KINDS = {
    "EIO once": (errno.EIO, False),
    "ENOSPC once": (errno.ENOSPC, False),
    "ENOSPC until there is space": (errno.ENOSPC, True),
}
JOURNAL = "journal/"
BACKGROUND = ("seal", "maintain")
"""Steps that a service does by itself and tries again whatever they raise."""


@dataclass(frozen=True)
class Ran:
    """What a workload printed, and the calls that it made."""

    steps: list[dict[str, Any]]
    calls: list[Call]

    def of(self, step: str) -> list[dict[str, Any]]:
        return [line for line in self.steps if line["step"] == step]

    @property
    def acknowledged(self) -> set[int]:
        return {line["batch"] for line in self.of("write") if line.keys() == {"step", "batch"}}


def run_workload(workloads: Workloads, directory: Path, seed: str, fault: Fault) -> Ran:
    """Runs the workload over a new data directory, with a fault."""
    log = directory / "calls.log"
    log.touch()
    data = directory / "data"
    printed = workloads.run(data, seed, log, shim.settings(data, log, fault))
    return Ran([json.loads(line) for line in printed.splitlines()], shim.calls_in(log))


@pytest.fixture(scope="module")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workloads]:
    with contextlib.closing(Workloads(shim.build(tmp_path_factory.mktemp("shim")))) as workloads:
        yield workloads


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_acknowledged_survives_calls_that_fail(
    kind: str, workloads: Workloads, tmp_path: Path, tell: Tell
) -> None:
    (tmp_path / "count").mkdir()
    calls = run_workload(workloads, tmp_path / "count", "count", Fault()).calls
    last = max(call.number for call in calls)
    assert last > 50
    everything = [Fault(at, *KINDS[kind]) for at in range(1, last + 1)]
    campaign = Campaign(f"failing call, {kind}", "PEGCOUNT_FAULT_CALLS", 3, all_count=len(everything))
    chosen = everything
    if campaign.cycle_count < len(everything):
        chosen = random.Random(campaign.seed).sample(everything, campaign.cycle_count)
    tell(campaign.run(tmp_path, lambda unit: one_fault(workloads, unit, chosen[unit.number])))


def one_fault(workloads: Workloads, unit: Unit, fault: Fault) -> Tally:
    """Runs the workload with one fault, and checks what is left without it."""
    ran = run_workload(workloads, unit.directory, unit.seed, fault)
    check_steps(ran, fault)
    assert shim.retried_flushes(ran.calls) == [], fault
    assert answers_without_flush(ran.calls) == [], fault
    feed = feed_as_written(unit.seed, ran)
    with contextlib.closing(EmbeddedStore(unit.directory / "data", CONFIG)) as store:
        seen = verdict(store, Model([feed]))
    assert seen.is_clean, f"{fault}: {seen}"
    return seen


def feed_as_written(seed: str, ran: Ran) -> Feed:
    feed = workload.feed_of(seed)
    for _ in range(workload.ROUNDS * workload.BATCHES_PER_ROUND):
        feed.next_batch()
    feed.acknowledged |= ran.acknowledged
    return feed


def check_steps(ran: Ran, fault: Fault) -> None:
    """Refusals are told as what they are, reads go on, and in the end everything is taken."""
    told = [line for line in ran.steps if "fault" in line or "error" in line]
    assert [line for line in told if "fault" in line and line["step"] not in BACKGROUND] == [], fault
    refusals = {line["error"] for line in told if line["step"] == "write"}
    assert refusals <= {"StoreReadOnlyError"}, (fault, told)
    assert [line for line in told if line["step"] == "read"] == [], fault
    assert ran.of("resumed")[-1]["left"] == 0, (fault, told)


def answers_without_flush(calls: list[Call]) -> list[str]:
    """Batches that were answered though what was written for them was not flushed in between."""
    wrong: list[str] = []
    since: list[Call] = []
    failed: set[int] = set()
    for call in calls:
        if call.name == "submit":
            since = []
        elif call.name == "answer" and not _ends_in_flush(since, failed):
            wrong.append(call.file)
        since.append(call)
        if call.is_sync and call.error:
            failed.add(call.descriptor)
    return wrong


def _ends_in_flush(calls: list[Call], failed: set[int]) -> bool:
    """Whether a file of the journal was written and then flushed, over a descriptor that never failed to."""
    written: set[int] = set()
    for call in calls:
        if call.file.startswith(JOURNAL) and not call.error:
            if call.name.startswith(("write", "pwrite")):
                written.add(call.descriptor)
            elif call.is_sync and call.descriptor in written - failed:
                return True
    return False
