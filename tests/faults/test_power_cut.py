"""Power is cut under ingest: what had reached the disk is all that is left."""

import contextlib
import random
import time
from pathlib import Path

import pytest
from pegcount.errors import PegcountError
from pegcount.store import EmbeddedStore

from faults import image, shim
from faults.campaign import Campaign, Tally, Unit, with_recovery
from faults.conftest import Tell
from faults.feed import Feed
from faults.model import Model, check_figures, verdict, verdict_of_copy
from faults.process import Served, serving
from faults.served import CONFIG
from faults.test_kill import new_feeds
from faults.writers import Writer

CUTS_PER_UNIT = 3
TRIES_MAX = 3


@pytest.fixture
def loop_devices(tmp_path: Path) -> None:
    image.needs_loop_devices(tmp_path)


@pytest.mark.usefixtures("loop_devices")
def test_what_was_acknowledged_survives_power_cuts(tmp_path: Path, tell: Tell) -> None:
    tell(Campaign("power cut", "PEGCOUNT_FAULT_CUTS", 3, CUTS_PER_UNIT).run(tmp_path, one_image))


def one_image(unit: Unit) -> Tally:
    """Cuts the power of one file system again and again; the store goes on with what each cut left."""
    chance = random.Random(unit.seed)
    disk = image.PowerCutImage(unit.directory / "disk.img", unit.directory / "disk")
    feeds = new_feeds(unit.seed)
    model, total = Model(feeds), Tally()
    for _ in range(CUTS_PER_UNIT):
        with disk.mounted() as root:
            write_and_cut(disk, root / "data", feeds, chance.uniform(0.05, 2.0))
        with disk.mounted() as root:
            seen = verdict_of_copy(root / "data", model)
            total += Tally(1, 0, seen.lost, seen.duplicated, seen.partial)
            with serving(root / "data") as served:
                total = with_recovery(total, served.ready_seconds)
                check_figures(served, model)
                served.stop()
    assert seen.acknowledged > 0
    return total + Tally(acknowledged=seen.acknowledged)


def write_and_cut(disk: image.PowerCutImage, data: Path, feeds: list[Feed], seconds: float) -> None:
    """Writes for a time and cuts the power; the service itself is killed a moment later."""
    data.mkdir(exist_ok=True)
    with serving(data) as served:
        write_until_cut(disk, served, feeds, seconds)


def write_until_cut(disk: image.PowerCutImage, served: Served, feeds: list[Feed], seconds: float) -> None:
    writers = [Writer(feed, served.address, pause_seconds=0.02) for feed in feeds]
    for writer in writers:
        writer.start()
    time.sleep(seconds)
    disk.cut()
    # Nothing may be acknowledged any more, and what is would show as lost.
    time.sleep(0.1)
    served.kill()
    for writer in writers:
        writer.end()


@pytest.mark.usefixtures("loop_devices")
def test_a_store_that_does_not_flush_is_caught(tmp_path: Path) -> None:
    """Else a cut that loses nothing would prove nothing."""
    library = shim.build(tmp_path)
    lost = (acknowledged_and_lost(tmp_path / f"try{i}", library) for i in range(TRIES_MAX))
    assert any(lost)


def acknowledged_and_lost(directory: Path, library: Path) -> bool:
    """Whether a cut takes what a store acknowledged whose flushes do nothing."""
    directory.mkdir()
    disk = image.PowerCutImage(directory / "disk.img", directory / "disk")
    feeds = new_feeds(directory.name, 1)
    with disk.mounted() as root:
        data = root / "data"
        data.mkdir()
        with contextlib.closing(EmbeddedStore(data, CONFIG)):
            disk.sync()
        disk.sync()
        with serving(data, shim.without_flushes(library, data)) as served:
            write_until_cut(disk, served, feeds, seconds=0.5)
    assert feeds[0].acknowledged
    with disk.mounted() as root:
        return is_lost(root / "data", Model(feeds))


def is_lost(data: Path, model: Model) -> bool:
    try:
        with contextlib.closing(EmbeddedStore(data, CONFIG)) as store:
            return not verdict(store, model).is_clean
    except (PegcountError, AssertionError) as error:
        print(f"the store says: {error}")
        return True
