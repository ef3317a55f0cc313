"""The client of the command line: raw stubs, a writer of batches, and errors as sentences for people."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType

import grpc
import pegcount_client
from google.protobuf.message import Message
from pegcount_client import Tls
from pegcount_client.batch_sender import BatchSender, PendingBatch
from pegcount_client.credential import Token
from pegcount_client.errors import call_error
from pegcount_client.lifetime import Lifetime
from pegcount_client.retry import Retries, RetryPolicy
from pegcount_client.traffic_watch import TrafficWatch

from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.model import WriteOutcome
from pegcount.v1.traffic_pb2 import WatchTrafficRequest
from pegcount.write_outcome import write_outcome

DEFAULT_ADDRESS = "127.0.0.1:50051"

_NOT_CONNECTED = re.compile(r": UNAVAILABLE: .*: .*(Socket closed|Connection reset|Broken pipe)")
"""What gRPC says of connections that the other side ends before HTTP/2 begins; of later ends, less."""


class CallError(PegcountError):
    """A call to the server failed; the message is meant for people."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request got no answer: each server would say the same of it."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCredential:
    """A key or a token that calls carry."""

    api_key: str | None = field(default=None, repr=False)
    token: Token | None = field(default=None, repr=False)
    origin: str
    """The option or variable that gave it, for errors."""


class Client:
    """Calls one server. Leaving its block closes the channel and raises CallError for a call that failed.

    A call of a report or an administrative one fails without an answer within `timeout_seconds`. Absent: it
    waits for ever. Raises CallError for an address that cannot be one, and for a key or a token that cannot
    be sent.
    """

    def __init__(
        self,
        address: str,
        config: Config | None = None,
        *,
        timeout_seconds: float | None = None,
        tls: Tls | None = None,
        credential: SentCredential | None = None,
    ) -> None:
        config = config or Config()
        self._credential = credential
        self._address = address
        self._has_tls = tls is not None
        self._timeout_seconds = timeout_seconds
        options = [
            ("grpc.max_receive_message_length", config.answer_bytes_max),
            ("grpc.max_reconnect_backoff_ms", config.tuning.client_reconnect_ms_max),
        ]
        try:
            self._client = pegcount_client.Client(
                address,
                tls=tls or False,
                api_key=None if credential is None else credential.api_key,
                token=None if credential is None else credential.token,
                timeout=timeout_seconds,
                retry=False,
                options=options,
            )
        except ValueError as error:
            raise CallError(str(error)) from error
        self.reports = self._client.reports
        self.traffic_questions = self._client.traffic_questions
        self.admin = self._client.admin

    @property
    def has_credential(self) -> bool:
        """Whether calls carry a key or a token."""
        return self._credential is not None

    def hidden_field(self, error: Exception) -> str | None:
        """Returns the field for which a call failed, as the credential does not show it; None otherwise."""
        if not isinstance(error, grpc.RpcError):
            return None
        found = call_error(error, self._address, self._timeout_seconds)
        return found.metadata.get("value") if found.reason == "ACCESS_DENIED" else None

    def asked(self, method: str, request: Message) -> Message | Refusal:
        """Returns the answer of a report, or what is wrong with the request; raises CallError otherwise."""
        try:
            answer: Message = getattr(self.reports, method)(request)
        except grpc.RpcError as error:
            found = call_error(error, self._address, self._timeout_seconds)
            if found.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND):
                return Refusal(found.code.name, found.reason)
            raise CallError(self._sentence(found)) from error
        return answer

    def traffic_watch(self, request: WatchTrafficRequest, config: Config) -> TrafficWatch:
        """Returns a watch, to be used in a `with` block; a lost stream is opened again, however late."""
        policy = replace(_retry_policy(config), count_max=sys.maxsize)
        watch, retries = self.traffic_questions.WatchTraffic, _RetriesOfWatch(policy)
        return TrafficWatch(watch, request, self._address, retries, Lifetime())

    def batch_writer(self, config: Config) -> "BatchWriter":
        """Returns a writer for batches of records, to be used as a context manager."""
        return BatchWriter(self._client.batch_sender(_retry_policy(config)))

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._raise_for_people(error)

    @contextmanager
    def failures_for_people(self) -> Iterator[None]:
        """Raises CallError for a call of its block that failed, for callers that go on with the client."""
        try:
            yield
        except Exception as error:
            self._raise_for_people(error)
            raise

    def _raise_for_people(self, error: BaseException | None) -> None:
        if isinstance(error, grpc.RpcError):
            error = call_error(error, self._address, self._timeout_seconds)
        if isinstance(error, pegcount_client.PegcountError):
            raise CallError(self._sentence(error)) from error

    def _sentence(self, error: pegcount_client.PegcountError) -> str:
        """Returns an error for people; the commands name their own option for the time to wait."""
        if error.code is grpc.StatusCode.DEADLINE_EXCEEDED and not error.reason:
            return f"no answer from {self._address} within {self._timeout_seconds:g} s"
        return f"{error}{self._advice(error)}"

    def _advice(self, error: pegcount_client.PegcountError) -> str:
        """Returns the next step after a refusal of who calls, or of how; "" after another error."""
        if self._may_need_tls(error):
            return "; does it need TLS? give --ca FILE or --tls"
        if error.code is grpc.StatusCode.PERMISSION_DENIED:
            scope = error.metadata.get("scope")
            return f"; `pegcount key create --scope {scope} …` makes one" if scope else ""
        if error.code is not grpc.StatusCode.UNAUTHENTICATED:
            return ""
        if self._credential is None:
            return "; give one by PEGCOUNT_API_KEY, --api-key-file, PEGCOUNT_TOKEN or --token-file"
        if error.reason == "CREDENTIAL_UNEXPECTED":
            return f"; leave out {self._credential.origin}"
        return f"; it refused that of {self._credential.origin}"

    def _may_need_tls(self, error: pegcount_client.PegcountError) -> bool:
        """Whether the other side ended connections without TLS at once."""
        return not self._has_tls and not error.reason and _NOT_CONNECTED.search(str(error)) is not None


class _RetriesOfWatch(Retries):
    """Gives up at once without a first message: nobody waits for a server that is not there."""

    _has_begun = False

    def answered(self) -> None:
        self._has_begun = True
        super().answered()

    def wait_seconds(self, error: pegcount_client.PegcountError) -> float:
        if not self._has_begun:
            raise error
        return super().wait_seconds(error)


def _retry_policy(config: Config) -> RetryPolicy:
    return RetryPolicy(
        count_max=config.retry_count_max,
        seconds_min=config.retry_seconds_min,
        seconds_max=config.retry_seconds_max,
    )


class BatchWriter:
    """Streams serialized batches, and resends those that are not answered; see `BatchSender`."""

    def __init__(self, sender: BatchSender) -> None:
        self._sender = sender

    def submit(self, batch: bytes) -> "SentBatch":
        """Queues a serialized `WriteRecordsRequest` for sending; the caller bounds the unanswered batches."""
        return SentBatch(self._sender.submit(batch))

    def __enter__(self) -> "BatchWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._sender.close()


class SentBatch:
    """A batch that may still be unanswered."""

    def __init__(self, pending: PendingBatch) -> None:
        self._pending = pending

    def wait(self) -> WriteOutcome:
        """Waits until the server has acknowledged the batch; raises as `PendingBatch.wait`."""
        return write_outcome(self._pending.wait())
