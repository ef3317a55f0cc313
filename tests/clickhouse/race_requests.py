"""The batches of a race, and the records that a store without races makes of them."""

import random
from collections.abc import Iterable

from conformance.memory_rows import Row
from conformance.memory_store import Disk, MemoryStore
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.model import Deletion, Retention
from pegcount.v1 import records_pb2

Request = records_pb2.WriteRecordsRequest

DAY_US = 86_400_000_000
TODAY = 20_600
NOW_US = TODAY * DAY_US + DAY_US // 2
CONFIG = Config()
RETENTION = Retention(days=60)
DELETION = Deletion(session_ids=tuple(f"call-{number}" for number in range(0, 60, 15)))
ERASED = "+15550199"
KEY_COUNT = 60
HOT_DAYS = range(TODAY - 30, TODAY - 24)
_OLD_DAY = TODAY - 90
"""Far from the first retained day: no record has versions on both sides of it."""
_SWITCH = "switch"


def random_request(source: random.Random, writer: int) -> Request:
    """Returns a batch: mostly versions of few calls, on which all writers work."""
    chance = source.random()
    if chance < 0.08:
        return _correction(source, writer)
    request = Request()
    for _ in range(source.randrange(1, 10)):
        if chance > 0.95:
            # A day that nobody has opened.
            _fill(request, source, f"new-{source.randrange(10**6)}", _OLD_DAY + 40 + source.randrange(3))
        elif chance > 0.9:
            _fill(request, source, f"old-{source.randrange(20)}", _OLD_DAY, is_ended=True)
        else:
            number = source.randrange(KEY_COUNT)
            # Each id has versions on several days in a row: they meet in gaps and from both ends.
            day = HOT_DAYS[(number + source.choice((0, 0, 0, 1, 2, 3))) % len(HOT_DAYS)]
            _fill(request, source, f"call-{number}", day)
    if source.random() < 0.2:
        request.records.append(source.choice(list(request.records)))
    return request


def expected_rows(requests: Iterable[Request], *, is_ruled: bool) -> list[Row]:
    """Returns the records that the store in memory makes of batches, whose order says nothing.

    `is_ruled` is whether the erasure, the deletion and the retention of the race apply.
    """
    disk = Disk()
    store, no_limit = MemoryStore(disk, CONFIG, lambda: NOW_US), CancelToken(None)
    if is_ruled:
        store.erase([ERASED], no_limit)
        store.delete(DELETION, no_limit)
        store.set_retention(RETENTION)
    for request in requests:
        store.submit(request.SerializeToString(), no_limit)
    return [session.row for sessions in disk.sessions.values() for session in sessions]


def _fill(request: Request, source: random.Random, session_id: str, day: int, is_ended: bool = False) -> None:
    record = request.records.add(source=_SWITCH, session_id=session_id, revision=source.randrange(4))
    setup_us = day * DAY_US + 3_600_000_000 + source.choice((0, 0, 0, 1, 60_000_000))
    record.setup_time.FromMicroseconds(setup_us)
    if source.random() < 0.6:
        record.account_id = source.choice("ABC")
    if source.random() < 0.5:
        record.answer_time.FromMicroseconds(setup_us + source.choice((5_000_000, 9_000_000)))
    if is_ended or source.random() < 0.5:
        record.end_time.FromMicroseconds(setup_us + source.choice((50_000_000, 90_000_000)))
    if source.random() < 0.15:
        record.replaces = True
    if session_id[-1] in "37":
        record.part, record.part_class = source.randrange(1, 4), source.choice((1, 2, 3))
    if session_id[-1] == "4":
        record.orig_src_party_id = ERASED


def _correction(source: random.Random, writer: int) -> Request:
    """Returns a correction of a source of this writer alone: the last one counts."""
    request = Request(correct=source.random() < 0.7)
    number = source.randrange(5)
    setup_us = HOT_DAYS[number % len(HOT_DAYS)] * DAY_US
    record = request.records.add(source=f"desk-{writer}", session_id=f"file-{number}")
    record.account_id = source.choice("ABCDEFGH")
    record.setup_time.FromMicroseconds(setup_us)
    record.end_time.FromMicroseconds(setup_us + source.randrange(1, 100) * 1_000_000)
    return request
