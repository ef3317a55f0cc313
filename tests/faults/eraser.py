"""A process that writes, erases and masks until it is killed: `python eraser.py DIRECTORY FIRST`."""

import sys
from pathlib import Path

from pegcount.core import CancelToken
from pegcount.privacy import Masking
from pegcount.store import EmbeddedStore
from pegcount.v1.records_pb2 import SessionRecord

sys.path.insert(0, str(Path(__file__).parents[1]))
from store_tests.store_fixtures import DAY_S, SETUP_S, active, batch, finished

from faults.served import CONFIG

FLUSHED_EVERY = 3
"""Rounds between two flushes: numbers of a round are erased from segments, from memory, or both."""
MASKED_FROM = 4
"""The round that sets the masking; the numbers of later rounds are masked when they arrive."""
MASKING = Masking(1, 8)
RECORDS = 8


def number_of(number: int) -> str:
    """Returns the number of a party that the records of a round have."""
    return f"+1 555 0100 {number:05}"


def forms_of(number: int) -> list[str]:
    """Returns the texts in which they have it."""
    digits = number_of(number).replace(" ", "")[1:]
    return [f"+{digits}", f"00{digits}", f"sip:+{digits}@192.0.2.7", number_of(number).replace(" ", "-")]


def kept_number(number: int) -> str:
    """Returns a number that the records of a round have as well, and that is masked only."""
    return f"+49 30 23125 {number:05}"


def records(number: int) -> list[SessionRecord]:
    """Returns the records of a round: finished and active ones, on two days."""
    make, forms = (finished, active), forms_of(number)
    return [
        make[i % 2](
            f"{number}/{i}",
            SETUP_S - i // 2 % 2 * DAY_S,
            source=f"round {number}",
            orig_src_party_id=forms[i % len(forms)],
            term_dst_party_id=kept_number(number),
        )
        for i in range(RECORDS)
    ]


def main(directory: str, first: str) -> None:
    """Prints a line after each acknowledged write, erasure and masking."""
    store = EmbeddedStore(Path(directory), CONFIG, create=True)
    print("open", flush=True)
    for number in range(int(first), sys.maxsize):
        store.write(batch(*records(number)))
        print(f"written {number}", flush=True)
        if number % FLUSHED_EVERY == 0:
            store.flush()
        store.erase([number_of(number)], CancelToken(None))
        print(f"erased {number}", flush=True)
        if number == MASKED_FROM:
            store.set_masking(MASKING)
            print("masked", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
