"""Power is cut during ingest, so that only data on the disk survives."""

import contextlib
import random
import time
from pathlib import Path

import pytest
from pegcount.errors import PegcountError
from pegcount.store import EmbeddedStore

from faults import image, shim
from faults.campaign import Campaign, Tally, Unit, with_recovery
from faults.conftest import AddToTable
from faults.feed import Feed
from faults.model import Model, check_figures, compare_copy, compare_store
from faults.process import ServiceProcess, serving
from faults.served import CONFIG
from faults.test_kill import new_feeds
from faults.writers import Writer

CUTS_PER_UNIT = 3
TRIES_MAX = 3


@pytest.fixture
def loop_devices(tmp_path: Path) -> None:
    image.needs_loop_devices(tmp_path)


@pytest.mark.usefixtures("loop_devices")
def test_acknowledged_records_survive_power_cuts(tmp_path: Path, add_to_table: AddToTable) -> None:
    add_to_table(Campaign("power cut", "PEGCOUNT_FAULT_CUTS", 3, CUTS_PER_UNIT).run(tmp_path, cut_repeatedly))


def cut_repeatedly(unit: Unit) -> Tally:
    """Cuts the power of one file system repeatedly; the store continues with the surviving data."""
    chance = random.Random(unit.seed)
    disk = image.PowerCutImage(unit.directory / "disk.img", unit.directory / "disk")
    feeds = new_feeds(unit.seed)
    model, total = Model(feeds), Tally()
    for _ in range(CUTS_PER_UNIT):
        with disk.mounted() as root:
            write_and_cut(disk, root / "data", feeds, chance.uniform(0.05, 2.0))
        with disk.mounted() as root:
            seen = compare_copy(root / "data", model)
            total += Tally(1, 0, seen.lost, seen.duplicated, seen.partial)
            with serving(root / "data") as service:
                total = with_recovery(total, service.ready_seconds)
                check_figures(service, model)
                service.stop()
    assert seen.acknowledged > 0
    return total + Tally(acknowledged=seen.acknowledged)


def write_and_cut(disk: image.PowerCutImage, data: Path, feeds: list[Feed], seconds: float) -> None:
    """Writes for some seconds and cuts the power; the service itself is killed a moment later."""
    data.mkdir(exist_ok=True)
    with serving(data) as service:
        write_until_cut(disk, service, feeds, seconds)


def write_until_cut(
    disk: image.PowerCutImage, service: ServiceProcess, feeds: list[Feed], seconds: float
) -> None:
    writers = [Writer(feed, service.address, pause_seconds=0.02) for feed in feeds]
    for writer in writers:
        writer.start()
    # The load itself: the cut falls anywhere within the writing.
    time.sleep(seconds)
    disk.cut()
    # The load itself: the service goes on writing. A batch acknowledged after the cut would be reported as
    # lost.
    time.sleep(0.1)
    service.kill()
    for writer in writers:
        writer.end()


@pytest.mark.usefixtures("loop_devices")
def test_a_store_without_flushes_loses_records(tmp_path: Path) -> None:
    """Validates the method: without flushes, a cut must lose acknowledged records."""
    library = shim.build(tmp_path)
    attempts = (loses_records_without_flushes(tmp_path / f"try{i}", library) for i in range(TRIES_MAX))
    assert any(attempts)


def loses_records_without_flushes(directory: Path, library: Path) -> bool:
    """Returns whether a cut loses acknowledged records of a store whose flushes do nothing."""
    directory.mkdir()
    disk = image.PowerCutImage(directory / "disk.img", directory / "disk")
    feeds = new_feeds(directory.name, 1)
    with disk.mounted() as root:
        data = root / "data"
        data.mkdir()
        with contextlib.closing(EmbeddedStore(data, CONFIG, create=True)):
            disk.sync()
        disk.sync()
        with serving(data, shim.without_flushes(library, data)) as service:
            write_until_cut(disk, service, feeds, seconds=0.5)
    assert feeds[0].acknowledged
    with disk.mounted() as root:
        return has_lost_records(root / "data", Model(feeds))


def has_lost_records(data: Path, model: Model) -> bool:
    try:
        with contextlib.closing(EmbeddedStore(data, CONFIG)) as store:
            return not compare_store(store, model).is_clean
    except (PegcountError, AssertionError) as error:
        print(f"the store says: {error}")
        return True
