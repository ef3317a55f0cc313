"""Calls that wait while their credential is revoked: nothing begins for it after that was answered."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from pegcount.auth import Scope
from pegcount.config import Config
from pegcount.v1 import admin_pb2, admin_pb2_grpc, reports_pb2_grpc
from waiting import wait_until

from server_tests.example_requests import ASK_FOLDER, ASK_USAGE, call_record
from server_tests.keys import Guarded, Request, guarded, sent
from server_tests.refusal import refusal

Rotate, Revoke = admin_pb2.RotateCredentialRequest, admin_pb2.RevokeCredentialRequest
SECONDS = 30


class Gate:
    """Holds up the first thread that passes, until it is opened."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self.open = threading.Event()

    def wait(self) -> None:
        if not self.is_reached.is_set():
            self.is_reached.set()
            assert self.open.wait(SECONDS)


@contextmanager
def held_up(store: Any, method: str) -> Iterator[Gate]:
    """Holds up the first call of a method of a store; opens the gate at the end."""
    gate, work = Gate(), getattr(store, method)

    def run(*arguments: Any) -> Any:
        gate.wait()
        return work(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, method, run)
        try:
            yield gate
        finally:
            gate.open.set()


class Thief:
    """A client of its own with a key that will be revoked."""

    def __init__(self, held: Guarded, channel: grpc.Channel, *scopes: Scope) -> None:
        made = held.create("stolen", *scopes)
        self.id, self.metadata = made.id, sent(made.secret)
        self._held = held
        self.admin = admin_pb2_grpc.AdminServiceStub(channel)
        self.reports = reports_pb2_grpc.ReportServiceStub(channel)

    def begin(self, method: Any, request: Any) -> "grpc.Future[Any]":
        """Begins a call of a stub."""
        call: grpc.Future[Any] = method.future(request, metadata=self.metadata, timeout=SECONDS)
        return call

    def is_seen(self) -> bool:
        """Whether the server has let in a call, and all that it received before."""
        row = next(row for row in self._held.rows() if row.id == self.id)
        return row.HasField("last_use_time")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def thief_at(stack: ExitStack, directory: Path, config: Config, *scopes: Scope) -> tuple[Guarded, Thief]:
    held = stack.enter_context(guarded(directory, config))
    channel = stack.enter_context(held.service.new_channel(held.service.address))
    return held, Thief(held, channel, *scopes)


def reasons(calls: Sequence["grpc.Future[Any]"]) -> set[str]:
    return {refusal(call.result).info.reason for call in calls}


def test_a_revoked_credential_leaves_no_new_key(stack: ExitStack, tmp_path: Path) -> None:
    held, thief = thief_at(stack, tmp_path, Config(), Scope.ROOT, Scope.READ_REPORTS)
    before = [row.id for row in held.rows()]
    with held_up(held.service.store, "put_credentials") as gate:
        revocation = held.service.admin.RevokeCredential.future(
            Revoke(id=thief.id), metadata=held.sent(Scope.ROOT), timeout=SECONDS
        )
        wait_until(gate.is_reached.is_set)
        calls = [
            thief.begin(
                thief.admin.CreateCredential, Request(name=f"{number}", scopes=[admin_pb2.SCOPE_ROOT])
            )
            for number in range(8)
        ]
        calls.append(thief.begin(thief.admin.RotateCredential, Rotate(id=held.id(Scope.ROOT))))
        calls.append(thief.begin(thief.admin.RevokeCredential, Revoke(id=held.id(Scope.ADMIN))))
        # The calls before it were let in, as this one is: the revocation does not count yet.
        thief.reports.QueryAsrUsage(ASK_USAGE, metadata=thief.metadata, timeout=SECONDS)
    revocation.result()
    assert reasons(calls) == {"CREDENTIAL_REFUSED"}
    assert [row.id for row in held.rows()] == before
    assert not any(row.HasField("revoke_time") for row in held.rows() if row.id != thief.id)


def test_a_report_that_waits_does_not_begin(stack: ExitStack, tmp_path: Path) -> None:
    held, thief = thief_at(stack, tmp_path, Config(small_worker_count=1), Scope.READ_REPORTS)
    held.service.write(call_record("c1"), call_record("c2"))
    with held_up(held.service.store, "partials") as gate:
        other = held.service.reports.QueryFolderStats.future(
            ASK_FOLDER, metadata=held.sent(Scope.READ_REPORTS), timeout=SECONDS
        )
        wait_until(gate.is_reached.is_set)
        waiting = thief.begin(thief.reports.QueryFolderStats, ASK_FOLDER)
        wait_until(thief.is_seen)
        held.call("RevokeCredential", Revoke(id=thief.id))
    assert reasons([waiting]) == {"CREDENTIAL_REFUSED"}
    assert other.result()


def test_a_deletion_that_waits_for_another_one_deletes_nothing(stack: ExitStack, tmp_path: Path) -> None:
    held, thief = thief_at(stack, tmp_path, Config(admin_call_count_max=4), Scope.ADMIN)
    held.service.write(call_record("c1"), call_record("c2"))
    first, every = (
        admin_pb2.DeleteRecordsRequest(session_ids=["c1"]),
        admin_pb2.DeleteRecordsRequest(all=True),
    )
    with held_up(held.service.store, "delete") as gate:
        other = held.service.admin.DeleteRecords.future(
            first, metadata=held.sent(Scope.ADMIN), timeout=SECONDS
        )
        wait_until(gate.is_reached.is_set)
        waiting = thief.begin(thief.admin.DeleteRecords, every)
        wait_until(thief.is_seen)
        held.call("RevokeCredential", Revoke(id=thief.id))
        assert reasons([waiting]) == {"CREDENTIAL_REFUSED"}
    assert other.result().deleted == 1
    assert held.service.store.info().records == 1
