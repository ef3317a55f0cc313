"""A whole server that gets any bytes as messages of any method, and what each answer must be."""

import io
import logging
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from pegcount.auth import Credentials, Scope, contradictions
from pegcount.config import Config
from pegcount.data_scope import DataScope
from pegcount.model import NewCredential
from pegcount.server import RunningServer
from pegcount.server.access import RULES
from pegcount.server.authentication import Authentication
from pegcount.server.status import CODE_OF_ERROR
from pegcount.store import EmbeddedStore
from service import NOW_US

from fuzz.seed_records import MARK, batch, foreign_batch

Metadata = tuple[tuple[str, str], ...]

INPUTS_PER_STORE = 2_000
"""Inputs after which a store is opened again, and another one begins: each may add records and rules."""
CALL_SECONDS_MAX = 20.0
CPU_SECONDS_MAX = 1.0
"""What all threads together may take for one call."""
_STREAMS = {
    "pegcount.v1.RecordService/WriteRecords",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
}
_WATCHES = {"grpc.health.v1.Health/Watch", "pegcount.v1.TrafficService/WatchTraffic"}
"""Answer one message again and again, until they are cancelled."""
_TEXT_BYTES_MAX = 1_000
_TRAILER_BYTES_MAX = 8 * 1024
"""What a client accepts by default."""
_CODES = {"OK", *(_code.name for _code in grpc.StatusCode if _code.value[0] in CODE_OF_ERROR.values())}
SCOPED_CALLERS = (4, 5)
"""Numbers of the callers with a data scope, among `Served.sent_by`."""
_LIMITS = Config(bin_count_max=5_000, cell_count_max=20_000, correction_wait_seconds=0.1)


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: str
    text: str
    trailers: Sequence[tuple[str, str | bytes]]
    answers: bytes

    def reason(self) -> str:
        """Returns the reason of the error; "" without one."""
        found = (
            value
            for name, value in self.trailers
            if name == "grpc-status-details-bin" and isinstance(value, bytes)
        )
        info = error_details_pb2.ErrorInfo()
        for detail in status_pb2.Status.FromString(next(found, b"")).details:
            detail.Unpack(info)
        return str(info.reason)

    def check(self) -> None:
        """Asserts that it is an answer, or a refusal that says why within bounds."""
        assert self.code in _CODES, self
        assert len(self.text.encode()) <= _TEXT_BYTES_MAX, self
        assert sum(len(name) + len(value) for name, value in self.trailers) <= _TRAILER_BYTES_MAX, self
        if self.code not in ("OK", "CANCELLED"):
            assert self.reason(), f"{self} has no reason"

    def check_foreign(self) -> None:
        """Asserts that it shows nothing of records that its caller must not see."""
        shown = [self.text, *(value for _, value in self.trailers)]
        sent = b"".join(value.encode() if isinstance(value, str) else value for value in shown)
        assert MARK.encode() not in sent + self.answers, self


