"""The log has a line for each flush and compaction."""

import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest

from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness, finished, write


def test_flushes_and_compactions_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with StoreHarness(tmp_path / "store", replace(MANUAL_MAINTENANCE, seal_row_count=2)) as harness:
        for first in range(0, 16, 2):
            write(harness.store, finished(f"f{first}"), finished(f"f{first + 1}"))
            harness.store.maintain()
    flushed = [each for each in caplog.messages if each.startswith("flushed")]
    assert len(flushed) == 8
    pattern = r"flushed the 2 finished records of memory into 1 segments of \d+ bytes in \d+ ms"
    assert all(re.fullmatch(pattern, each) for each in flushed)
    compacted = [each for each in caplog.messages if each.startswith("compacted")]
    assert re.fullmatch(r"compacted \d+ segments of \d+ bytes into 1 of \d+ bytes in \d+ ms", compacted[0])
    fields = next(vars(each)["fields"] for each in caplog.records if each.message == compacted[0])
    assert fields["old_segment_count"] > 1
    assert fields["old_segment_bytes"] > fields["segment_bytes"] > 0
