"""The services that the clients call: one over the samples, and an empty one for an example."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2
from sample_service import service_over_samples
from service import NOW_US, Service

ANSWERED_US = NOW_US - 90_500_000
# What a client may lose: 2^53 + 1, which a double cannot represent, and a name beyond ASCII.
ODD_SESSION = records_pb2.SessionRecord(
    session_id="odd",
    setup_time=Timestamp(seconds=NOW_US // 1_000_000 - 100),
    answer_time=Timestamp(seconds=ANSWERED_US // 1_000_000, nanos=ANSWERED_US % 1_000_000 * 1_000),
    orig_clients_id=9_007_199_254_740_993,
    orig_clients_name='Łódź "T" \N{TELEPHONE RECEIVER}',
)


@contextmanager
def served_samples(directory: Path) -> Iterator[Service]:
    """Runs a service over the samples and the odd session; as its clock stands still, answers are equal."""
    with service_over_samples(directory) as service:
        service.write(ODD_SESSION)
        yield service


LONG_ANSWER_REQUEST = 'QueryActiveSessions {"returnFields":["session_id","orig_clients_name"]}'
_LONG_ANSWER_ROW_COUNT = 20_000


@contextmanager
def served_long_answer(directory: Path) -> Iterator[Service]:
    """Runs a service that answers LONG_ANSWER_REQUEST with more than 4 MiB, the default limit of gRPC."""
    setup = Timestamp(seconds=NOW_US // 1_000_000 - 100)
    with Service(directory) as service:
        service.write_all(
            records_pb2.SessionRecord(session_id=str(number), setup_time=setup, orig_clients_name="x" * 240)
            for number in range(_LONG_ANSWER_ROW_COUNT)
        )
        yield service


@contextmanager
def served_for_example(directory: Path) -> Iterator[Service]:
    """Runs a service without records, today, as the examples write calls of yesterday."""
    with Service(directory, now_us=time.time_ns() // 1_000) as service:
        yield service
