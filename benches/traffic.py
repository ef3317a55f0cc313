"""Seeded call records over thirty days with a daily curve, for benches."""

from collections.abc import Iterator

import numpy as np
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest
from pegcount.zone import US_PER_DAY, US_PER_SECOND

FROM_US = 1_772_323_200_000_000
"""2026-03-01T00:00:00Z, the start of the traffic."""
DAYS = 30
BATCH_ROWS = 5_000


def batches(record_count: int, seed: int) -> Iterator[WriteRecordsRequest]:
    """Yields batches of finished calls; deterministic for count and seed."""
    random = np.random.default_rng(seed)
    for first in range(0, record_count, BATCH_ROWS):
        rows = range(first, min(first + BATCH_ROWS, record_count))
        yield WriteRecordsRequest(records=[_call(row, random) for row in rows])


def _call(row: int, random: np.random.Generator) -> SessionRecord:
    """Builds a call; its hour is drawn from a curve that peaks in the afternoon."""
    hour = float(np.clip(random.normal(14, 4), 0, 23.99))
    setup_us = FROM_US + int(random.integers(DAYS)) * US_PER_DAY + int(hour * 3_600 * US_PER_SECOND)
    answered = random.random() < 0.55
    talk_us = int(random.exponential(180) * US_PER_SECOND) if answered else 0
    record = SessionRecord(
        source="bench",
        session_id=f"{row:012d}",
        app_id=min(int(random.zipf(1.5)), 100),
        tenant_id=int(random.integers(20)),
        company="acme",
        organization="support",
        folder=f"folder-{random.integers(64)}",
        agent_id=f"agent-{random.integers(1_000)}",
        account_id=str(1_000 + min(int(random.zipf(1.3)), 500)),
        dst_prefix_routing=f"44207946{random.integers(10_000):04d}",
        auth_orig_ip=f"198.51.100.{random.integers(256)}",
    )
    record.setup_time.FromMicroseconds(setup_us)
    if answered:
        record.answer_time.FromMicroseconds(setup_us + 5 * US_PER_SECOND)
    record.end_time.FromMicroseconds(setup_us + 5 * US_PER_SECOND + talk_us)
    return record
