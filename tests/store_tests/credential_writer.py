"""Makes and revokes credentials in a data directory until it is killed, and prints each once it is answered.

python credential_writer.py DIRECTORY FIRST_NUMBER
"""

import itertools
import sys
import time
from pathlib import Path

from pegcount.auth import Credentials
from pegcount.config import Config
from pegcount.model import NewCredential
from pegcount.store import EmbeddedStore

CONFIG = Config(maintenance_seconds=3_600.0)


def main(directory: str, first: str) -> None:
    """Makes credentials from number `first` on and revokes each odd one; a line has its id and its key."""
    store = EmbeddedStore(Path(directory), CONFIG, create=True)
    credentials = Credentials(CONFIG, store, lambda: time.time_ns() // 1_000)
    print("open", flush=True)
    for number in itertools.count(int(first)):
        new = NewCredential(f"number {number}", (2,), None, ())
        issued = credentials.create(lambda _, new=new: new)  # type: ignore[misc]
        print("made", issued.row.id, issued.key.text, flush=True)
        if number % 2:
            credentials.revoke(issued.row.id)
            print("revoked", issued.row.id, issued.key.text, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
