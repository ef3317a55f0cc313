"""A process that erases and masks is killed, or its power is cut: no file has an erased number again."""

import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pegcount.core import CancelToken
from pegcount.model import Deletion
from pegcount.store import EmbeddedStore
from pegcount.store.check import check
from store_tests.party_files import files_with
from store_tests.store_fixtures import batch
from waiting import stays, wait_until

from faults import eraser, image
from faults.campaign import Campaign, Tally, Unit
from faults.conftest import AddToTable
from faults.served import CONFIG

KILLS_PER_UNIT = 5
CUTS_PER_UNIT = 2
NO_LIMIT = CancelToken(None)

Stop = Callable[["subprocess.Popen[str]"], None]


@pytest.fixture
def loop_devices(tmp_path: Path) -> None:
    image.needs_loop_devices(tmp_path)


def test_answered_erasures_survive_kills(tmp_path: Path, add_to_table: AddToTable) -> None:
    add_to_table(
        Campaign("erasing process killed", "PEGCOUNT_FAULT_KILLS", 5, KILLS_PER_UNIT).run(
            tmp_path, kill_repeatedly
        )
    )


@pytest.mark.usefixtures("loop_devices")
def test_answered_erasures_survive_power_cuts(tmp_path: Path, add_to_table: AddToTable) -> None:
    add_to_table(
        Campaign("power cut while erasing", "PEGCOUNT_FAULT_CUTS", 2, CUTS_PER_UNIT).run(
            tmp_path, cut_repeatedly
        )
    )


def kill_repeatedly(unit: Unit) -> Tally:
    """Kills the process repeatedly; the store goes on with the same directory."""
    chance = random.Random(unit.seed)
    data, rounds, total = unit.directory / "data", Rounds(), Tally()
    for _ in range(KILLS_PER_UNIT):
        rounds.run(data, chance, lambda process: process.send_signal(signal.SIGKILL))
        total += rounds.check(data)
    return total


def cut_repeatedly(unit: Unit) -> Tally:
    """Cuts the power of one file system repeatedly; the store goes on with what is left."""
    chance = random.Random(unit.seed)
    disk = image.PowerCutImage(unit.directory / "disk.img", unit.directory / "disk")
    rounds, total = Rounds(), Tally()

    def cut(process: "subprocess.Popen[str]") -> None:
        disk.cut()
        process.send_signal(signal.SIGKILL)

    for _ in range(CUTS_PER_UNIT):
        with disk.mounted() as root:
            rounds.run(root / "data", chance, cut)
        with disk.mounted() as root:
            total += rounds.check(root / "data")
    return total


class Rounds:
    """The rounds of `eraser` over one directory, as its processes have printed them."""

    def __init__(self) -> None:
        self._written = 0
        self._erased = 0
        self._erasures = 0
        """Erasures of the directory that are certain."""
        self._is_masked = False

    def run(self, directory: Path, chance: random.Random, stop: Stop) -> None:
        """Runs a process from the next round on, and stops it at any moment."""
        command = [sys.executable, str(Path(eraser.__file__)), str(directory), str(self._written)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            lines = [process.stdout.readline() for _ in range(chance.randrange(1, 16))]
            # The end falls anywhere within the next write, erasure or masking.
            stays(lambda: process.poll() is None, chance.random() * 0.05)
            stop(process)
            lines += process.stdout.read().splitlines()
        begun = [line.split()[0] for line in lines if line]
        self._erased += begun.count("erased")
        self._erasures += begun.count("erased")
        self._written += begun.count("written")
        self._is_masked |= "masked" in begun

    def check(self, directory: Path) -> Tally:
        """Asserts what is left of all rounds, and erases what the last one did not."""
        copy = directory.with_name("copy")
        shutil.copytree(directory, copy)
        try:
            with closing(EmbeddedStore(copy, CONFIG)) as store:
                self._check_store(store, copy)
            assert check(copy, CONFIG).problems == []
        finally:
            shutil.rmtree(copy)
        with closing(EmbeddedStore(directory, CONFIG)) as store:
            # A round whose write was not acknowledged begins anew, and one that was erases once more.
            store.delete(Deletion(f"round {self._written}", once=True), NO_LIMIT)
            if len(store.erasures()) == self._erasures and self._erased < self._written:
                store.erase([eraser.number_of(self._erased)], NO_LIMIT)
            self._erased, self._erasures = self._written, len(store.erasures())
        return Tally(1, self._written * eraser.RECORDS)

    def _check_store(self, store: EmbeddedStore, directory: Path) -> None:
        is_masked = store.masking() is not None
        assert is_masked >= self._is_masked
        last_is_erased = len(store.erasures()) > self._erasures
        erased = range(self._erased + last_is_erased)
        for number in range(self._written):
            held = Deletion(f"round {number}")
            assert store.count_matching(held, NO_LIMIT) == eraser.RECORDS, number
        wait_until(lambda: is_done(store), "the rest of the erasures and of the masking")
        texts = [text for number in erased for text in eraser.forms_of(number)]
        if is_masked:
            texts += [eraser.kept_number(number) for number in range(self._written)]
        assert files_with(directory, texts) == {}
        for number in erased:
            assert store.count_parties([eraser.number_of(number)], NO_LIMIT) == 0
        if self._written > len(erased) and not is_masked:
            assert store.count_parties([eraser.number_of(len(erased))], NO_LIMIT) == eraser.RECORDS
        for number in range(self._written):
            # Who sends its records again, in the form that they had, sees no difference.
            assert store.write(batch(*eraser.records(number))).duplicates == eraser.RECORDS


def is_done(store: EmbeddedStore) -> bool:
    store.maintain()
    return all(each.is_complete for each in store.erasures()) and store.masking_backlog() == 0