class Served:
    """A server over a store of some records, with a credential of each kind."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="pegcount-fuzz-"))
        self._log = io.StringIO()
        self._handler = logging.StreamHandler(self._log)
        logging.getLogger("pegcount").addHandler(self._handler)
        self._input_count = 0
        self._begin()

    def call(self, method: str, messages: Sequence[bytes], metadata: Metadata) -> Ended:
        """Calls a method, as often as it takes one message; checks the end of each call."""
        begin_s = time.process_time()
        ended = self._called(method, messages, metadata)
        ended.check()
        if metadata in self._scoped:
            ended.check_foreign()
        taken_s = time.process_time() - begin_s
        assert taken_s < CPU_SECONDS_MAX, f"{method} took {taken_s:.1f} s"
        assert "Traceback" not in self._log.getvalue(), self._log.getvalue()
        self._log.seek(0)
        self._log.truncate()
        self._count_input()
        return ended

    def sent_by(self, number: int) -> Metadata:
        """Returns the metadata of a caller: one of each kind, one with a wrong key, and one without any."""
        return self._senders[number % len(self._senders)]

    def close(self) -> None:
        """Ends the server, sees that its store opens, and removes it."""
        self._end()
        logging.getLogger("pegcount").removeHandler(self._handler)
        shutil.rmtree(self._directory)

    def _end(self) -> None:
        self._channel.close()
        self._server.stop()
        self._store.close()
        # Whatever it was sent, a store opens again.
        EmbeddedStore(self._data, _LIMITS, clock=lambda: NOW_US).close()
        shutil.rmtree(self._data.parent)

    def _begin(self) -> None:
        self._data = Path(tempfile.mkdtemp(dir=self._directory)) / "data"
        self._store = EmbeddedStore(self._data, _LIMITS, create=True, clock=lambda: NOW_US)
        self._store.write(batch())
        self._store.write(foreign_batch())
        credentials = Credentials(_LIMITS, self._store, lambda: NOW_US)
        self._senders = _senders(credentials)
        self._scoped = [self._senders[number] for number in SCOPED_CALLERS]
        address = f"unix:{self._data.parent}/socket"
        authentication = Authentication(credentials, lambda: NOW_US)
        self._server = RunningServer(
            _LIMITS, self._store, address, lambda: NOW_US, authentication=authentication
        )
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        self._channel = grpc.insecure_channel(address, options)

    def _count_input(self) -> None:
        self._input_count += 1
        if self._input_count % INPUTS_PER_STORE == 0:
            self._end()
            self._begin()

    def _called(self, method: str, messages: Sequence[bytes], metadata: Metadata) -> Ended:
        path, answers = f"/{method}", list[bytes]()
        call: Any
        if method in _STREAMS or method in _WATCHES:
            sent = messages if method in _STREAMS else messages[:1]
            stream: Any = self._channel.stream_stream(path)
            call = stream(iter(sent), timeout=CALL_SECONDS_MAX, metadata=metadata)
            try:
                for answer in call:
                    answers.append(answer)
                    if method in _WATCHES:
                        call.cancel()
            except grpc.RpcError:
                pass  # Its code is looked at below.
        else:
            message = messages[0] if messages else b""
            unary: Any = self._channel.unary_unary(path)
            call = unary.future(message, timeout=CALL_SECONDS_MAX, metadata=metadata)
            if call.exception() is None:
                answers.append(call.result())
        trailers = call.trailing_metadata() or ()
        return Ended(call.code().name, call.details() or "", trailers, b"".join(answers))


def methods_of(*services: str) -> tuple[str, ...]:
    """Returns the methods of some services."""
    return tuple(method for method in RULES if method.rpartition("/")[0] in services)


def _senders(credentials: Credentials) -> tuple[Metadata, ...]:
    account = DataScope(account_id=("a1",))
    switch = DataScope(account_id=("a1",), source=("pbx",))
    kinds: list[tuple[str, tuple[Scope, ...], DataScope | None]] = [
        ("root", (Scope.ROOT,), None),
        ("admin", (Scope.ADMIN,), None),
        ("reader", (Scope.READ_REPORTS,), None),
        ("writer", (Scope.WRITE_RECORDS,), None),
        ("customer", (Scope.READ_REPORTS,), account),
        ("switch of the customer", (Scope.WRITE_RECORDS,), switch),
    ]
    keys = [_new_key(credentials, *kind) for kind in kinds]
    return (*((("x-api-key", key),) for key in keys), (("x-api-key", "pegcount_wrong"),), ())


def _new_key(credentials: Credentials, name: str, scopes: tuple[Scope, ...], data: DataScope | None) -> str:
    numbers = tuple(sorted(map(int, scopes)))
    assert data is None or not list(contradictions(scopes, data)), f"a server refuses to make {name}"
    new = NewCredential(name, numbers, None, (), data_scope=data)
    return credentials.create(lambda _: new).key.text
