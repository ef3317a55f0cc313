"""Calls of the dearest reports, over a store in which each session is a group of its own."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from dear_reports import ALL_FIELDS, REPORTS
from pegcount.v1 import reports_pb2

from load.caller import status_of

_CALL_SECONDS_MAX = 60.0
_CHANNEL_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]

DEAREST = {
    "active, all fields": (
        "QueryActiveSessions",
        reports_pb2.QueryActiveSessionsRequest(return_fields=ALL_FIELDS, order=["-duration"]),
    ),
    "active, rollup": (
        "QueryActiveSessions",
        reports_pb2.QueryActiveSessionsRequest(
            return_fields=["orig_clients_name", "term_clients_name", "term_src_party_id", "quantity"],
            order=["-quantity"],
            grouping=reports_pb2.GROUPING_ROLLUP,
        ),
    ),
    **{name.partition(",")[0]: (name.partition(",")[0], REPORTS[name]) for name in list(REPORTS)[2:]},
}
"""The dearest reports within the limits: method and request."""


def dear_call(channel: grpc.Channel, name: str) -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
    """Returns the method of a report; it takes and returns serialized messages."""
    return channel.unary_unary(f"/pegcount.v1.ReportService/{DEAREST[name][0]}")


def request_of(name: str) -> bytes:
    return DEAREST[name][1].SerializeToString()


@dataclass(slots=True)
class DearCalls:
    """Callers, each on a connection of its own, that repeat reports until `run` ends."""

    address: str
    names: Sequence[str]
    callers: int
    statuses: Counter[str] = field(default_factory=Counter)
    answer_bytes: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self, seconds: float) -> None:
        """Calls for some time, and returns after the last call has ended."""
        threads = [threading.Thread(target=self._call, args=(number,)) for number in range(self.callers)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self._ended.set()
        for thread in threads:
            thread.join()

    def _call(self, number: int) -> None:
        name = self.names[number % len(self.names)]
        request = request_of(name)
        with grpc.insecure_channel(self.address, _CHANNEL_OPTIONS) as channel:
            call = dear_call(channel, name)
            while not self._ended.is_set():
                try:
                    byte_count = len(call(request, timeout=_CALL_SECONDS_MAX))
                    self.answer_bytes += byte_count
                    self.statuses["OK"] += 1
                except grpc.RpcError as error:
                    self.statuses[status_of(error)] += 1
                    # As RetryInfo asks for.
                    self._ended.wait(1.0)
