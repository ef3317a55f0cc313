"""A process that makes credentials is killed: each that it has answered counts, and each revocation too."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import seeds
from pegcount.auth import Credentials
from pegcount.store import EmbeddedStore

from store_tests import credential_writer


def test_an_answered_credential_survives_a_kill(tmp_path: Path) -> None:
    chance = seeds.chance("kill a credential writer")
    made, revoked = dict[str, str](), set[str]()
    for number in range(4):
        for what, credential_id, key in answered_before_a_kill(tmp_path, number * 1_000, chance):
            made[credential_id] = key
            if what == "revoked":
                revoked.add(credential_id)
        check_killed(tmp_path, made, revoked, kill_count=number + 1)
    assert revoked, "no revocation was answered before a kill"


def answered_before_a_kill(directory: Path, first: int, chance: random.Random) -> list[list[str]]:
    command = [sys.executable, str(Path(credential_writer.__file__)), str(directory), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        lines = [process.stdout.readline() for _ in range(chance.randrange(3, 12))]
        # The load itself: the kill falls anywhere within the next change.
        time.sleep(chance.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    return [line.split() for line in lines if line.endswith("\n")]


def check_killed(directory: Path, made: dict[str, str], revoked: set[str], kill_count: int) -> None:
    """Asserts that all answered changes count, and of each kill at most one that was not answered."""
    with contextlib.closing(EmbeddedStore(directory, credential_writer.CONFIG)) as store:
        rows = {row.id: row for row in store.credentials()}
        credentials = Credentials(credential_writer.CONFIG, store, lambda: 0)
    assert made.keys() <= rows.keys()
    assert revoked <= {row.id for row in rows.values() if row.revoke_us is not None}
    unanswered = [row for row in rows.values() if row.id not in made]
    unanswered += [row for row in rows.values() if row.revoke_us and row.id not in revoked and row.id in made]
    assert len(unanswered) <= kill_count
    for credential_id, key in made.items():
        is_accepted = credentials.caller_of_key(key, 0) is not None
        assert is_accepted is (rows[credential_id].revoke_us is None)
