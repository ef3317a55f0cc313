"""Random versions of few sessions over several days."""

import random

from pegcount.v1 import records_pb2

FIRST_DAY = 20_540
DAY_COUNT = 5
KEY_COUNT = 60
_DAY_US = 86_400_000_000

Request = records_pb2.WriteRecordsRequest


def random_batch(source: random.Random) -> Request:
    """Returns a batch of a few versions."""
    request = Request()
    for _ in range(source.randrange(1, 8)):
        _fill(request.records.add(), source)
    return request


def _fill(record: records_pb2.SessionRecord, source: random.Random) -> None:
    number = source.randrange(KEY_COUNT)
    # Each id has a day of its own, and versions on the days beside it: they join in gaps and from both ends.
    day = FIRST_DAY + (number + source.choice((0, 0, 0, 1, 2))) % DAY_COUNT
    setup_us = day * _DAY_US + 3_600_000_000 + number * 7_000_000 + source.choice((0, 0, 0, 1, 60_000_000))
    record.source, record.session_id = "switch", f"call-{number}"
    record.revision = source.randrange(3)
    record.setup_time.FromMicroseconds(setup_us)
    if source.random() < 0.6:
        record.account_id = source.choice("ABC")
    if source.random() < 0.5:
        record.answer_time.FromMicroseconds(setup_us + source.choice((5_000_000, 9_000_000)))
    if source.random() < 0.5:
        record.end_time.FromMicroseconds(setup_us + source.choice((50_000_000, 90_000_000)))
