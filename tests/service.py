"""Runs a whole service in this process: the store, the server on a free port, and client stubs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import cast

import grpc
from conformance.stores import EMBEDDED, StoreFactory
from pegcount.config import Config, LiveConfig
from pegcount.model import WriteOutcome
from pegcount.server import CallObserver, ListenOptions, RunningServer, ServerState
from pegcount.store import EmbeddedStore
from pegcount.v1 import (
    admin_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
    reports_pb2_grpc,
    traffic_pb2_grpc,
)
from strict_channel import StrictChannel

NOW_US = 1_774_872_000_000_000
"""2026-03-30T12:00:00Z, the default time of the test clock."""


@dataclass
class Service:
    """A running service whose store and server share a settable clock (`now_us`).

    It closes at the end of the `with` block.
    """

    directory: Path
    config: Config = field(default_factory=Config)
    now_us: int = NOW_US
    stores: StoreFactory = EMBEDDED
    listen: str = "127.0.0.1:0"
    listen_options: ListenOptions = field(default_factory=ListenOptions)
    channel_credentials: grpc.ChannelCredentials | None = None
    """What the client trusts, and its certificate; None: plain text."""
    observers: Sequence[CallObserver] = ()
    """Learn of each call that has ended."""

    def __post_init__(self) -> None:
        # Most tests use what an embedded store has beside the interface of a store.
        self.store = cast(EmbeddedStore, self.stores.open(self.directory, self.config, lambda: self.now_us))
        self.live = LiveConfig(self.config)
        """The settings that the server reads at each use; the store has its own."""
        self._running = RunningServer(
            self.live,
            self.store,
            self.listen,
            lambda: self.now_us,
            self.listen_options,
            observers=self.observers,
        )
        self.addresses = self._running.addresses
        self.address = self.addresses[0]
        self.channel = StrictChannel(self.new_channel(self.address))
        self.reports = reports_pb2_grpc.ReportServiceStub(self.channel)
        self.traffic = traffic_pb2_grpc.TrafficServiceStub(self.channel)
        self.records = records_pb2_grpc.RecordServiceStub(self.channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(self.channel)

    def new_channel(self, address: str) -> grpc.Channel:
        """Returns a channel of its own connection to an address of the server."""
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        if self.channel_credentials is None:
            return grpc.insecure_channel(address, options)
        return grpc.secure_channel(address, self.channel_credentials, options)

    def write(self, *records: records_pb2.SessionRecord) -> WriteOutcome:
        return self.write_all(records)

    def write_all(self, records: Iterable[records_pb2.SessionRecord]) -> WriteOutcome:
        return self.store.write(records_pb2.WriteRecordsRequest(records=records).SerializeToString())

    def open_stream_count(self) -> int:
        """Returns the number of open WriteRecords streams."""
        return self._running.open_stream_count()

    def state(self) -> ServerState:
        """Returns the present state of the server."""
        return self._running.state()

    def is_running(self) -> bool:
        return self._running.is_running()

    def stop(self) -> None:
        """Stops the server gracefully; the store stays open."""
        self._running.stop()

    def close(self) -> None:
        self.channel.close()
        self._running.stop()
        self.store.close()

    def __enter__(self) -> "Service":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
