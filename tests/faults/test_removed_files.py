"""Another program removes, replaces or moves files of a serving process.

No acknowledged record is lost unnoticed. After the removal the process acknowledges nothing until it has
written the file anew. A kill in between is the one case that loses records; then the next start names the
file.
"""

import random
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pegcount.errors import DataDamagedError, StoreOpenError
from waiting import wait_until

from faults.campaign import Campaign, Tally, Unit
from faults.conftest import AddToTable
from faults.feed import Feed
from faults.model import Model, check_figures, compare_copy
from faults.process import ServiceProcess, serving
from faults.test_kill import new_feeds
from faults.writers import Writer, write_all

REMOVALS_PER_UNIT = 8
HEAL_SECONDS_MAX = 30.0
SECONDS_MAX = 1.0


def test_removed_files_lose_nothing_unnoticed(tmp_path: Path, add_to_table: AddToTable) -> None:
    campaign = Campaign("file removed", "PEGCOUNT_FAULT_REMOVALS", REMOVALS_PER_UNIT, REMOVALS_PER_UNIT)
    add_to_table(campaign.run(tmp_path, remove_repeatedly))


def remove_repeatedly(unit: Unit) -> Tally:
    """Removes files of the service over one data directory, each kind once, in random order."""
    chance = random.Random(unit.seed)
    data = unit.directory / "data"
    data.mkdir()
    feeds = new_feeds(unit.seed)
    model, total = Model(feeds), Tally()
    for remove in chance.sample(REMOVALS, REMOVALS_PER_UNIT):
        with serving(data) as service:
            write_around(service, feeds, chance, partial(remove, data))
            wait_for_health(service)
            # Batches whose stream broke before their answer may be stored, which the model does not know.
            for feed in feeds:
                write_all([feed], service.address, len(feed.batches), HEAL_SECONDS_MAX)
            check_figures(service, model)
            service.kill()
        seen = compare_copy(data, model)
        total += Tally(1, 0, seen.lost, seen.duplicated, seen.partial)
    assert seen.acknowledged > 0
    loss_is_noticed(data, chance, feeds)
    return total + Tally(acknowledged=seen.acknowledged)


def remove_journal(data: Path) -> None:
    for path in data.glob("journal/*"):
        path.unlink(missing_ok=True)


def remove_catalog(data: Path) -> None:
    (data / "catalog.db").unlink()


def replace_catalog(data: Path) -> None:
    shutil.copy(data / "catalog.db", data / "older.db")
    (data / "older.db").replace(data / "catalog.db")


def empty_catalog(data: Path) -> None:
    (data / "catalog.db").open("wb").close()


def overwrite_catalog(data: Path) -> None:
    shutil.copy(data / "catalog.db", data / "older.db")
    time.sleep(0.5)
    shutil.copy(data / "older.db", data / "catalog.db")


def remove_lock(data: Path) -> None:
    (data / "lock").unlink()


def empty_journal(data: Path) -> None:
    for path in data.glob("journal/*"):
        path.open("wb").close()


def move_directory(data: Path) -> None:
    moved = data.with_name("moved")
    data.rename(moved)
    # The load itself: for this time, the directory is away.
    time.sleep(0.5)
    moved.rename(data)


REMOVALS: list[Callable[[Path], None]] = [
    remove_journal,
    remove_catalog,
    replace_catalog,
    empty_catalog,
    overwrite_catalog,
    remove_lock,
    empty_journal,
    move_directory,
]


def write_around(
    service: ServiceProcess, feeds: list[Feed], chance: random.Random, remove: Callable[[], None]
) -> None:
    """Writes for a moment before and after a removal."""
    writers = [Writer(feed, service.address, pause_seconds=0.02) for feed in feeds]
    for writer in writers:
        writer.start()
    # The load itself: the removal falls anywhere within the writing.
    time.sleep(chance.uniform(0.1, SECONDS_MAX))
    remove()
    time.sleep(chance.uniform(0.1, SECONDS_MAX))
    for writer in writers:
        writer.end()


def wait_for_health(service: ServiceProcess) -> None:
    """Waits until the service takes records again."""
    try:
        wait_until(
            lambda: service.health("pegcount.v1.RecordService") == 1, "its health", HEAL_SECONDS_MAX, 0.05
        )
    except AssertionError as error:
        error.add_note(service.log.read_text())
        raise


def loss_is_noticed(data: Path, chance: random.Random, feeds: list[Feed]) -> None:
    """Kills the service just after its journal was removed: a start loses nothing, or names the file."""
    with serving(data) as service:
        write_around(service, feeds, chance, partial(remove_and_kill, data, service))
    refusal = ""
    try:
        assert compare_copy(data, Model(feeds)).is_clean
    except (DataDamagedError, StoreOpenError) as error:
        refusal = str(error)
    assert not refusal or "--accept-loss-of journal/" in refusal


def remove_and_kill(data: Path, service: ServiceProcess) -> None:
    remove_journal(data)
    service.kill()
