"""Batches are repeated, shuffled and sent over breaking streams; figures stay those of one delivery."""

from pathlib import Path

from faults.campaign import Campaign, Tally, Unit, with_recovery
from faults.conftest import AddToTable
from faults.feed import RECORD_COUNT_MAX
from faults.model import Model, check_figures, compare_copy
from faults.process import serving
from faults.test_kill import FEED_COUNT, new_feeds
from faults.writers import write_all

RECORDS_PER_UNIT = 20_000
BATCHES_PER_FEED = RECORDS_PER_UNIT // (FEED_COUNT * RECORD_COUNT_MAX // 2)
SECONDS_MAX = 240


def test_repeated_batches_count_once(tmp_path: Path, add_to_table: AddToTable) -> None:
    add_to_table(
        Campaign("streams that break", "PEGCOUNT_FAULT_RECORDS", 20_000, RECORDS_PER_UNIT).run(
            tmp_path, deliver_over_breaking_streams
        )
    )


def deliver_over_breaking_streams(unit: Unit) -> Tally:
    """Delivers batches over breaking streams, and compares the records before and after a restart."""
    data = unit.directory / "data"
    data.mkdir()
    feeds = new_feeds(unit.seed)
    model = Model(feeds)
    with serving(data) as service:
        write_all(feeds, service.address, BATCHES_PER_FEED, SECONDS_MAX, unit.seed)
        check_figures(service, model)
        service.stop()
    seen = compare_copy(data, model)
    with serving(data) as service:
        check_figures(service, model)
        return with_recovery(seen, service.ready_seconds)
