"""What a running server does for its credentials from time to time."""

import logging
from pathlib import Path

import pytest
from auth_tests.memory import Memory
from pegcount.auth import Credentials, Scope
from pegcount.config import Config
from pegcount.model import NewCredential
from pegcount.server.credential_watch import save_uses
from waiting import wait_until

from server_tests.keys import guarded

NOW_US = 1_774_872_000_000_000


def test_a_store_that_cannot_keep_the_uses_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    store = Memory()
    credentials = Credentials(Config(), store, lambda: NOW_US)
    issued = credentials.create(lambda _: NewCredential("operator", (4,), None, ()))
    credentials.caller_of_key(issued.key.text, NOW_US)
    store.fails = True
    save_uses(credentials)
    assert caplog.messages == ["the last uses of the credentials are not saved: the disk is full"]
    store.fails = False
    save_uses(credentials)
    assert [row.last_use_us for row in store.credentials()] == [NOW_US]
    assert len(caplog.messages) == 1


def test_the_log_repeats_what_expires_soon(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = Config(credential_save_seconds=0.01, credential_log_seconds=0.05)
    with caplog.at_level(logging.WARNING), guarded(tmp_path, config) as held:
        made = held.create("soon", Scope.READ_REPORTS, lifetime_seconds=60)
        line = f"credential {made.id} expires at 2026-03-30T12:01:00Z"
        wait_until(lambda: caplog.messages.count(line) >= 3, "three lines")
