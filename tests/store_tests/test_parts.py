"""A record of many parts is one record, and takes no more parts than the store allows."""

from dataclasses import replace
from pathlib import Path

from pegcount.config import Tuning
from pegcount.v1 import records_pb2

from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness, batch, finished, session_ids

PART_COUNT = 200
LEAST_LIMIT = replace(MANUAL_MAINTENANCE, tuning=Tuning(record_versions_bytes_max=0))


def test_more_parts_than_a_record_may_have_are_rejected_one_by_one(tmp_path: Path) -> None:
    def parts(first: int) -> bytes:
        numbers = range(first, first + PART_COUNT)
        return batch(finished("other"), *(finished("call", part=number) for number in numbers))

    with StoreHarness(tmp_path / "store", LEAST_LIMIT) as harness:
        # A batch is looked at before it is journaled: the first one finds a record without parts.
        assert harness.store.write(parts(0)).rejected == ()
        for _ in range(2):
            rejected = harness.store.write(parts(1_000)).rejected
            assert [one.index for one in rejected] == list(range(1, PART_COUNT + 1))
            assert {one.reason for one in rejected} == {records_pb2.REJECT_REASON_TOO_MANY_PARTS}
            assert rejected[0].description == (
                "the parts of session_id take more than 0 bytes (record_versions_bytes_max)"
            )
            harness.flush()
        assert sorted(session_ids(harness.store)) == ["call", "other"]
        harness.reopen()
        assert sorted(session_ids(harness.store)) == ["call", "other"]
