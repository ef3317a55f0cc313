"""Admin calls run on threads of their own, within their deadlines."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pegcount.auth import Credentials
from pegcount.config import Config, LiveConfig
from pegcount.errors import DeadlineError
from pegcount.server.admin import AdminService
from pegcount.server.admin_runner import AdminRunner
from pegcount.server.audit import AuditLog
from pegcount.server.call_clock import CallClock
from pegcount.store import EmbeddedStore, SourceRules
from pegcount.v1 import admin_pb2

from server_tests.example_requests import ONE_CODE

PUT = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods_by_name["PutCodeDeck"]


@pytest.mark.parametrize(
    ("remaining_seconds", "stored"), [(None, {1: 1}), (60.0, {1: 1}), (0.0, {}), (-1.0, {})]
)
def test_a_call_whose_deadline_passed_while_it_waited_changes_nothing(
    tmp_path: Path, remaining_seconds: float | None, stored: dict[int, int]
) -> None:
    store = EmbeddedStore(tmp_path, Config(), create=True)
    credentials = Credentials(Config(), store, lambda: 0)
    service = AdminService(Config(), store, SourceRules(store), credentials)
    runner = AdminRunner(LiveConfig(Config()), service, AuditLog(Config(), store, lambda: 0))
    call: Any = SimpleNamespace(
        caller=None,
        turn="credential",
        request_id="r",
        clock=CallClock(),
        time_remaining=lambda: remaining_seconds,
        authenticate=lambda: None,
    )

    async def put() -> None:
        await runner.behavior(PUT)(ONE_CODE.SerializeToString(), call)

    try:
        asyncio.run(put())
        assert stored
    except DeadlineError:
        assert not stored
    assert store.code_decks() == stored
    runner.close()
    store.close()
