"""Batches are sent twice, out of order and over streams that break: figures stay those of one delivery."""

from pathlib import Path

from faults.campaign import Campaign, Tally, Unit, with_recovery
from faults.conftest import Tell
from faults.feed import RECORD_COUNT_MAX
from faults.model import Model, check_figures, verdict_of_copy
from faults.process import serving
from faults.test_kill import FEED_COUNT, new_feeds
from faults.writers import write_all

RECORDS_PER_UNIT = 20_000
BATCHES_PER_FEED = RECORDS_PER_UNIT // (FEED_COUNT * RECORD_COUNT_MAX // 2)
SECONDS_MAX = 240


def test_what_is_sent_again_counts_once(tmp_path: Path, tell: Tell) -> None:
    tell(
        Campaign("streams that break", "PEGCOUNT_FAULT_RECORDS", 20_000, RECORDS_PER_UNIT).run(
            tmp_path, one_delivery
        )
    )


def one_delivery(unit: Unit) -> Tally:
    """Delivers some batches over streams that break, and compares what is held before and after a stop."""
    data = unit.directory / "data"
    data.mkdir()
    feeds = new_feeds(unit.seed)
    model = Model(feeds)
    with serving(data) as served:
        write_all(feeds, served.address, BATCHES_PER_FEED, SECONDS_MAX, unit.seed)
        check_figures(served, model)
        served.stop()
    seen = verdict_of_copy(data, model)
    with serving(data) as served:
        check_figures(served, model)
        return with_recovery(seen, served.ready_seconds)
