"""A process that writes and deletes until it is killed: `python deleter.py DIRECTORY FIRST`."""

import sys
from pathlib import Path

from pegcount.core import CancelToken
from pegcount.model import Deletion
from pegcount.store import EmbeddedStore
from pegcount.v1.records_pb2 import SessionRecord

sys.path.insert(0, str(Path(__file__).parents[1]))
from store_tests.store_fixtures import DAY_S, SETUP_S, active, batch, finished

from faults.served import CONFIG

FLUSHED_EVERY = 3
"""Rounds between two flushes: the records of a round are deleted from segments, from memory, or both."""


def records(number: int, source: str) -> list[SessionRecord]:
    """Returns the records of one source of a round: finished and active ones, on two days."""
    make = (finished, active)
    return [
        make[i % 2](f"{source} {number}/{i}", SETUP_S - i // 2 * DAY_S, source=f"{source} {number}")
        for i in range(4)
    ]


def is_once(number: int) -> bool:
    """Whether the deletion of a round keeps no rule."""
    return number % 2 == 1


def main(directory: str, first: str) -> None:
    """Prints a line after each acknowledged write and deletion."""
    store = EmbeddedStore(Path(directory), CONFIG, create=True)
    print("open", flush=True)
    for number in range(int(first), sys.maxsize):
        store.write(batch(*records(number, "deleted"), *records(number, "kept")))
        print(f"written {number}", flush=True)
        if number % FLUSHED_EVERY == 0:
            store.flush()
        store.delete(Deletion(f"deleted {number}", once=is_once(number)), CancelToken(None))
        print(f"deleted {number}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
