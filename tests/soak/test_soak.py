"""Half of the sustainable load for half an hour, at a constant volume of data: nothing grows.

The events move on through the days of a calendar, and retention drops the days behind them.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from load.pinned_server import CLIENT_CORES, PinnedServer

from soak.callers import CALL_KINDS, Callers, Outcomes
from soak.events import RECORDS_PER_BATCH, MovingDays
from soak.samples import Sample, Sampler, drift, slope_per_minute, table

_ROOT = Path(__file__).parents[2]
_SECONDS = float(os.environ.get("PEGCOUNT_SOAK_SECONDS", "1800"))
_DAYS_OF_SOAK = 60
"""UTC days of the setup times that pass in the time of the soak."""
_SEALS_PER_DAY = 6
_DAYS_RETAINED = 8
_CALLER_COUNTS = (1, 2, 4, 8)
_CLOSED_SECONDS = 3.0
_P99_MS_MAX = 100.0
_MIB_PER_MINUTE_MAX = {"rss_mib": 1.0, "anonymous_mib": 1.0, "journal_mib": 2.0}
_MIB_NOISE = 5.0
"""Memory and journal go up and down by this from seal to seal, which a short soak cannot tell from growth."""
_DRIFT_MAX = {"files": 3.0, "threads": 8.0, "segments": 5.0, "active": 80.0}
"""By how much the medians of the first and the last third may differ: pools start and end threads,
compactions replace segments, and some sessions begin or end between two samples."""
_WINDOW_SECONDS = 1_200.0
"""The last part of the soak, in which nothing may grow; of a shorter soak, its last two thirds."""


@pytest.fixture(autouse=True)
def _on_the_core_of_the_clients() -> None:
    os.sched_setaffinity(0, CLIENT_CORES)


def test_nothing_grows_under_half_of_the_sustainable_load(tmp_path: Path) -> None:
    day_seconds = _SECONDS / _DAYS_OF_SOAK
    program = ["-m", "soak.served", str(tmp_path / "data"), str(day_seconds / _SEALS_PER_DAY)]
    server = PinnedServer(tmp_path / "data", tmp_path / "log", program=program)
    try:
        callers = Callers(server.address, MovingDays(day_seconds), max(_CALLER_COUNTS))
        sampler = Sampler(server.pid, tmp_path / "data", server.address)
        rate = sustainable_rate(callers) / 2
        # The sums of records and bytes, once what the callers wrote is sealed.
        time.sleep(2 * day_seconds / _SEALS_PER_DAY + 2)
        sampler.set_retention(retained_bytes(sampler, rate, day_seconds))
        with sampler:
            outcomes = callers.open_loop(rate, _SECONDS)
        callers.close()
        check(sampler.samples, outcomes, rate)
        server.stop()
    finally:
        server.kill()


def sustainable_rate(callers: Callers) -> float:
    """Returns the highest rate of a closed loop whose p99 is below the limit."""
    callers.closed_loop(1, _CLOSED_SECONDS)
    loads = [callers.closed_loop(count, _CLOSED_SECONDS) for count in _CALLER_COUNTS]
    assert [load.failed() for load in loads] == [{}] * len(loads)
    return max(load.rate for load in loads if load.p99_ms < _P99_MS_MAX)


def retained_bytes(sampler: Sampler, rate: float, day_seconds: float) -> int:
    """Returns about the bytes of the segments of some days at a rate of calls."""
    info = sampler.info()
    bytes_per_record = info.segment_bytes / max(1, info.records - info.unsealed_records)
    # A third of the records of a batch are new sessions.
    sessions_per_day = rate / CALL_KINDS * RECORDS_PER_BATCH / 3 * day_seconds
    return int(_DAYS_RETAINED * sessions_per_day * bytes_per_record)


def check(samples: list[Sample], outcomes: Outcomes, rate: float) -> None:
    window_seconds = min(_WINDOW_SECONDS, _SECONDS * 2 / 3)
    window = [sample for sample in samples if sample.second >= _SECONDS - window_seconds]
    growth = {name: slope_per_minute(window, name) for name in _MIB_PER_MINUTE_MAX}
    drifts = {name: drift(window, name) for name in _DRIFT_MAX}
    report(samples, outcomes, rate, growth, drifts)
    assert outcomes.failed() == {}
    noise = _MIB_NOISE * 60 / window_seconds
    assert {name: by for name, by in growth.items() if by >= max(_MIB_PER_MINUTE_MAX[name], noise)} == {}
    assert {name: by for name, by in drifts.items() if abs(by) > _DRIFT_MAX[name]} == {}


def report(
    samples: list[Sample],
    outcomes: Outcomes,
    rate: float,
    growth: dict[str, float],
    drifts: dict[str, float],
) -> None:
    """Prints the figures, and writes them to `.cache/soak/`."""
    lines = [
        f"{_SECONDS:g} s at {rate:,.1f} calls/s, half of the sustainable load; "
        f"{len(outcomes.statuses):,} calls, failed: {outcomes.failed()}, p99 {outcomes.p99_ms:.1f} ms",
        table(samples),
        "per minute: " + ", ".join(f"{name} {slope:+.2f}" for name, slope in growth.items()),
        "last third over first: " + ", ".join(f"{name} {by:+g}" for name, by in drifts.items()),
    ]
    folder = _ROOT / ".cache" / "soak"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}.txt").write_text(
        "\n".join(lines) + "\n", encoding="utf-8"
    )
    print("\n" + "\n".join(lines))
