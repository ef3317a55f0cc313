"""Writes batches into a data directory until it is killed, and prints the number of each acknowledged one.

python writer.py DIRECTORY FIRST_BATCH SEED
"""

import random
import sys
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.config import Config
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2

ROWS_PER_BATCH = 40
# Limits so low that the store flushes often, with and without an active snapshot, and compacts.
CONFIG = Config(
    seal_row_count=100, active_copy_row_count=7, journal_bytes_max=70_000, maintenance_seconds=0.002
)
_SETUP_S = 1_774_771_200


def batch(number: int, seed: int) -> records_pb2.WriteRecordsRequest:
    """Builds batch `number` of a seed: new calls on two days, and the ends of active calls of the batch
    before."""
    chance = random.Random(f"{seed}/{number}")
    records = [_record(f"{number}/{i}", chance) for i in range(ROWS_PER_BATCH)]
    if number > 0:
        before = active_calls_of(number - 1, seed)
        records += [_end(session_id, setup_s) for session_id, setup_s in before]
    return records_pb2.WriteRecordsRequest(records=records)


def active_calls_of(number: int, seed: int) -> list[tuple[str, int]]:
    """Returns (session id, setup time in Unix seconds) of each call that batch `number` leaves active."""
    chance = random.Random(f"{seed}/{number}")
    records = [_record(f"{number}/{i}", chance) for i in range(ROWS_PER_BATCH)]
    return [(r.session_id, r.setup_time.seconds) for r in records if not r.HasField("end_time")]


def _record(session_id: str, chance: random.Random) -> records_pb2.SessionRecord:
    setup_s = _SETUP_S + chance.randrange(2 * 86_400)
    record = records_pb2.SessionRecord(session_id=session_id, setup_time=Timestamp(seconds=setup_s))
    if chance.random() < 0.8:
        record.end_time.seconds = setup_s + 30
    return record


def _end(session_id: str, setup_s: int) -> records_pb2.SessionRecord:
    return records_pb2.SessionRecord(
        session_id=session_id,
        event=records_pb2.SESSION_EVENT_END,
        setup_time=Timestamp(seconds=setup_s),
        end_time=Timestamp(seconds=setup_s + 60),
    )


def main(directory: str, first: str, seed: str) -> None:
    """Writes batches from `first` on and prints the number of each after its acknowledgement."""
    store = EmbeddedStore(Path(directory), CONFIG, create=True)
    print("open", flush=True)
    for number in range(int(first), sys.maxsize):
        store.write(batch(number, int(seed)).SerializeToString())
        print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
