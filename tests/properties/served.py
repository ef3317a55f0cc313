"""One running service per configuration and kind of store; each example empties its store.

Starting a server and flushing files cost far more than a report. So the servers live as long as the
process, and the data directories are in memory (/dev/shm) where available.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, cast

import grpc
from conformance.stores import EMBEDDED, StoreFactory
from decks import deck_of
from google.protobuf import text_format
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2
from grpc_status import rpc_status
from pegcount.config import Config
from pegcount.model import WriteOutcome
from pegcount.server import RunningServer
from pegcount.store import Store
from pegcount.v1 import (
    admin_pb2,
    records_pb2,
    reports_pb2,
    reports_pb2_grpc,
    traffic_pb2,
    traffic_pb2_grpc,
)

_IN_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Write:
    """One batch and the time (microseconds) at which the service receives it."""

    messages: list[records_pb2.SessionRecord]
    received_us: int
    corrects: bool = False
    """Whether the messages are corrections."""

    def __repr__(self) -> str:
        lines = [text_format.MessageToString(message, as_one_line=True) for message in self.messages]
        return "\n  ".join([f"{'Correction' if self.corrects else 'Write'} at {self.received_us}:", *lines])


class Upkeep(Enum):
    """A maintenance action between two batches."""

    SEAL = "seal"
    MAINTAIN = "maintain"
    REOPEN = "reopen"


Delivery = Sequence[Write | Upkeep]


@dataclass(frozen=True)
class Refusal:
    """A status other than OK; reasons are names without prefix."""

    code: str
    reason: str
    violations: frozenset[tuple[str, str]]


class SharedService:
    """A server on a free port, its store, and the clock of both."""

    def __init__(self, config: Config, stores: StoreFactory) -> None:
        self.config = config
        self._stores = stores
        self.now_us = 0
        parent = _IN_MEMORY if _IN_MEMORY.is_dir() else None
        self._base = Path(tempfile.mkdtemp(prefix="pegcount-", dir=parent))
        self._count = 0
        self._store = self._open()
        self._running = RunningServer(config, cast(Store, self), "127.0.0.1:0", lambda: self.now_us)
        # Answers of many bins and metrics are larger than clients take by default.
        unlimited = [("grpc.max_receive_message_length", -1)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self._running.port}", unlimited)
        reports = reports_pb2_grpc.ReportServiceStub(self._channel)
        traffic = traffic_pb2_grpc.TrafficServiceStub(self._channel)
        self._calls: dict[type[Message], Any] = {
            reports_pb2.QueryAsrUsageRequest: reports.QueryAsrUsage,
            reports_pb2.QueryActiveSessionsRequest: reports.QueryActiveSessions,
            reports_pb2.QueryFolderStatsRequest: reports.QueryFolderStats,
            reports_pb2.QueryOriginationQualityRequest: reports.QueryOriginationQuality,
            traffic_pb2.QueryTrafficRequest: traffic.QueryTraffic,
        }
        atexit.register(self.close)

    def __getattr__(self, name: str) -> Any:
        """Forwards to the store of the current example, so that the server sees one permanent store."""
        return getattr(self._store, name)

    def load(
        self,
        delivery: Delivery,
        now_us: int,
        decks: Iterable[tuple[int, Sequence[admin_pb2.CodeDeckEntry]]] = (),
    ) -> list[WriteOutcome]:
        """Empties the store, delivers the batches, sets the clock, and returns the outcome of each batch."""
        self._store.close()
        self._stores.remove(self._base / str(self._count))
        self._count += 1
        self._store = self._open()
        for deck_id, entries in decks:
            deck = deck_of(*((entry.code, entry.name, entry.country) for entry in entries))
            self._store.put_code_deck(deck_id, deck)
        outcomes = []
        for step in delivery:
            if isinstance(step, Write):
                outcomes.append(self._write(step))
            else:
                self._maintain(step)
        self.now_us = now_us
        return outcomes

    def ask(self, request: Message) -> Any:
        """Returns the answer to a request of any report, or its `Refusal`."""
        try:
            return self._calls[type(request)](request)
        except grpc.RpcError as error:
            status = rpc_status.from_call(error)
            if status is None:
                raise
            return _refusal(status)

    def close(self) -> None:
        self._channel.close()
        self._running.stop()
        self._store.close()
        shutil.rmtree(self._base)

    def _open(self) -> Store:
        return self._stores.open(self._base / str(self._count), self.config, lambda: self.now_us)

    def _write(self, batch: Write) -> WriteOutcome:
        self.now_us = batch.received_us
        # Also records that are rejected as new ones: reports must count those that are stored.
        request = records_pb2.WriteRecordsRequest(
            records=batch.messages, accept_stored=True, correct=batch.corrects
        )
        return self._store.write(request.SerializeToString())

    def _maintain(self, step: Upkeep) -> None:
        if step is Upkeep.SEAL:
            self._stores.flush(self._store)
        elif step is Upkeep.MAINTAIN:
            self._stores.maintain(self._store)
        else:
            self._store.close()
            self._store = self._open()


@cache
def shared_service(config: Config, stores: StoreFactory = EMBEDDED) -> SharedService:
    """Returns the process-wide service with this configuration, over a store of this factory."""
    # Answers go out without the notices that are not found in time, as on a machine with much else to do.
    return SharedService(replace(config, notice_seconds_max=60.0), stores)


def _refusal(status: Any) -> Refusal:
    reason, violations = "", []
    for detail in status.details:
        bad_request, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
        if detail.Unpack(bad_request):
            violations += [(violation.field, violation.reason) for violation in bad_request.field_violations]
        elif detail.Unpack(info):
            reason = info.reason
    assert len(set(violations)) == len(violations), f"a violation is listed twice: {violations}"
    return Refusal(code_pb2.Code.Name(status.code), reason, frozenset(violations))
